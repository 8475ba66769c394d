//! Commands of the operator's.

use super::*;

#[test]
fn a_command_is_run_until_it_succeeds() {
    let mut world = world("every = \"20d\"");
    let (dir, program) = (world.dir.display().to_string(), world.dir.join("tell"));
    // It fails the first time, and leaves a child behind.
    let script = format!(
        "#!/bin/sh\necho \"$RETAIND_EVENT $RETAIND_STATE $1\" >> {dir}/told\ncat > {dir}/heard\nsleep 300 &\n\
         [ -e {dir}/again ] || {{ touch {dir}/again; echo 'no pager today' >&2; exit 1; }}\n"
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    world.declare(&format!("max_rows = 1\n[notify.pager]\ncommand = [\"{}\", \"ops\"]", program.display()));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let told = || std::fs::read_to_string(world.dir.join("told")).unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    while told().lines().count() < 2 {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    await_waiting(&world, 0);
    assert_eq!(told(), "blocked firing ops\n".repeat(2));
    let heard: Value = serde_json::from_str(&std::fs::read_to_string(world.dir.join("heard")).unwrap()).unwrap();
    assert_eq!((word(&heard, "/event"), word(&heard, "/policies/0/policy")), ("blocked", "items"));
    assert!(log(&world).contains("no pager today"), "{}", log(&world));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(told().lines().count(), 2);
    daemon.stop();
}

#[test]
fn a_command_that_hangs_is_ended() {
    let mut world = world("every = \"20d\"");
    world.declare(
        "max_rows = 1\n[notify.pager]\ncommand = [\"/bin/sh\", \"-c\", \"exec sleep 4242\"]\ntimeout = \"1s\"",
    );
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    await_undelivered(&world);
    assert!(log(&world).contains("did not end within 1s"), "{}", log(&world));
    daemon.stop();
}

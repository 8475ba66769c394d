//! Dead man's switches: a monitor hears of each run, and of the end of one that died.

use super::*;

/// What came, without the parameter, and the runs that it was about.
fn pings(receiver: &Receiver, count: usize, world: &World) -> (Vec<String>, Vec<String>) {
    let received = receiver.await_received(count, || log(world));
    received
        .iter()
        .map(|each| each.target.split_once("rid=").unwrap())
        .map(|(path, run)| (path.trim_end_matches(['?', '&']).to_owned(), run.to_owned()))
        .unzip()
}

#[test]
fn a_monitor_hears_of_each_run() {
    let receiver = Receiver::start();
    let world = world(&format!("every = \"20d\"\nping = \"{}\"", receiver.url("/ping/s3cret")));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    let (paths, runs) = pings(&receiver, 2, &world);
    assert_eq!(paths, ["/ping/s3cret/start", "/ping/s3cret"]);
    assert_eq!(runs[0], runs[1]);
    assert!(receiver.received()[1].body.contains("2 rows"), "{:?}", receiver.received());
    // Of single policies it hears nothing.
    run(&world, "items");
    world.db.execute("ALTER TABLE item RENAME TO thing");
    run(&world, "sweep");
    let (paths, again) = pings(&receiver, 4, &world);
    assert_eq!(paths[2..], ["/ping/s3cret/start", "/ping/s3cret/fail"]);
    assert!(again[2] == again[3] && again[2] != runs[0], "{again:?}");
    daemon.stop();
    let daemon = Daemon::ready(&world);
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(receiver.received().len(), 4);
    assert!(!log(&world).contains("s3cret"), "{}", log(&world));
    daemon.stop();
}

#[test]
fn a_monitor_hears_of_a_run_that_died() {
    let mut receiver = Receiver::start();
    let world = world(&format!("every = \"20d\"\nping = \"{}\"", receiver.url("/x")));
    fill(&world, 20_000);
    let daemon = Daemon::ready(&world);
    receiver.kill();
    post(&world, "/run", json!({ "names": ["sweep"] }));
    await_purge(&world, 20_000);
    // It is killed.
    drop(daemon);
    receiver.restart();
    let daemon = Daemon::ready(&world);
    let (paths, runs) = pings(&receiver, 2, &world);
    assert_eq!(paths, ["/x/start", "/x/fail"]);
    assert_eq!(runs[0], runs[1]);
    run(&world, "sweep");
    assert_eq!(pings(&receiver, 4, &world).0[2..], ["/x/start", "/x"]);
    await_waiting(&world, 0);
    daemon.stop();
}

#[test]
fn each_occasion_may_have_its_url() {
    let receiver = Receiver::start();
    let (started, up) = (receiver.url("/started"), receiver.url("/up?status=up"));
    let ping = format!("ping = {{ start = \"{started}\", success = \"{up}\", failure = \"\" }}");
    let world = world(&format!("every = \"20d\"\n{ping}"));
    fill(&world, 2);
    let daemon = Daemon::ready(&world);
    run(&world, "sweep");
    world.db.execute("ALTER TABLE item RENAME TO thing");
    run(&world, "sweep");
    world.db.execute("ALTER TABLE thing RENAME TO item");
    run(&world, "sweep");
    let (paths, _) = pings(&receiver, 5, &world);
    assert_eq!(paths, ["/started", "/up?status=up", "/started", "/started", "/up?status=up"]);
    daemon.stop();
}

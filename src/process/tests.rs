//! Real programs, well-behaved and not.

use std::path::PathBuf;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn shell<'a>(script: &'a str, limit: Duration) -> Program<'a> {
    let arguments = vec![OsStr::new("-c"), OsStr::new(script)];
    Program { program: Path::new("/bin/sh"), arguments, variables: Vec::new(), input: None, timeout: limit }
}

fn never() -> CancellationToken {
    CancellationToken::new()
}

async fn run(script: &str) -> ProcessEnd {
    shell(script, LONG).run(&never()).await
}

fn is_alive(pid: &str) -> bool {
    // The state follows the name, which stands in parentheses; a dead one that nobody has reaped yet is a Z.
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

fn wait_for(what: &str, is_true: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_true() {
        assert!(since.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The ids that a script writes to a file, one a line, once there are as many.
fn pids(file: &Path, count: usize) -> Vec<String> {
    let read = || -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(|line| line.trim().to_owned()).collect()
    };
    wait_for("the script writes its ids", || read().len() >= count);
    read()
}

/// A script that ignores SIGTERM, with a child that does so too; both write their ids.
fn stubborn(directory: &tempfile::TempDir) -> (PathBuf, String) {
    let file = directory.path().join("pids");
    let path = file.display();
    let script = format!(
        "trap '' TERM; echo $$ >> {path}; sh -c 'trap \"\" TERM; echo $$ >> {path}; while :; do sleep 1; done' & \
         while :; do sleep 1; done"
    );
    (file, script)
}

#[tokio::test]
async fn exit_code_and_last_words_are_reported() {
    let ended = run("echo 'first'; echo 'second' >&2; echo ' third ' >&2; echo >&2; exit 3").await;
    assert!(matches!(ended.ending, Ending::Exited(3)), "{ended:?}");
    assert_eq!(ended.describe(Path::new("/x")), "/x ended with exit code 3: second; third");
    let ended = run("echo only this; exit 1").await;
    assert_eq!(ended.last_words, "only this");
    let ended = run("echo 'cannot reach postgres://nvr:s3cret@db/nvr'; exit 1").await;
    assert_eq!(ended.describe(Path::new("/x")), "/x ended with exit code 1: cannot reach postgres://nvr:…@db/nvr");
    assert!(matches!(run("true").await.ending, Ending::Exited(0)));
}

#[tokio::test]
async fn a_signal_and_a_missing_program_are_told() {
    let ended = run("kill -9 $$").await;
    assert!(matches!(ended.ending, Ending::Signalled(9)), "{ended:?}");
    assert_eq!(ended.describe(Path::new("/x")), "/x was killed by signal 9");
    let program = Path::new("/no/such/program");
    let ended = Program { program, arguments: Vec::new(), ..shell("", LONG) }.run(&never()).await;
    assert!(matches!(&ended.ending, Ending::CouldNotStart(error) if error.kind() == io::ErrorKind::NotFound));
    assert!(ended.describe(program).starts_with("/no/such/program could not be run: No such file"), "{ended:?}");
}

#[tokio::test]
async fn only_given_variables_and_no_files_are_inherited() {
    let open = tempfile::NamedTempFile::new().unwrap();
    let mut command = Program { program: Path::new("/usr/bin/env"), arguments: Vec::new(), ..shell("", LONG) };
    command.variables.push(("RETAIND_HOOK", "before".to_owned()));
    assert!(std::env::vars().count() > 3, "there is something that could leak");
    let ended = command.run(&never()).await;
    let mut lines: Vec<&str> = ended.last_words.split("; ").collect();
    lines.sort_unstable();
    assert_eq!(lines, ["LANG=C.UTF-8", &format!("PATH={PATH}"), "RETAIND_HOOK=before"]);
    let find = format!("ls -l /proc/self/fd | grep -c '{}'", open.path().display());
    assert_eq!(run(&find).await.last_words, "0", "a file that is open here is not open there");
    assert_eq!(run("pwd").await.last_words, "/");
}

#[tokio::test]
async fn input_is_given_and_need_not_be_read() {
    let large = vec![b'x'; 3 << 20];
    let with = |script, input: &[u8]| Program { input: Some(input.to_vec()), ..shell(script, LONG) };
    assert_eq!(with("wc -c", &large).run(&never()).await.last_words, large.len().to_string());
    assert!(matches!(with("exec <&-; exit 0", &large).run(&never()).await.ending, Ending::Exited(0)));
    assert!(matches!(with("exec <&-; sleep 0.2; exit 7", &large).run(&never()).await.ending, Ending::Exited(7)));
    assert!(matches!(with("sleep 0.2", &large).run(&never()).await.ending, Ending::Exited(0)));
    assert_eq!(run("wc -c").await.last_words, "0");
}

#[tokio::test]
async fn a_flood_of_output_is_read_and_dropped() {
    let ended =
        run("head -c 10000000 /dev/zero | tr '\\0' 'y' | tee /dev/stderr; echo; echo the end >&2; exit 1").await;
    assert!(matches!(ended.ending, Ending::Exited(1)), "{ended:?}");
    assert!(ended.last_words.ends_with("the end") && ended.last_words.len() < 600, "{ended:?}");
    let mut tail = Tail::default();
    tail.keep(Some(&vec![b'z'; 100_000][..])).await;
    assert_eq!(tail.0.len(), KEPT_BYTES);
}

#[tokio::test]
async fn at_its_timeout_the_whole_group_goes() {
    let directory = tempfile::tempdir().unwrap();
    let (file, script) = stubborn(&directory);
    let since = Instant::now();
    let ended = shell(&script, Duration::from_secs(1)).run(&never()).await;
    assert!(matches!(ended.ending, Ending::TimedOut(_)), "{ended:?}");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(ended.describe(Path::new("/x")), "/x did not end within 1s and was killed");
    let pids = pids(&file, 2);
    wait_for("both are gone", || !pids.iter().any(|pid| is_alive(pid)));
}

#[tokio::test]
async fn a_program_that_ends_itself_is_given_time() {
    let script = "trap 'echo tidied up; exit 0' TERM; while :; do sleep 0.05; done 2> /dev/null";
    let ended = shell(script, Duration::from_millis(500)).run(&never()).await;
    assert!(matches!(ended.ending, Ending::TimedOut(_)), "{ended:?}");
    assert_eq!(ended.last_words, "tidied up");
    // One that is halted hears nothing but what wakes it.
    let since = Instant::now();
    let ended = shell("kill -STOP $$; exit 0", Duration::from_millis(200)).run(&never()).await;
    assert!(matches!(ended.ending, Ending::TimedOut(_)) && since.elapsed() < Duration::from_secs(3), "{ended:?}");
}

#[tokio::test]
async fn a_stop_ends_it_within_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let (file, script) = stubborn(&directory);
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let canceller = cancel.clone();
    let watcher = tokio::task::spawn_blocking(move || {
        let pids = pids(&file, 2);
        canceller.cancel();
        (pids, Instant::now())
    });
    let ended = shell(&script, LONG).run(&stop).await;
    let (pids, since) = watcher.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(matches!(ended.ending, Ending::Stopped), "{ended:?}");
    wait_for("both are gone", || !pids.iter().any(|pid| is_alive(pid)));
    let ended = shell("touch /proc/none/never", LONG).run(&stop).await;
    assert!(matches!(ended.ending, Ending::Stopped), "nothing starts after a stop: {ended:?}");
}

#[tokio::test]
async fn what_it_leaves_behind_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pids");
    let since = Instant::now();
    let ended = run(&format!("sleep 300 & echo $! > {}; echo done", file.display())).await;
    assert!(matches!(ended.ending, Ending::Exited(0)), "{ended:?}");
    assert!(since.elapsed() < Duration::from_secs(10), "its open pipe is not waited for: {:?}", since.elapsed());
    let pids = pids(&file, 1);
    wait_for("it is gone", || !is_alive(&pids[0]));
    // One that made itself a session of its own is out of reach, but holds nobody up.
    let ended = run(&format!("setsid sleep 300 & echo $! > {}; echo done", file.display())).await;
    assert_eq!((since.elapsed() < Duration::from_secs(10), ended.last_words.as_str()), (true, "done"));
    let pid = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    let _ = rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

#[tokio::test]
async fn a_dropped_process_takes_its_group_along() {
    let directory = tempfile::tempdir().unwrap();
    let (file, script) = stubborn(&directory);
    let running = tokio::spawn(async move { shell(&script, LONG).run(&never()).await });
    let pids = tokio::task::spawn_blocking(move || pids(&file, 2)).await.unwrap();
    running.abort();
    let _ = running.await;
    wait_for("both are gone", || !pids.iter().any(|pid| is_alive(pid)));
}

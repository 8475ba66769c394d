//! A program of the operator's, run to its end: without a shell, in an empty environment, in a process group of its own
//! that is gone when this is done. Decides nothing about what its exit code means.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, Interest};
use tokio::process::{Child, ChildStdin};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::text::without_passwords;

/// Directories in which programs are found by those that the operator names, whose own paths are absolute.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Bytes that are kept of the end of each output.
const KEPT_BYTES: usize = 4096;
/// Time that a group which was asked to end may take before it is killed; a run must stop within a second.
const GRACE: Duration = Duration::from_millis(500);
/// Time that a killed program may take to be gone; one that hangs in the kernel is left behind.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time for which the pipes of a program that has ended are read on; only one that left its group can still hold them.
const DRAIN: Duration = Duration::from_millis(200);

/// A program to be run once.
pub struct Program<'a> {
    /// An absolute path.
    pub program: &'a Path,
    pub arguments: Vec<&'a OsStr>,
    /// The environment beside PATH and LANG.
    pub variables: Vec<(&'static str, String)>,
    /// Standard input; `/dev/null` without.
    pub input: Option<Vec<u8>>,
    pub timeout: Duration,
}

/// Ending of a program.
#[derive(Debug)]
pub enum Ending {
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    TimedOut(Duration),
    CouldNotStart(io::Error),
    /// Whoever wanted it no longer does.
    Stopped,
}

/// Ending of a program, with its last words.
#[derive(Debug)]
pub struct ProcessEnd {
    pub ending: Ending,
    /// The last lines of its standard error, or else of its standard output, as one line.
    pub last_words: String,
}

impl Program<'_> {
    /// Runs the program until it ends, its time is up, or it is stopped. Then nothing of its process group is left.
    pub async fn run(self, stop: &CancellationToken) -> ProcessEnd {
        if stop.is_cancelled() {
            return ProcessEnd::without_words(Ending::Stopped);
        }
        let mut running = match self.start() {
            Ok(running) => running,
            Err(error) => return ProcessEnd::without_words(Ending::CouldNotStart(error)),
        };
        let (mut out, mut err) = (Tail::default(), Tail::default());
        let early = running.follow(&self, &mut out, &mut err, stop).await;
        let ending = match (early, running.reap().await) {
            (Some(early), _) => early,
            (None, Ok(status)) => Ending::of(status),
            (None, Err(error)) => Ending::CouldNotStart(error),
        };
        let last_words = Some(err.last_words()).filter(|words| !words.is_empty()).unwrap_or_else(|| out.last_words());
        ProcessEnd { ending, last_words }
    }

    fn start(&self) -> io::Result<Running> {
        let mut command = tokio::process::Command::new(self.program);
        command.args(&self.arguments).env_clear().env("PATH", PATH).env("LANG", "C.UTF-8");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        // Not where somebody happened to call retaind: a hook does the same for the daemon and for a person.
        command.current_dir("/").process_group(0).kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or_else(|| io::Error::other("the process has no id"))?;
        let group = Group(Some(pid));
        let exit = watch(pidfd_open(pid, PidfdFlags::empty())?)?;
        Ok(Running { group, exit, child })
    }
}

/// Registers a process's descriptor with the runtime. What the deprecation is about, a descriptor that changes or is
/// closed while it is registered, cannot happen: the returned value owns it, and an [`OwnedFd`] keeps its number.
#[allow(deprecated, reason = "safe for an OwnedFd, see above; its successor needs unsafe code")]
fn watch(process: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(process, Interest::READABLE)
}

/// A program in progress. Dropped before its end, it takes its group with it.
struct Running {
    // Dropped before the child: only while that is not reaped is its group's number certain to be its own.
    group: Group,
    /// Readable once the program has ended; unlike waiting for it, that does not reap it.
    exit: AsyncFd<OwnedFd>,
    child: Child,
}

impl Running {
    /// Feeds and reads the program to its end; the ending, where it is not the program's own. Then its group is killed,
    /// and the program is dead but not reaped.
    async fn follow(
        &mut self,
        command: &Program<'_>,
        out: &mut Tail,
        err: &mut Tail,
        stop: &CancellationToken,
    ) -> Option<Ending> {
        let Running { group, exit, child } = self;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let input = command.input.as_deref().unwrap_or_default();
        let talk = async { tokio::join!(feed(stdin, input), out.keep(stdout), err.keep(stderr)) };
        tokio::pin!(talk);
        let mut is_silent = false;
        let deadline = sleep(command.timeout);
        tokio::pin!(deadline);
        let early = loop {
            tokio::select! {
                biased;
                _ = exit.readable() => break None,
                () = stop.cancelled() => break Some(Ending::Stopped),
                () = &mut deadline => break Some(Ending::TimedOut(command.timeout)),
                _ = &mut talk, if !is_silent => is_silent = true,
            }
        };
        if early.is_some() {
            group.signal(Signal::TERM);
            // One that is stopped can't heed anything else.
            group.signal(Signal::CONT);
            let all_ended = async {
                let _ = exit.readable().await;
                if !is_silent {
                    talk.as_mut().await;
                    is_silent = true;
                }
            };
            let _ = timeout(GRACE, all_ended).await;
        }
        group.signal(Signal::KILL);
        let _ = timeout(PATIENCE, exit.readable()).await;
        if !is_silent {
            let _ = timeout(DRAIN, talk).await;
        }
        early
    }

    /// Status that the program left with; an error where even killing it did not end it.
    async fn reap(mut self) -> io::Result<ExitStatus> {
        let status = timeout(PATIENCE, self.child.wait()).await??;
        // From here its number may be another's.
        self.group.0 = None;
        Ok(status)
    }
}

/// The process group of a program, which has the program's id.
struct Group(Option<Pid>);

impl Group {
    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // Fails only where nobody is left to be told.
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Writes the input and closes it. A program need not read it.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

/// The end of an output.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Reads to the end, so that the program never waits for a reader, and keeps the last of it.
    async fn keep(&mut self, output: Option<impl AsyncRead + Unpin>) {
        let Some(mut output) = output else { return };
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = output.read(&mut buffer).await {
            self.0.extend_from_slice(&buffer[..count]);
            let excess = self.0.len().saturating_sub(KEPT_BYTES);
            self.0.drain(..excess);
        }
    }

    /// The last three lines that say something, as one.
    fn last_words(&self) -> String {
        const LINES: usize = 3;
        const CHARS: usize = 500;
        let text = String::from_utf8_lossy(&self.0);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let words = lines[lines.len().saturating_sub(LINES)..].join("; ");
        match words.chars().count().checked_sub(CHARS) {
            None | Some(0) => words,
            Some(excess) => format!("…{}", words.chars().skip(excess).collect::<String>()),
        }
    }
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        // A program that ended was either ended by a signal or has a code.
        match (status.code(), status.signal()) {
            (Some(code), _) => Ending::Exited(code),
            (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
        }
    }
}

impl ProcessEnd {
    fn without_words(ending: Ending) -> Self {
        Self { ending, last_words: String::new() }
    }

    /// Words on how `program` ended, with its last words; a password in a url that it quotes is left out.
    pub fn describe(&self, program: &Path) -> String {
        let program = program.display();
        let how = match &self.ending {
            Ending::Exited(code) => format!("{program} ended with exit code {code}"),
            Ending::Signalled(signal) => format!("{program} was killed by signal {signal}"),
            Ending::TimedOut(limit) => format!("{program} did not end within {limit:?} and was killed"),
            Ending::CouldNotStart(error) => format!("{program} could not be run: {error}"),
            Ending::Stopped => format!("{program} was ended because the run was stopped"),
        };
        if self.last_words.is_empty() { how } else { format!("{how}: {}", without_passwords(&self.last_words)) }
    }
}

#[cfg(test)]
mod tests;

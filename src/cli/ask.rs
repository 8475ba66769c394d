//! Questions to whoever sits at the terminal: the one way in which a command asks before it goes on.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::Context;
use futures_util::StreamExt;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;

/// True if there is somebody to ask: a script has no terminal.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Answer of a person whose signal reached a command that follows a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    Cancel,
    /// The daemon goes on with the run.
    Detach,
    GoOn,
}

/// Asks what to do with the run that is followed. Without a terminal it is cancelled.
pub async fn how_to_leave() -> anyhow::Result<Leave> {
    if !is_possible() {
        return Ok(Leave::Cancel);
    }
    let answer =
        answer_to("The daemon is at work: [c]ancel the run, [d]etach from it, or [g]o on following? [c/d/G]").await?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "c" | "cancel" => Leave::Cancel,
        "d" | "detach" => Leave::Detach,
        _ => Leave::GoOn,
    })
}

/// Asks on standard error and reads a line. Anything but y and yes is no: nothing at all, a closed terminal, Ctrl-C.
pub async fn is_confirmed(question: &str) -> anyhow::Result<bool> {
    let answer = answer_to(&format!("{question} [y/N]")).await?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The line that is answered; nothing where a signal comes instead.
async fn answer_to(question: &str) -> anyhow::Result<String> {
    // Once watched, as by a plan before the question, signals end no process by themselves.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    // A closed terminal answers nothing, which is no.
    let _ = write!(anstream::stderr(), "{question} ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = answer => answer.context("the question ended by a panic")?.context("the answer cannot be read")?,
        _ = signals.next() => String::new(),
    };
    if !answer.ends_with('\n') {
        // The question's line has no end yet.
        let _ = writeln!(anstream::stderr());
    }
    Ok(answer)
}

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

/// Asks on standard error and reads a line. Anything but y and yes is no: nothing at all, a closed terminal, Ctrl-C.
pub async fn is_confirmed(question: &str) -> anyhow::Result<bool> {
    // Once watched, as by a plan before the question, signals end no process by themselves.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    // A closed terminal answers nothing, which is no.
    let _ = write!(anstream::stderr(), "{question} [y/N] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let answer = tokio::select! {
        answer = answer => answer.context("the question ended by a panic")?.context("the answer cannot be read")?,
        _ = signals.next() => String::new(),
    };
    let is_yes = matches!(answer.trim().to_lowercase().as_str(), "y" | "yes");
    if !answer.ends_with('\n') {
        // The question's line has no end yet.
        let _ = writeln!(anstream::stderr());
    }
    Ok(is_yes)
}

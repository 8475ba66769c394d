//! Completion of the command line: a script that makes a shell ask this program, and the answer.

use std::ffi::OsString;
use std::io::Write;

use clap::CommandFactory;
use clap_complete::env::{CompleteEnv, Shells};

use super::args::Args;
use super::output::written;

/// Variable by which the script of a shell asks.
const ASKED: &str = "_COMPLETE_RETAIND";

/// Line that lets zsh, which reads the script when it first completes, answer that time as well.
const ZSH_FIRST: &[u8] = b"[[ $funcstack[1] == _retaind ]] && _clap_dynamic_completer_retaind \"$@\"\n";

/// Answers a shell that asks; false if none did.
pub fn answered(arguments: &[OsString]) -> bool {
    let env = CompleteEnv::with_factory(Args::command).var(ASKED);
    // A shell that is not known, or does not listen, gets no answer and no error.
    env.try_complete(arguments, std::env::current_dir().ok().as_deref()).unwrap_or(true)
}

/// Prints the completion script of a shell.
pub fn print_script(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell.to_string()) {
        completer.write_registration(ASKED, "retaind", "retaind", "retaind", &mut script)?;
    }
    if shell == clap_complete::Shell::Zsh {
        script.extend(ZSH_FIRST);
    }
    written(std::io::stdout().lock().write_all(&script))
}

//! Grammar of `token`, and its help.

use clap::{Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;

use super::candidates;

pub const HELP: &str = "\
Makes, lists and removes tokens. Whoever asks the daemon over TCP ([server] listen) shows one, as `Authorization: Bearer TOKEN`. \
A viewer sees everything, and starts and changes nothing; an operator does all that the socket allows. The audit and the record \
of a run have the name of the token and the address that it came from.

`add` prints the token once: only its hash is kept, in `tokens/` of the state directory. What is added or removed counts at once, \
also where the daemon runs. Where [server] listen is set and there is no token, the daemon does not start.";

pub const EXAMPLES: &str = "\
Examples:
  For a program that starts runs:
      sudo -u retaind retaind token add nightly --role operator
  For a dashboard; the token alone goes to standard output:
      sudo -u retaind retaind token add grafana --role viewer > grafana.token
  Who can ask?
      sudo -u retaind retaind token list
  It leaked:
      sudo -u retaind retaind token remove grafana";

/// Work on tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print it once
    Add {
        /// Its name, which the audit and the record of each run show
        #[arg(value_name = "NAME")]
        name: String,
        /// Its extent: to see, or also to start and change things
        #[arg(long, value_name = "ROLE")]
        role: RoleFlag,
    },
    /// List the tokens
    List,
    /// Remove a token, which lets nobody in from then on
    Remove {
        /// Its name
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::tokens))]
        name: String,
    },
}

/// Values of `token add --role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleFlag {
    /// Sees everything, and starts and changes nothing
    Viewer,
    /// Does everything that the socket allows
    Operator,
}

//! Grammar of `notify`, and its help.

use clap::Subcommand;
use clap_complete::engine::ArgValueCandidates;

use super::candidates;

pub const HELP: &str = "\
Sends a message to somebody whom the configuration has notified ([notify.NAME]), and says what came of it. The message says that it \
is a test. The daemon sends it, with the credentials that it has; where none answers, this command does.

Exit status: 0 it was taken, 1 it was not.";

pub const EXAMPLES: &str = "\
Examples:
  Before somebody relies on it:
      sudo -u retaind retaind notify test ops";

/// Work on notifications.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Send a message that says that it is a test
    Test {
        /// Destination of the configuration: [notify.NAME]
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::destinations))]
        name: String,
    },
}

//! Grammar of `pending`, and its help.

use clap::Subcommand;
use clap_complete::engine::ArgValueCandidates;

use super::candidates;

pub const HELP: &str = "\
Lists files whose rows are gone and that are still to be removed, the oldest first: since when, by which run and policy, and why \
they are still there. Like `retaind status` the list needs the state directory only. The daemon tries again when it starts, when a \
source comes back, and before the next run of the policy.

`retry` tries now, as such a run does: by the same checks, and never while a run has the policy. Files of one batch of rows are \
tried together. What a row names again stays, and so does what is not certainly the file of the row that went.

`forget` leaves a file alone: it is pending no more, and nothing removes it but an orphan scan or a row that comes to own it. It asks \
first, and the audit has it. While the daemon runs, it does both.

Exit status of retry: 0 nothing is pending any more of what was named, 3 some is, 4 all is.";

pub const EXAMPLES: &str = "\
Examples:
  What is pending, and why?
      sudo -u retaind retaind pending
  The disk is writable again:
      sudo -u retaind retaind pending retry thumbnails
  One file:
      sudo -u retaind retaind pending retry thumbnails/2025/11/a.jpg
  That one is to stay:
      sudo -u retaind retaind pending forget thumbnails/2025/11/a.jpg
  For a program:
      retaind pending --json | jq -r '.pending[] | [.store, .path, .reason] | @tsv'";

/// Work on pending files other than listing.
#[derive(Debug, Subcommand)]
pub enum PendingCommand {
    /// Try now to remove pending files
    Retry {
        /// A store, or a file as STORE/PATH; without it: all
        #[arg(value_name = "STORE|STORE/PATH", add = ArgValueCandidates::new(candidates::stores))]
        what: Option<String>,
    },
    /// Leave a pending file alone for good
    Forget {
        /// The file
        #[arg(value_name = "STORE/PATH")]
        file: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

//! Reports of the daemon's parts to its main loop.

use tokio::sync::mpsc;

use super::status_line::EndedRun;
use crate::policy::Name;
use crate::sources::SourceError;

/// Something that the main loop shows, or acts on.
#[derive(Debug)]
pub enum Report {
    /// A run began.
    Begun,
    /// A run ended. A policy failed on each of the `suspects`: perhaps they are down.
    Ended { last: Option<EndedRun>, suspects: Vec<Name> },
    /// A source was tried; an outcome of an earlier generation is stale.
    Tried { source: Name, generation: u64, outcome: Result<(), SourceError> },
    /// Unsettled batches were looked at; so many are kept for later.
    Recovered { kept: usize },
}

/// Sending end of the reports. Unbounded, so that a run never waits for the main loop; each sender has a few in it at most.
pub type Reports = mpsc::UnboundedSender<Report>;

//! The last start that failed, in a file of the state directory: the ledger may be what failed. Gone once a start succeeds.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::small_files::SmallFiles;
use crate::outcome::Notice;

const FILE: &str = "start-failed.json";

/// File of the last start that failed.
#[derive(Debug, Clone)]
pub struct StartFailures(SmallFiles);

/// A start that failed, and those who were told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportedFailure {
    /// All reasons.
    pub digest: String,
    pub notice: Notice,
    /// Names of the destinations.
    pub reported_to: Vec<String>,
}

impl StartFailures {
    /// That of a state directory.
    pub fn of(state_dir: &Path) -> Self {
        Self(SmallFiles::of(state_dir, "notices"))
    }

    /// The last start that failed, where none succeeded since; none also where the file cannot be read.
    pub fn last(&self) -> Option<ReportedFailure> {
        serde_json::from_slice(&self.0.read(FILE).ok()??).ok()
    }

    /// Notes a start that failed.
    pub fn note(&self, failure: &ReportedFailure) -> std::io::Result<()> {
        self.0.write(FILE, &serde_json::to_vec(failure)?)
    }

    /// Forgets it.
    pub fn forget(&self) -> std::io::Result<()> {
        self.0.remove(FILE).map(|_| ())
    }
}

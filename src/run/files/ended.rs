//! Reasons that a policy about a store ends before its end.

use super::reference_index::NamesError;
use crate::ledger::LedgerError;
use crate::policy::Name;
use crate::sources::SourceError;
use crate::stores::{TrashError, WalkError};

/// Reason that a policy about a store ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("stopped")]
    Stopped,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("another process has taken over the policy")]
    LeaseLost,
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Walk(WalkError),
    #[error(transparent)]
    Trash(#[from] TrashError),
    #[error("what was found cannot be kept in a temporary file")]
    Spool(#[source] std::io::Error),
    #[error("the room on the file system of store {store} is not known")]
    Space {
        store: Name,
        #[source]
        cause: std::io::Error,
    },
    #[error("it is not known which files are open")]
    Held(#[source] std::io::Error),
}

impl From<WalkError> for Ended {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Stopped => Ended::Stopped,
            error => Ended::Walk(error),
        }
    }
}

impl From<NamesError> for Ended {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::Stopped => Ended::Stopped,
            NamesError::Source(error) => Ended::Source(error),
        }
    }
}

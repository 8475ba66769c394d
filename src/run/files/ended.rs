//! Reasons that a policy about a store ends before its end.

use super::reference_index::NamesError;
use crate::ledger::LedgerError;
use crate::policy::Name;
use crate::sources::SourceError;
use crate::stores::{TrashError, WalkError};

/// Reason that a policy about a store ended before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum TreeEnd {
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

impl From<WalkError> for TreeEnd {
    fn from(error: WalkError) -> Self {
        match error {
            WalkError::Stopped => TreeEnd::Stopped,
            error => TreeEnd::Walk(error),
        }
    }
}

impl From<NamesError> for TreeEnd {
    fn from(error: NamesError) -> Self {
        match error {
            NamesError::Stopped => TreeEnd::Stopped,
            NamesError::Source(error) => TreeEnd::Source(error),
        }
    }
}

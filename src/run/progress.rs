//! Progress of a run, and its reports to whoever watches it.

use tokio::sync::watch;

use crate::outcome::{HookPoint, Tally};
use crate::policy::{Name, Policy};

/// Progress of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub policy: Option<Name>,
    /// The hook that runs instead of a policy.
    pub hook: Option<HookPoint>,
    /// Which policy of how many, from 1.
    pub position: (usize, usize),
    pub rows_done: u64,
    /// Where it was counted.
    pub rows_total: Option<u64>,
    pub files_deleted: u64,
    pub bytes_reclaimed: u64,
}

/// Reports how far one policy is to whoever watches.
pub(crate) struct Reporter {
    pub(super) sender: Option<watch::Sender<Progress>>,
}

impl Reporter {
    pub(super) fn new(sender: Option<watch::Sender<Progress>>, policy: &Policy, position: (usize, usize)) -> Self {
        if let Some(sender) = &sender {
            sender.send_replace(Progress { policy: Some(policy.name.clone()), position, ..Progress::default() });
        }
        Self { sender }
    }

    pub(super) fn expect(&self, rows_total: Option<u64>) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|progress| progress.rows_total = rows_total);
        }
    }

    pub(super) fn update(&self, tally: &Tally) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|progress| {
                progress.rows_done = tally.rows_matched;
                progress.files_deleted = tally.files_deleted;
                progress.bytes_reclaimed = tally.bytes_reclaimed;
            });
        }
    }
}

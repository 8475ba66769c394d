//! Progress of a run, and its reports to whoever watches it.

use std::time::Duration;

use tokio::sync::watch;

use super::meter::Metering;
use crate::outcome::{HookPoint, Tally, Wait};
use crate::policy::{Name, Policy};

/// Progress of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub policy: Option<Name>,
    /// The hook that runs instead of a policy.
    pub hook: Option<HookPoint>,
    /// Number of the policy, from 1, and of all of them.
    pub position: (usize, usize),
    pub rows_done: u64,
    /// Number of eligible rows, where they were counted.
    pub rows_total: Option<u64>,
    pub files_deleted: u64,
    pub bytes_reclaimed: u64,
    /// Reason for which it rests just now.
    pub waiting: Option<Wait>,
}

/// Reports how far one policy is to whoever watches, and what it takes to whoever measures.
pub(crate) struct Reporter {
    sender: Option<watch::Sender<Progress>>,
    metering: Metering,
    policy: Name,
}

impl Reporter {
    pub(super) fn new(
        (sender, metering): (Option<watch::Sender<Progress>>, &Metering),
        policy: &Policy,
        position: (usize, usize),
    ) -> Self {
        if let Some(sender) = &sender {
            sender.send_replace(Progress { policy: Some(policy.name.clone()), position, ..Progress::default() });
        }
        Self { sender, metering: metering.clone(), policy: policy.name.clone() }
    }

    /// Reports to nobody.
    pub(super) fn silent(policy: &Name) -> Self {
        Self { sender: None, metering: Metering::default(), policy: policy.clone() }
    }

    /// A batch was taken in that time.
    pub(super) fn batch(&self, took: Duration) {
        self.metering.batch(&self.policy, took);
    }

    /// Something of a batch is tried once more.
    pub(super) fn retry(&self) {
        self.metering.retry(&self.policy);
    }

    /// The policy rests, or goes on.
    pub(super) fn waits_for(&self, wait: Option<Wait>) {
        if let Some(sender) = &self.sender {
            sender.send_modify(|progress| progress.waiting = wait);
        }
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

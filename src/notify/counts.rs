//! Numbers of deliveries since the start of the daemon.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Deliveries to one destination.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    pub delivered: u64,
    /// Tries that failed.
    pub failed: u64,
    /// Messages that were given up.
    pub dropped: u64,
}

/// Deliveries by destination.
#[derive(Debug, Default)]
pub(super) struct AllCounts(Mutex<BTreeMap<String, DeliveryCounts>>);

impl AllCounts {
    pub(super) fn change(&self, destination: &str, change: impl FnOnce(&mut DeliveryCounts)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(destination.to_owned()).or_default());
    }

    pub(super) fn all(&self) -> Vec<(String, DeliveryCounts)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(destination, counts)| (destination.clone(), *counts)).collect()
    }
}

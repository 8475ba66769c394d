//! Policies that wait for a connection of a source: first every policy is estimated, then its eligible rows are
//! counted, and those in its scope in what time is left. Asks nothing itself.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::policy::{Policy, RowsPolicy};
use crate::report::PolicyStats;
use crate::sources::{Instants, Target};

/// A policy of rows that is asked about.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    /// Its place in the answer.
    pub position: usize,
    pub policy: &'a Policy,
    pub rows: &'a RowsPolicy,
}

/// The policies of one source, shared by its connections.
pub(super) struct Queue<'a> {
    waiting: Mutex<Waiting<'a>>,
    workers: usize,
    until: Instant,
}

struct Waiting<'a> {
    new: VecDeque<Candidate<'a>>,
    fitted: VecDeque<Fitted>,
    /// Those whose eligible rows were counted.
    counted: VecDeque<Fitted>,
}

/// Work that is to be done next.
pub(super) enum Work<'a> {
    Fit(Candidate<'a>),
    Count(Box<Fitted>),
    CountScope(Box<Fitted>),
}

/// A policy that was fitted to its tables, with its estimates.
pub(super) struct Fitted {
    /// Its place in the answer.
    pub position: usize,
    pub target: Target,
    pub at: Instants,
    pub stats: PolicyStats,
}

impl<'a> Queue<'a> {
    /// So many `workers` share the policies, and the time `until` then.
    pub fn new(policies: VecDeque<Candidate<'a>>, workers: usize, until: Instant) -> Self {
        let waiting = Mutex::new(Waiting { new: policies, fitted: VecDeque::new(), counted: VecDeque::new() });
        Self { waiting, workers: workers.max(1), until }
    }

    /// The next work, and the instant until when it may take.
    pub fn take(&self) -> Option<(Work<'a>, Instant)> {
        let mut waiting = self.waiting();
        let (work, others) = if let Some(candidate) = waiting.new.pop_front() {
            (Work::Fit(candidate), waiting.new.len() + waiting.fitted.len())
        } else if let Some(fitted) = waiting.fitted.pop_front() {
            (Work::Count(Box::new(fitted)), waiting.fitted.len())
        } else {
            (Work::CountScope(Box::new(waiting.counted.pop_front()?)), waiting.counted.len())
        };
        // What is left of the time, shared with those that wait for as much.
        let rounds = (others + 1).div_ceil(self.workers);
        let now = Instant::now();
        let left = self.until.saturating_duration_since(now);
        Some((work, now + left / u32::try_from(rounds).unwrap_or(u32::MAX)))
    }

    /// Hands in what is to be counted.
    pub fn push(&self, fitted: Fitted) {
        self.waiting().fitted.push_back(fitted);
    }

    /// Hands in a policy of which only the rows in its scope are to be counted.
    pub fn push_counted(&self, fitted: Fitted) {
        self.waiting().counted.push_back(fitted);
    }

    /// Nothing is half done while the lock is held, so what another worker died of does not matter.
    fn waiting(&self) -> MutexGuard<'_, Waiting<'a>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

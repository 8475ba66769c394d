//! Guards: whether a run may go on, judged from the facts alone.

use jiff::Timestamp;

use super::blocked::Blocked;
use crate::outcome::GuardReading;
use crate::policy::{RowsPolicy, Store};

/// Clocks further apart than this make every cutoff doubtful (D15).
pub const MAX_SKEW_SECS: f64 = 60.0;

/// Fewer paths than these say nothing of whether files are there.
const NAMED_AT_LEAST: u64 = 20;
/// Going of them that is nearly all.
const MISSING_SHARE: f64 = 0.95;

/// An approval that no run has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unused {
    pub id: i64,
    pub amount: u64,
    pub shown_at: Timestamp,
}

/// An amount that somebody has looked at and agreed to: no more goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Rows, or files of a store, that would have gone; none where something else sees to that no more goes.
    pub amount: Option<u64>,
    /// Instant as of which they would have.
    pub at: Timestamp,
    /// It takes the place of the guards on how much may go, rather than stand beside them.
    pub replaces_guards: bool,
}

impl From<Unused> for Looked {
    fn from(approval: Unused) -> Self {
        Self { amount: Some(approval.amount), at: approval.shown_at, replaces_guards: true }
    }
}

/// Readings of the guards.
#[derive(Default)]
pub struct Judged {
    pub readings: Vec<GuardReading>,
    /// The first reason that forbids the run.
    pub blocked: Option<Blocked>,
}

impl Judged {
    /// Reads a guard; beyond its limit it blocks.
    pub fn read(&mut self, guard: &str, value: f64, limit: f64, why: impl FnOnce() -> Blocked) {
        self.readings.push(GuardReading { guard: guard.to_owned(), value, limit });
        if value > limit {
            self.blocked.get_or_insert_with(why);
        }
    }

    /// Reads a guard that blocks at its limit already.
    pub fn read_up_to(&mut self, guard: &str, value: f64, limit: f64, why: impl FnOnce() -> Blocked) {
        self.readings.push(GuardReading { guard: guard.to_owned(), value, limit });
        if value >= limit {
            self.blocked.get_or_insert_with(why);
        }
    }

    /// Reads the guard that a look is: no more may go than was shown. True if no other on how much may go counts.
    fn read_looked(&mut self, looked: Option<Looked>, amount: u64, things: &'static str) -> bool {
        let Some(Looked { amount: Some(most), at: shown_at, replaces_guards }) = looked else { return false };
        let why = || Blocked::BeyondApproval { amount, things, shown_at, most };
        self.read("approved", amount as f64, most as f64, why);
        replaces_guards
    }

    /// Reads `max_files` and `max_fraction` of a policy about a store; an approval takes their place.
    pub fn read_share(
        &mut self,
        share: Going,
        max_files: Option<u64>,
        max_fraction: Option<f64>,
        looked: Option<Looked>,
    ) {
        let Going { going, of } = share;
        if self.read_looked(looked, going, "files") {
            return;
        }
        if let Some(most) = max_files {
            self.read("max_files", going as f64, most as f64, || Blocked::MaxFiles { going, most });
        }
        if let Some(most) = max_fraction {
            let share = fraction(going, of);
            self.read("max_fraction", share, most, || Blocked::MaxFilesFraction { going, of, share, most });
        }
    }
}

/// Counts for the guards of a policy about a store.
#[derive(Debug, Clone, Copy)]
pub struct Going {
    /// Number of things that may go.
    pub going: u64,
    /// Number that it is a share of.
    pub of: u64,
}

fn fraction(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

/// Facts that the guards judge by.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub skew_secs: f64,
    pub eligible: Option<u64>,
    pub total: Option<u64>,
}

/// Reads every guard of a policy of rows; an approval takes the place of those on how much may go.
pub fn judge(policy: &RowsPolicy, counts: Counts, looked: Option<Looked>) -> Judged {
    let mut judged = Judged::default();
    let skew = || Blocked::ClockSkew { source: policy.source.clone(), secs: counts.skew_secs, most: MAX_SKEW_SECS };
    judged.read("clock_skew_secs", counts.skew_secs, MAX_SKEW_SECS, skew);
    if judged.read_looked(looked, counts.eligible.unwrap_or(u64::MAX), "rows") {
        return judged;
    }
    if let (Some(most), Some(eligible)) = (policy.max_rows, counts.eligible) {
        let most = most.get();
        judged.read("max_rows", eligible as f64, most as f64, || Blocked::MaxRows { most });
    }
    if let (Some(most), Some(eligible), Some(total)) = (policy.max_fraction, counts.eligible, counts.total) {
        let (share, most, table) = (fraction(eligible, total), most.get(), policy.table.clone());
        judged.read("max_fraction", share, most, || Blocked::MaxRowsFraction { eligible, total, table, share, most });
    }
    judged
}

/// Reads whether the files that eligible rows name in a store are there; `missing` of `named` are not.
pub fn judge_presence(judged: &mut Judged, store: &Store, missing: u64, named: u64) {
    if named >= NAMED_AT_LEAST {
        let (store, root) = (store.name.clone(), store.root.clone());
        let why = || Blocked::FilesMissing { store, root, missing, named };
        judged.read_up_to("files_missing_fraction", fraction(missing, named), MISSING_SHARE, why);
    }
}

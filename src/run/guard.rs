//! Guards: whether a run may go on, judged from the facts alone.

use crate::ledger::{GuardReading, Held, Unused};
use crate::policy::RowsPolicy;

/// Clocks further apart than this make every cutoff doubtful (D15).
pub(super) const MAX_SKEW_SECS: f64 = 60.0;

/// Guards on how much may go.
const AMOUNTS: [&str; 4] = ["max_rows", "max_fraction", "max_files", "approved"];

/// What the guards read.
#[derive(Default)]
pub(super) struct Judged {
    pub(super) readings: Vec<GuardReading>,
    /// The first guard that forbids the run, in words.
    pub(super) blocked_by: Option<String>,
    /// What it waits for, where an operator's word is all that it needs.
    pub(super) held: Option<Held>,
    /// It is one on how much may go.
    pub(super) by_amount: bool,
}

impl Judged {
    /// Reads a guard; beyond its limit it blocks.
    pub(super) fn read(&mut self, guard: &str, value: f64, limit: f64, why: impl FnOnce() -> String) {
        self.readings.push(GuardReading { guard: guard.to_owned(), value, limit });
        if value > limit && self.blocked_by.is_none() {
            self.by_amount = AMOUNTS.contains(&guard);
            self.blocked_by = Some(why());
        }
    }

    /// Reads the guard that an approval is: no more may go than was shown.
    pub(super) fn read_approved(&mut self, approval: Unused, amount: u64, what: &str) {
        let Unused { amount: most, shown_at, .. } = approval;
        self.read("approved", amount as f64, most as f64, || {
            format!(
                "approved: {amount} {what} would go that were eligible at {shown_at:.0}, and {most} were shown when that was \
                 approved; see what they are with `retaind approve`"
            )
        });
    }

    /// Reads a guard that blocks at its limit already.
    pub(super) fn read_up_to(&mut self, guard: &str, value: f64, limit: f64, why: impl FnOnce() -> String) {
        self.readings.push(GuardReading { guard: guard.to_owned(), value, limit });
        if value >= limit {
            self.blocked_by.get_or_insert_with(why);
        }
    }
}

/// What the guards judge by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    pub(super) skew_secs: f64,
    pub(super) eligible: Option<u64>,
    pub(super) total: Option<u64>,
}

/// Reads every guard of a policy; with an approval, that takes the place of those on how much may go.
pub(super) fn judge(policy: &RowsPolicy, counts: Counts, approval: Option<Unused>) -> Judged {
    let mut judged = Judged::default();
    judged.read("clock_skew_secs", counts.skew_secs, MAX_SKEW_SECS, || {
        format!(
            "clock_skew: the clock of source {} is {:.0} s away from this machine's (at most {MAX_SKEW_SECS} s is \
             allowed), so no cutoff can be trusted; set the clocks right",
            policy.source, counts.skew_secs
        )
    });
    if let Some(approval) = approval {
        judged.read_approved(approval, counts.eligible.unwrap_or(u64::MAX), "rows");
        return judged;
    }
    if let (Some(most), Some(eligible)) = (policy.max_rows, counts.eligible) {
        judged.read(
            "max_rows",
            eligible as f64,
            most.get() as f64,
            || format!(
                "max_rows: more than {most} rows are eligible; see what they are with `retaind plan`, and why there are \
                 so many"
            ),
        );
    }
    if let (Some(most), Some(eligible), Some(total)) = (policy.max_fraction, counts.eligible, counts.total) {
        let share = if total == 0 { 0.0 } else { eligible as f64 / total as f64 };
        judged.read(
            "max_fraction",
            share,
            most.get(),
            || format!(
                "max_fraction: {eligible} of {total} rows of {} are eligible, a share of {share:.3}, and {} is the most; \
                 see what they are with `retaind plan`, and why there are so many",
                policy.table,
                most.get()
            ),
        );
    }
    judged
}

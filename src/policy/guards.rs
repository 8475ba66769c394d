//! Guards of two configurations of one policy: the stricter of each.

use std::num::NonZeroU64;

use super::{Fraction, Policy, PolicyKind};

/// More than any table or store has.
const MOST: u64 = 1 << 62;

impl Policy {
    /// The policy with the guards of another configuration of it where these stop it earlier.
    #[must_use]
    pub fn guarded_like(&self, other: &Policy) -> Self {
        let mut guarded = self.clone();
        guarded.max_growth = self.max_growth.min(other.max_growth);
        match (&mut guarded.kind, &other.kind) {
            (PolicyKind::Rows(rows), PolicyKind::Rows(other)) => {
                rows.max_rows = fewer(rows.max_rows, other.max_rows);
                rows.max_fraction = smaller(rows.max_fraction, other.max_fraction);
            }
            (PolicyKind::Files(files), PolicyKind::Files(other)) => {
                files.max_files = fewer(files.max_files, other.max_files);
                files.max_fraction = smaller(files.max_fraction, other.max_fraction);
            }
            (PolicyKind::Orphans(orphans), PolicyKind::Orphans(other)) => {
                orphans.max_files = fewer(orphans.max_files, other.max_files);
                orphans.max_fraction =
                    smaller(Some(orphans.max_fraction), Some(other.max_fraction)).unwrap_or(orphans.max_fraction);
            }
            (PolicyKind::Rows(_) | PolicyKind::Files(_) | PolicyKind::Orphans(_), _) => {}
        }
        guarded
    }

    /// The policy with guards on how much may go that never say no.
    #[must_use]
    pub fn without_guards(&self) -> Self {
        let mut free = self.clone();
        let most = NonZeroU64::new(MOST);
        match &mut free.kind {
            PolicyKind::Rows(rows) => {
                rows.max_rows = most;
                rows.max_fraction = rows.max_fraction.and(Fraction::new(1.0));
            }
            PolicyKind::Files(files) => {
                files.max_files = most;
                files.max_fraction = files.max_fraction.and(Fraction::new(1.0));
            }
            PolicyKind::Orphans(orphans) => {
                orphans.max_files = most;
                orphans.max_fraction = Fraction::new(1.0).unwrap_or(orphans.max_fraction);
            }
        }
        free
    }
}

fn fewer(one: Option<NonZeroU64>, other: Option<NonZeroU64>) -> Option<NonZeroU64> {
    one.into_iter().chain(other).min()
}

fn smaller(one: Option<Fraction>, other: Option<Fraction>) -> Option<Fraction> {
    one.into_iter().chain(other).min_by(|one, other| one.get().total_cmp(&other.get()))
}

//! `at_most`: the rows that one run takes. What is left of those that are eligible is the next run's.

use super::deleter::{Deleter, Part};
use super::ended::RowsEnd;

/// A window with fewer rows than this share of what may still be taken is taken as it is: rows that become eligible in it
/// meanwhile do not make it too large.
const AMPLE: u64 = 2;

impl Deleter<'_> {
    /// Rows that this run may still take; none where it may take any number.
    fn rows_left(&self) -> Option<u64> {
        let taken = self.account.tally.rows_deleted + self.account.tally.rows_updated;
        self.policy.at_most.map(|most| most.get().saturating_sub(taken))
    }

    /// True if so many windows may be taken as they are.
    pub(crate) fn has_room_for(&self, windows: u64) -> bool {
        let rows = u64::from(self.policy.batch.get());
        self.rows_left().is_none_or(|left| left >= windows * rows * AMPLE)
    }

    /// Takes a part, or as much of it as is left for this run; the first row that is too many ends the run.
    pub(crate) async fn take_share(&mut self, part: Part<'_>, last_try: bool) -> Result<(), RowsEnd> {
        if self.has_room_for(1) {
            return self.take_part(&part, last_try).await;
        }
        let window = part.window;
        let mut keys = match part.keys {
            Some(keys) => keys,
            None => self.remaining(&part).await?.into_iter().map(|row| row.key).collect(),
        };
        while !keys.is_empty() {
            let left = self.rows_left().unwrap_or(u64::MAX);
            if left == 0 {
                self.account.more_to_do = true;
                return Err(RowsEnd::Enough);
            }
            let rest = keys.split_off(keys.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            // Not all of them have to go: others of their table may need them, or somebody has locked them.
            self.take_part(&Part { window, keys: Some(keys) }, last_try).await?;
            keys = rest;
        }
        Ok(())
    }
}

//! Other sessions at work beside this one, as far as the engine lets anybody know.

use std::collections::BTreeSet;

use super::Session;
use crate::sources::SourceError;

impl Session {
    /// True if others have been at work since this was last asked; the first answer is no. To be asked between two
    /// batches, while no other connection of the run is in a statement.
    ///
    /// PostgreSQL shows which transactions are in progress just now, MySQL how many sessions are in a statement, SQLite
    /// whether somebody else has written. One that is in a transaction for long and does nothing is no sign.
    pub async fn others_at_work(&mut self) -> Result<bool, SourceError> {
        let mut sql = self.sql();
        sql.push(self.traits().others);
        let rows = self.query("asking whether other sessions are at work", &sql).await?;
        let signs: BTreeSet<String> =
            rows.into_iter().filter_map(|row| row.0.into_iter().flatten().next_back()).collect();
        if self.traits().others_are_counted {
            // This session is one of them.
            return Ok(signs.iter().any(|count| count.parse::<u64>().is_ok_and(|count| count > 1)));
        }
        let before = self.others.replace(signs.clone());
        Ok(before.is_some_and(|before| !signs.is_subset(&before)))
    }
}

//! Asking again about rows that were selected: which of them are eligible still, and which are there still.

use std::collections::HashSet;

use super::batch::locking;
use super::node::OwnedRow;
use super::scope::{KEYS_AT_ONCE, Scope};
use super::target::Target;
use crate::sources::sql::instants::Instants;
use crate::sources::{Session, SourceError};

impl Target {
    /// Those of some locked rows that are eligible as of now.
    pub(crate) async fn still_eligible(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
        locked: Vec<OwnedRow>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let mut eligible = Vec::with_capacity(locked.len());
        for some in locked.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let mut sql = self.node.selecting(self.engine);
            self.push_scope(&mut sql, at, Scope { keys: Some(&keys), ..scope }, &[]);
            sql.push(locking(self.engine, false));
            let asking = format!("asking again about a batch of {}", self.node.table);
            eligible.extend(self.node.rows(session, &asking, &sql).await?);
        }
        Ok(eligible)
    }

    /// Keys of those of `rows` that are still eligible.
    pub(crate) async fn still_due(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
        rows: &[OwnedRow],
    ) -> Result<HashSet<Vec<String>>, SourceError> {
        let mut due = HashSet::new();
        for some in rows.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let listed = self.list(session, at, Scope { keys: Some(&keys), ..scope }, &[], None).await?;
            due.extend(listed.into_iter().map(|row| row.key));
        }
        Ok(due)
    }

    /// Keys of those of `rows` that the table still has.
    pub(crate) async fn among(
        &self,
        session: &mut Session,
        rows: &[OwnedRow],
    ) -> Result<HashSet<Vec<String>>, SourceError> {
        let mut left = HashSet::new();
        for some in rows.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let mut sql = self.node.selecting(self.engine);
            self.node.key.push_among(&mut sql, &keys);
            let asking = format!("looking for kept rows of {}", self.node.table);
            left.extend(self.node.rows(session, &asking, &sql).await?.into_iter().map(|row| row.key));
        }
        Ok(left)
    }
}

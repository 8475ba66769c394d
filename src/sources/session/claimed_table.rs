//! The table that a session has claimed: taken with each transaction, given back with it.

use super::Session;
use super::table_lock::{Claim, Refusal};
use crate::policy::TableName;
use crate::sources::{ErrorKind, SourceError};

impl Session {
    /// Lets the transactions to come change the rows of a table, as nobody else's may meanwhile: [`ErrorKind::InUse`]
    /// where somebody else has it, here on SQLite and with each transaction on the servers.
    pub async fn claim(&mut self, table: &TableName) -> Result<(), SourceError> {
        if self.claim.as_ref().is_some_and(|claim| claim.table == *table) {
            return Ok(());
        }
        self.claim = None;
        match Claim::new(&self.endpoint, table) {
            Ok(claim) => self.claim = Some(claim),
            Err(Refusal::InUse) => return Err(self.in_use(table)),
            Err(Refusal::Failed(cause)) => {
                let operation = format!("locking the file beside the database for table {table}");
                return Err(self.error(&operation, ErrorKind::Other, Box::new(cause)));
            }
        }
        Ok(())
    }

    /// Gives the table back.
    pub fn unclaim(&mut self) {
        self.claim = None;
    }

    /// Why nothing keeps another retaind from a table while this one changes it, if so (SQLite).
    pub fn cannot_lock_out_others(&self) -> Option<String> {
        let path = self.endpoint.path()?;
        let directory = path.parent()?;
        let refused = rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_err();
        refused.then(|| {
            format!(
                "no lock file can be made beside {}: another retaind could work on its tables at the same time",
                path.display()
            )
        })
    }

    pub(super) fn in_use(&self, table: &TableName) -> SourceError {
        let cause = "another retaind, with another state directory, is working on the table; what is left goes with a \
                     later run";
        self.error(&format!("taking table {table} for this run alone"), ErrorKind::InUse, cause.into())
    }

    /// MySQL: takes the lock of the claimed table.
    pub(super) async fn take_lock(&mut self) -> Result<(), SourceError> {
        let Some(claim) = &self.claim else { return Ok(()) };
        let (table, taking, mut sql) = (claim.table.clone(), claim.taking(self.engine), self.sql());
        if taking.is_empty() {
            return Ok(());
        }
        sql.push(&taking);
        let rows = self.query("taking the lock of the table", &sql).await?;
        self.holds_lock = rows.first().and_then(|row| row.0.first()).is_some_and(|had| had.as_deref() == Some("1"));
        if self.holds_lock { Ok(()) } else { Err(self.in_use(&table)) }
    }

    /// MySQL: gives the lock back; where that fails the connection is given up, and the lock with it.
    pub(super) async fn give_lock_back(&mut self) {
        if !std::mem::take(&mut self.holds_lock) || self.closed {
            return;
        }
        let Some(statement) = self.claim.as_ref().map(|claim| claim.giving_back(self.engine)) else { return };
        self.closed |= self.batch("giving the lock of the table back", &statement).await.is_err();
    }
}

//! Memory of the configuration that a daemon works by: what a reload would change can be told without asking it.

use diesel::prelude::*;

use super::schema::facts;
use super::{Ledger, LedgerError};
use crate::policy::Written;

/// Fact that is the configuration in force, in words.
const IN_FORCE: &str = "in_force";

impl Ledger {
    /// Notes the configuration that comes into force, at a daemon's start or reload.
    pub async fn note_in_force(&self, written: &Written) -> Result<(), LedgerError> {
        let written = written.clone();
        self.call("recording the configuration in force", move |connection, _| {
            let fact = (facts::name.eq(IN_FORCE), facts::value.eq(serde_json::to_string(&written)?));
            diesel::replace_into(facts::table).values(fact).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// The configuration that the last daemon worked by; none where no daemon has ever run.
    pub async fn in_force(&self) -> Result<Option<Written>, LedgerError> {
        self.call("reading the configuration in force", move |connection, _| {
            let row: Option<String> =
                facts::table.find(IN_FORCE).select(facts::value).get_result(connection).optional()?;
            Ok(row.as_deref().map(serde_json::from_str).transpose()?)
        })
        .await
    }
}

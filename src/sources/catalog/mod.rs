//! Facts about a table, read from the catalog; each engine's way of telling them is in a file of its own.

mod foreign_key;
mod indexes;
mod listing;
mod mysql;
mod postgres;
mod privileges;
mod raw_index;
mod sqlite;
mod table;

pub use foreign_key::{ForeignKeyAction, InboundForeignKey};
pub use indexes::{MissingIndex, missing_indexes};
pub use privileges::{Privilege, Privileges, RefusedLogin};
pub use table::{Column, IndexFacts, TableFacts, is_named};

use super::{Session, SourceError};
use crate::policy::{Engine, Ident, TableName};

/// Calls a function of the file of the session's engine.
macro_rules! of_engine {
    ($session:ident, $function:ident($($argument:expr),*)) => {
        match $session.engine() {
            Engine::Postgres => postgres::$function($session, $($argument),*).await,
            Engine::MySql => mysql::$function($session, $($argument),*).await,
            Engine::Sqlite => sqlite::$function($session, $($argument),*).await,
        }
    };
}

impl TableFacts {
    /// Reads them; `None` where there is no such relation (or none that this login may see).
    pub async fn load(session: &mut Session, table: &TableName) -> Result<Option<Self>, SourceError> {
        of_engine!(session, load(table))
    }
}

impl InboundForeignKey {
    /// Reads those that point to the table, as far as this login may see them. MySQL looks at every table for it, so
    /// this is no question for each batch.
    pub async fn load(session: &mut Session, table: &TableFacts) -> Result<Vec<Self>, SourceError> {
        of_engine!(session, inbound(table))
    }
}

impl Privileges {
    /// Asks the server (SQLite: whether the file and its directory may be written). Not within a transaction: on MySQL
    /// a refusal would spoil it.
    pub async fn load(session: &mut Session, table: &TableFacts) -> Result<Self, SourceError> {
        of_engine!(session, privileges(table))
    }

    /// Those of `columns` that the login may not set, though it may perhaps set others. Not within a transaction.
    pub async fn columns_not_set(
        session: &mut Session,
        table: &TableFacts,
        columns: &[Ident],
    ) -> Result<Vec<Ident>, SourceError> {
        let mut missing = Vec::new();
        for column in columns {
            if !of_engine!(session, may_set(table, column))? {
                missing.push(column.clone());
            }
        }
        Ok(missing)
    }
}

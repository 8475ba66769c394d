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
pub use privileges::{Privilege, Privileges};
pub use table::{Column, ColumnType, IndexFacts, TableFacts, is_named};

use super::{Session, SourceError};
use crate::policy::{Engine, TableName};

impl TableFacts {
    /// Reads them; `None` where there is no such relation (or none that this login may see).
    pub async fn load(session: &mut Session, table: &TableName) -> Result<Option<Self>, SourceError> {
        match session.engine() {
            Engine::Postgres => postgres::load(session, table).await,
            Engine::MySql => mysql::load(session, table).await,
            Engine::Sqlite => sqlite::load(session, table).await,
        }
    }
}

impl InboundForeignKey {
    /// Reads those that point to the table, as far as this login may see them. MySQL looks at every table for it, so
    /// this is no question for each batch.
    pub async fn load(session: &mut Session, table: &TableFacts) -> Result<Vec<Self>, SourceError> {
        match session.engine() {
            Engine::Postgres => postgres::inbound(session, table).await,
            Engine::MySql => mysql::inbound(session, table).await,
            Engine::Sqlite => sqlite::inbound(session, table).await,
        }
    }
}

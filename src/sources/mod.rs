//! Reads and deletes rows in the operator's databases: the only code that sends them a statement.

mod catalog;
mod error;
mod session;
mod tls;

pub use catalog::{Column, ColumnType, IndexFacts, Privileges, TableFacts};
pub use error::{ErrorKind, SourceError};
pub use session::{Canceller, Returning, Session, Sql, TextRow, TransactionOutcome};

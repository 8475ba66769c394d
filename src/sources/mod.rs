//! Reads and deletes rows in the operator's databases: the only code that sends them a statement.

mod age;
mod catalog;
mod dialect;
mod error;
mod outcome;
mod references;
mod rows;
mod session;
mod target;
mod tls;
mod walk;

pub use age::Age;
pub use catalog::{Column, ColumnType, InboundForeignKey, IndexFacts, OnDelete, Privilege, Privileges, TableFacts};
pub use dialect::Term;
pub use error::{ErrorKind, SourceError};
pub use outcome::{transaction_mark, transaction_outcome};
pub use references::{OddNames, ReferenceColumn};
pub use rows::{Gone, KEYS_AT_ONCE, OwnedRow, Scope};
pub use session::{Canceller, Returning, Session, Sql, TextRow, TransactionOutcome};
pub use target::{Instants, Target, Unfit};
pub use walk::{Walker, Window};

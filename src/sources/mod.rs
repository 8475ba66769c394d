//! Reads and deletes rows in the operator's databases: the only code that sends them a statement.

mod age;
mod catalog;
mod condition;
mod dialect;
mod doubt;
mod error;
mod fit;
mod gone;
mod node;
mod outcome;
mod parts;
mod references;
mod rows;
mod session;
mod take;
mod target;
mod tls;
mod walk;

pub use age::Age;
pub use catalog::{Column, ColumnType, InboundForeignKey, IndexFacts, OnDelete, Privilege, Privileges, TableFacts};
pub use dialect::Term;
pub use doubt::Unreadable;
pub use error::{ErrorKind, SourceError};
pub use fit::{Asked, Unfit};
pub use gone::Gone;
pub use node::{Claim, ClaimedPath, FileOwner, Node, OwnedRow};
pub use outcome::{transaction_mark, transaction_outcome};
pub use parts::Refused;
pub use references::{NamedBy, OddNames, ReferenceColumn};
pub use rows::{KEYS_AT_ONCE, Scope};
pub use session::{Canceller, Returning, Session, Sql, TextRow, TransactionOutcome};
pub use take::Batch;
pub use target::{Instants, Target};
pub use walk::{Walker, Window};

//! Reads and deletes rows in the operator's databases: the only code that sends them a statement.

mod age;
mod catalog;
mod error;
mod references;
mod rows;
mod session;
mod sql;
mod statement;

pub use age::Age;
pub use catalog::{
    Column, ForeignKeyAction, InboundForeignKey, IndexFacts, MissingIndex, Privilege, Privileges, RefusedLogin,
    TableFacts, is_named, missing_indexes,
};
pub use error::{ErrorKind, SourceError};
pub use references::holders::Unusual;
pub use references::sample::Sampled;
pub use references::scan::{NamedPath, Naming, Rows};
pub use references::still_named::{NamedBy, ReferenceColumn};
pub use rows::assumed_gone::Gone;
pub use rows::batch::{Batch, Stayed};
pub use rows::dependents::Following;
pub use rows::detail::AskedDetails;
pub use rows::estimate::Oldest;
pub use rows::explain::{AskedRow, Judgement, RowId, WhichRow};
pub use rows::failing_rows::Unjudged;
pub use rows::node::{Claim, ClaimedFile, FileOwner, Node, OwnedRow, Unmapped};
pub use rows::resolve::{ResolveInput, Unfit};
pub use rows::row_tree::TREE_ROWS_AT_ONCE;
pub use rows::scope::{Counted, KEYS_AT_ONCE, Scope};
pub use rows::sql_check::Refused;
pub use rows::target::Target;
pub use rows::time_independence::typed_form_hint;
pub use rows::triggers::Veto;
pub use rows::unreadable::{SampledAges, Unreadable};
pub use rows::window::Window;
pub use rows::windows::Walker;
pub use session::{Canceller, PathSchema, Reader, Returning, Session, TextRow, TransactionOutcome, Usage};
pub use sql::dialect::ColumnType;
pub use sql::instants::Instants;
pub use sql::term::Term;
pub use statement::Sql;

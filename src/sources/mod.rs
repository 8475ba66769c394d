//! Reads and deletes rows in the operator's databases: the only code that sends them a statement.

mod age;
mod asking;
mod catalog;
mod condition;
mod dialect;
mod doubt;
mod error;
mod estimate;
mod fit;
mod following;
mod fragment;
mod gone;
mod judging;
mod lookup;
mod namers;
mod naming;
mod node;
mod outcome;
mod parentage;
mod parts;
mod pointing;
mod references;
mod relatives;
mod rows;
mod sample;
mod session;
mod take;
mod target;
mod timeless;
mod tls;
mod tokens;
mod tree;
mod unmapped;
mod veto;
mod walk;
mod why;
mod written;

pub use age::{Age, AgeValue};
pub use catalog::{
    Column, ColumnType, InboundForeignKey, IndexFacts, MissingIndex, OnDelete, Privilege, Privileges, TableFacts,
    missing_indexes,
};
pub use dialect::Term;
pub use doubt::{SampledAges, Unreadable};
pub use error::{ErrorKind, SourceError};
pub use estimate::Oldest;
pub use fit::{Asked, Unfit};
pub use following::Following;
pub use gone::Gone;
pub use judging::Unjudged;
pub use namers::Unusual;
pub use naming::{NamedPath, Naming, Rows};
pub use node::{Claim, ClaimedFile, FileOwner, Node, OwnedRow, Unmapped};
pub use outcome::{transaction_mark, transaction_outcome};
pub use parts::Refused;
pub use references::{NamedBy, ReferenceColumn};
pub use rows::{Counted, KEYS_AT_ONCE, Scope};
pub use sample::Sampled;
pub use session::{Canceller, PathSchema, Reader, Returning, Session, Sql, TextRow, TransactionOutcome};
pub use take::{Batch, Stayed};
pub use target::{Instants, Target};
pub use timeless::{Timeless, typed_form_hint};
pub use tree::TREE_ROWS_AT_ONCE;
pub use veto::Veto;
pub use walk::{Walker, Window};
pub use why::{AskedRow, JudgedAge, Judgement, Keeper, RowId, WhichRow, is_named};

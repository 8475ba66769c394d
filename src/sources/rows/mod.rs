//! Decides which rows of a policy go and deletes them: the policy resolved against its tables, its windows, its statements.

pub(super) mod asked_details;
pub(super) mod assumed_gone;
pub(super) mod batch;
pub(super) mod children;
pub(super) mod dependents;
pub(super) mod detail;
pub(super) mod eligibility;
pub(super) mod estimate;
pub(super) mod explain;
pub(super) mod failing_rows;
pub(super) mod key_equality;
mod layout;
pub(super) mod node;
pub(super) mod parent_keys;
pub(super) mod recheck;
pub(super) mod resolve;
pub(super) mod row_tree;
pub(super) mod scope;
pub(super) mod sql_check;
pub(super) mod statements;
pub(super) mod target;
pub(super) mod time_independence;
pub(super) mod triggers;
pub(super) mod unmapped;
pub(super) mod unreadable;
pub(super) mod window;
pub(super) mod windows;

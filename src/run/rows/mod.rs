//! Runs a policy of rows: its facts, its plan, its batches and how each is committed.

pub(super) mod commit;
pub(super) mod deferred;
pub(super) mod delete;
pub(super) mod deleter;
pub(super) mod details;
pub(super) mod ended;
pub(super) mod enforce;
pub(super) mod facts;
pub(super) mod generations;
pub(super) mod guards;
pub(super) mod not_deleted;
pub(super) mod plan;
pub(super) mod presence;
pub(super) mod preview;
pub(super) mod purge_hold;
pub(super) mod retry;
mod table_turns;
pub(super) mod unreadable;

//! Runs a policy of rows: its facts, its plan, its batches and how each is committed.

pub(super) mod commit;
pub(super) mod deferred;
pub(super) mod delete;
pub(super) mod deleter;
pub(super) mod details;
mod durable;
pub(super) mod ended;
pub(super) mod enforce;
pub(super) mod facts;
pub(super) mod generations;
pub(super) mod guards;
mod lanes;
pub(super) mod not_deleted;
mod pacing;
pub(super) mod plan;
pub(super) mod presence;
pub(super) mod preview;
pub(super) mod purge_hold;
mod rests;
pub(super) mod retry;
mod share;
mod table_turns;
pub(super) mod unreadable;

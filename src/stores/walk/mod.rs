//! Walks a store in parallel and reports everything in it that is not a directory.

pub(super) mod queue;
pub(super) mod range;
pub(super) mod visitor;
pub(super) mod worker;

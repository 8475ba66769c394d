//! Runs the operator's programs: hooks of tasks, and commands that say whether work is still going on.

pub(super) mod hooks;
pub(super) mod liveness;

//! Keeps what a run removed for a time, and puts it back on request.

pub(super) mod bin;

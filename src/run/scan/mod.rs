//! Walking a store to find what may go: what policies of files and of orphans have in common.

pub(super) mod fingerprints;
pub(super) mod names;
pub(super) mod spool;

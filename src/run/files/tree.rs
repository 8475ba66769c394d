//! A policy about a store, and its lease.

use crate::ledger::{Lease, Ledger};
use crate::policy::{FilesPolicy, Name, OrphansPolicy};

/// A policy about a store.
#[derive(Clone, Copy)]
pub(in crate::run) enum Tree<'a> {
    Files(&'a FilesPolicy),
    Orphans(&'a OrphansPolicy),
}

impl Tree<'_> {
    pub(super) fn store(&self) -> &Name {
        match self {
            Tree::Files(policy) => &policy.store,
            Tree::Orphans(policy) => &policy.store,
        }
    }
}

/// Lease of the policy, and the ledger that says whether it is still ours.
#[derive(Clone, Copy)]
pub(in crate::run) struct Holding<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) lease: &'a Lease,
}

//! A directory that a removal is in, with what it has to know until it is out again. Does nothing by itself.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::Statx;

use super::beneath::Imprint;
use super::facts::nanoseconds;
use super::listing::Names;
use super::marks::Marks;

/// A directory on the way down.
pub(super) struct Frame<'a> {
    /// Where its name begins in the walk's path.
    pub(super) name_at: usize,
    /// The innermost have one.
    pub(super) handle: Option<Rc<OwnedFd>>,
    /// Where its files are moved to, if they are and the first was.
    pub(super) target: Option<Rc<OwnedFd>>,
    pub(super) imprint: Imprint,
    /// When something last came or went in it, in nanoseconds since 1970.
    pub(super) changed_ns: i128,
    /// Nothing was ever found in it.
    pub(super) empty: bool,
    pub(super) marks: Option<&'a Marks>,
    /// What would go from it was counted elsewhere.
    pub(super) counted: bool,
    /// The directories in it that are still to be entered.
    pub(super) inner: Names,
    pub(super) readings: u32,
    /// A name went from it.
    pub(super) touched: bool,
    /// Something in it stays, and so it does.
    pub(super) stays: bool,
}

impl<'a> Frame<'a> {
    pub(super) fn new(name_at: usize, handle: OwnedFd, facts: &Statx, marks: Option<&'a Marks>, counted: bool) -> Self {
        Self {
            name_at,
            handle: Some(Rc::new(handle)),
            target: None,
            imprint: Imprint::new(facts),
            changed_ns: nanoseconds(&facts.stx_mtime),
            empty: true,
            marks,
            counted,
            inner: Names::default(),
            readings: 1,
            touched: false,
            stays: false,
        }
    }
}

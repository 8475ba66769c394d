//! A directory that a removal is in, with what it has to know until it is out again. Does nothing by itself.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::Statx;

use super::exclusions::Marks;
use crate::stores::dir_reader::Names;
use crate::stores::metadata::nanoseconds;
use crate::stores::root::Imprint;

/// A directory on the way down.
pub(crate) struct Frame<'a> {
    /// Position at which its name begins in the walk's path.
    pub(crate) name_at: usize,
    /// The innermost have one.
    pub(crate) handle: Option<Rc<OwnedFd>>,
    /// Place that its files are moved to, if they are and the first was.
    pub(crate) target: Option<Rc<OwnedFd>>,
    pub(crate) imprint: Imprint,
    /// When something last came or went in it, in nanoseconds since 1970.
    pub(crate) changed_ns: i128,
    /// Nothing was ever found in it.
    pub(crate) empty: bool,
    pub(crate) marks: Option<&'a Marks>,
    /// Set if what would go from it was counted elsewhere.
    pub(crate) counted: bool,
    /// The directories in it that are still to be entered.
    pub(crate) inner: Names,
    pub(crate) readings: u32,
    /// A name went from it.
    pub(crate) touched: bool,
    /// Something in it stays, and so it does.
    pub(crate) stays: bool,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(name_at: usize, handle: OwnedFd, facts: &Statx, marks: Option<&'a Marks>, counted: bool) -> Self {
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

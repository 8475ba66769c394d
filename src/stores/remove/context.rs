//! Context of a removal: the root, the options, and the one step in which a name goes in whatever way was chosen.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Statx};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::hard_links::Links;
use super::rename::{Destination, Unmoved};
use crate::stores::root::Root;
use crate::stores::sys::unlink;
use crate::stores::{Look, Outcome};

/// On what terms things go.
pub(crate) struct RemovalOptions {
    pub(crate) act: Act,
    pub(crate) durable: Durable,
    pub(crate) decided_at: Timestamp,
    /// Heeded in directories only: files are few.
    pub(crate) stop: CancellationToken,
    pub(crate) look: Look,
}

/// When what went is made durable, so that no power cut brings it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    /// Before it counts as gone.
    AtOnce,
    /// By whoever asked, once for many calls.
    Later,
}

/// Step that takes a name that may go.
#[derive(Debug)]
pub(crate) enum Act {
    /// Nothing: it is only looked at.
    Examine,
    Unlink,
    Move(Destination),
}

impl Act {
    /// True if anything changes.
    pub(crate) fn takes(&self) -> bool {
        !matches!(self, Self::Examine)
    }

    /// True if what goes is still somewhere.
    pub(crate) fn moves(&self) -> bool {
        matches!(self, Self::Move(_))
    }

    /// The outcome where all went.
    pub(crate) fn outcome(&self, files: u64, size_bytes: u64) -> Outcome {
        match self.moves() {
            true => Outcome::Trashed { files, size_bytes },
            false => Outcome::Removed { files, size_bytes },
        }
    }
}

impl RemovalOptions {
    /// True if a path, or a directory that it is in, would be gone by now.
    pub(crate) fn is_gone(&self, path: &[u8]) -> bool {
        let Some(gone) = &self.look.gone else { return false };
        let path = String::from_utf8_lossy(path);
        path.match_indices('/').any(|(end, _)| gone(&path[..end])) || gone(&path)
    }
}

/// Context of a removal.
#[derive(Clone, Copy)]
pub(crate) struct RemovalContext<'a> {
    pub(crate) root: &'a Root,
    pub(crate) options: &'a RemovalOptions,
    pub(crate) links: &'a Links,
}

impl RemovalContext<'_> {
    /// Takes a name that was looked at from a directory; `target` finds where it is moved to, if it is.
    pub(crate) fn take(
        self,
        directory: &OwnedFd,
        name: &[u8],
        seen: &Statx,
        target: impl FnOnce() -> Result<Rc<OwnedFd>, Unmoved>,
    ) -> Result<(), Unmoved> {
        debug_assert!(!name.contains(&b'/') && !matches!(name, b"" | b"." | b".."));
        if seen.stx_nlink > 1 && self.options.act.takes() {
            self.root.note_unlinked(seen.stx_ino);
        }
        match &self.options.act {
            Act::Examine => Ok(()),
            Act::Unlink => Ok(unlink(directory, name, AtFlags::empty())?),
            Act::Move(destination) => destination.take(directory, name, seen, &*target()?),
        }
    }

    /// Place that the files of a directory beneath the root are moved to; found once.
    pub(crate) fn target(self, directory: &[u8], known: &mut Option<Rc<OwnedFd>>) -> Result<Rc<OwnedFd>, Unmoved> {
        match (&known, &self.options.act) {
            (Some(target), _) => Ok(Rc::clone(target)),
            (None, Act::Move(destination)) => {
                Ok(Rc::clone(known.insert(Rc::new(destination.directory(self.root, directory)?))))
            }
            (None, Act::Examine | Act::Unlink) => Err(Unmoved::Error(Errno::INVAL)),
        }
    }
}

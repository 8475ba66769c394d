//! Moving instead of removing: a name goes to the same path beneath another directory of the store. Never takes the place of
//! anything, and takes back what turns out to be something else than was looked at.

use std::collections::HashSet;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, RenameFlags, Statx};
use rustix::io::Errno;

use crate::decide::file::Stays;
use crate::stores::Unremoved;
use crate::stores::metadata::{born_ns, nanoseconds};
use crate::stores::path::RawPath;
use crate::stores::private_dir::{self, Owner};
use crate::stores::root::{Root, facts};
use crate::stores::sys::{kind, look, unlink, words};

/// Number of names that are tried in the trash for what has the same path as something there.
const NAMES_TRIED: u32 = 1000;

/// Place that names are moved to.
#[derive(Debug)]
pub(crate) struct Destination {
    /// The directory beneath which each is to have its path.
    base: OwnedFd,
    /// Number of bytes of a path beneath the root before the part that is kept.
    skip: usize,
    purpose: Purpose,
}

#[derive(Debug)]
enum Purpose {
    Trash,
    /// Back to where it was; only some of it, where paths are given. `workplace` is where directories are made.
    Restore {
        workplace: OwnedFd,
        only: Option<HashSet<Vec<u8>>>,
    },
}

/// Why something was not moved.
pub(crate) enum Unmoved {
    Error(Errno),
    Kept(Stays),
    Failed(Unremoved),
}

impl From<Errno> for Unmoved {
    fn from(error: Errno) -> Self {
        Self::Error(error)
    }
}

impl Destination {
    /// Into a directory of the trash.
    pub(crate) fn trash(base: OwnedFd) -> Self {
        Self { base, skip: 0, purpose: Purpose::Trash }
    }

    /// Out of the trash: what was in its directory `from`, whose handle is `workplace`, comes beneath the root again.
    pub(crate) fn restore(root: OwnedFd, workplace: OwnedFd, from: &RawPath, only: Option<HashSet<Vec<u8>>>) -> Self {
        Self { base: root, skip: from.as_bytes().len() + 1, purpose: Purpose::Restore { workplace, only } }
    }

    /// True if only some paths are to be moved.
    pub(crate) fn is_choosy(&self) -> bool {
        matches!(self.purpose, Purpose::Restore { only: Some(_), .. })
    }

    /// True if a path is to be moved at all.
    pub(crate) fn wants(&self, path: &[u8]) -> bool {
        let Purpose::Restore { only: Some(only), .. } = &self.purpose else { return true };
        let path = path.get(self.skip..).unwrap_or_default();
        let ends = path.iter().enumerate().filter(|&(_, &byte)| byte == b'/').map(|(end, _)| end);
        ends.chain([path.len()]).any(|end| only.contains(&path[..end]))
    }

    /// The directory into which goes what is in a directory, made where there is none.
    pub(crate) fn directory(&self, root: &Root, path: &[u8]) -> Result<OwnedFd, Unmoved> {
        let path = path.get(self.skip..).unwrap_or_default();
        if path.is_empty() {
            return Ok(self.base.try_clone().map_err(|_| Errno::MFILE)?);
        }
        match root.beneath(&self.base, path) {
            Err(Errno::NOENT) => {}
            Err(error) => return Err(self.unmade(error)),
            Ok(directory) => return Ok(directory),
        }
        let mut directory = self.base.try_clone().map_err(|_| Errno::MFILE)?;
        for name in path.split(|&byte| byte == b'/') {
            directory = self.inner(root, &directory, name)?;
        }
        Ok(directory)
    }

    /// A directory in one of those, made where there is none.
    pub(crate) fn inner(&self, root: &Root, above: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Unmoved> {
        let made = match (&self.purpose, root.enter(above, name)) {
            (Purpose::Trash, Err(Errno::NOENT)) => private_dir::make_in(root, above, name),
            (Purpose::Restore { workplace, .. }, Err(Errno::NOENT)) => make_like(root, above, name, workplace),
            (_, entered) => entered,
        };
        made.map_err(|error| self.unmade(error))
    }

    fn unmade(&self, error: Errno) -> Unmoved {
        match (&self.purpose, error) {
            (Purpose::Restore { .. }, Errno::NOTDIR) => Unmoved::Kept(Stays::FileInPath),
            (_, Errno::LOOP) => Unmoved::Kept(Stays::LinkInPath),
            (_, Errno::XDEV) => Unmoved::Kept(Stays::MountInPath),
            (_, error) => Unmoved::Error(error),
        }
    }

    /// Moves a name that was looked at.
    pub(crate) fn take(&self, from: &OwnedFd, name: &[u8], seen: &Statx, to: &OwnedFd) -> Result<(), Unmoved> {
        let taken = match self.purpose {
            Purpose::Trash => shelve(from, name, to).map_err(unable)?,
            Purpose::Restore { .. } => match rename(from, name, to, name) {
                Ok(()) => name.to_vec(),
                Err(Errno::EXIST) => return Err(Unmoved::Kept(Stays::Taken)),
                Err(error) => return Err(unable(error)),
            },
        };
        // Whoever may write there could swap the name after the look: only what was looked at may go.
        let is_it = look(to, &taken).is_ok_and(|facts| {
            // The move itself is a change.
            let same = |facts: &Statx| (facts.stx_ino, kind(facts), nanoseconds(&facts.stx_mtime), born_ns(facts));
            same(&facts) == same(seen)
        });
        if is_it {
            return Ok(());
        }
        match rename(to, &taken, from, name) {
            Ok(()) => Err(Unmoved::Failed("changed while it was moved, and was put back".to_owned().into())),
            Err(error) => {
                let why = words(error);
                Err(Unmoved::Failed(format!("changed while it was moved, and could not be put back: {why}").into()))
            }
        }
    }
}

fn unable(error: Errno) -> Unmoved {
    match error {
        Errno::INVAL => Unmoved::Failed(
            "this file system cannot rename a file without the risk of replacing another, so that it can have no trash"
                .to_owned()
                .into(),
        ),
        error => Unmoved::Error(error),
    }
}

/// Moves a name into the trash, under a name that is still free there; which it was.
fn shelve(from: &OwnedFd, name: &[u8], to: &OwnedFd) -> Result<Vec<u8>, Errno> {
    match rename(from, name, to, name) {
        Ok(()) => return Ok(name.to_vec()),
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    for number in 1..NAMES_TRIED {
        let other = [name, format!(".{number}").as_bytes()].concat();
        match rename(from, name, to, &other) {
            Ok(()) => return Ok(other),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::EXIST)
}

/// Renames, in one step, unless the new name is taken.
fn rename(from: &OwnedFd, name: &[u8], to: &OwnedFd, new: &[u8]) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::fs::renameat_with(from, name, to, new, RenameFlags::NOREPLACE))
}

/// Makes a directory with the owner and the rights of the one that it is in. It gets them where nobody else can write, so
/// that they can't be given to something that was put in its place.
fn make_like(root: &Root, above: &OwnedFd, name: &[u8], workplace: &OwnedFd) -> Result<OwnedFd, Errno> {
    let temporary = format!("new-{}", uuid::Uuid::now_v7()).into_bytes();
    let made = private_dir::make_in(root, workplace, &temporary)?;
    match liken(&made, above).and_then(|()| rename(workplace, &temporary, above, name)) {
        Ok(()) => Ok(made),
        Err(error) => {
            // Empty, and gone with the rest of the run at the latest.
            let (Ok(()) | Err(_)) = unlink(workplace, &temporary, AtFlags::REMOVEDIR);
            match error {
                Errno::EXIST => root.enter(above, name),
                error => Err(error),
            }
        }
    }
}

fn liken(directory: &OwnedFd, above: &OwnedFd) -> Result<(), Errno> {
    let like = facts(above)?;
    // Only root may give things away; otherwise it stays ours, as what this user makes anywhere does.
    let owner = Owner { user: like.stx_uid, group: like.stx_gid };
    match private_dir::give(directory, Some(owner)) {
        Ok(()) | Err(Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    rustix::fs::fchmod(directory, Mode::from_raw_mode(u32::from(like.stx_mode) & 0o7777))
}

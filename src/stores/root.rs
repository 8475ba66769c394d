//! Opens directories beneath a root: no symbolic link, no mount, no way out is followed. Knows no files.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;

use super::metadata::{born_ns, device};

/// Flags that open a directory: readable, so that it can be synced.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A little less than the longest path that one call takes.
const PIECE_BYTES: usize = 4000;

/// Number of times that openat2 is asked again when a rename elsewhere confused it.
const ATTEMPTS: u32 = 8;

/// Files with several links that are remembered.
const UNLINKED_AT_MOST: usize = 64 * 1024;

/// A root, open since the store was opened.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) path: PathBuf,
    pub(super) handle: OwnedFd,
    identity: Identity,
    /// Number by which the kernel tells mounts apart.
    mount: Option<u64>,
    /// Files of which this handle has removed a link, which changed them; the last of many.
    unlinked: Mutex<HashSet<u64>>,
    #[cfg(test)]
    pub(super) without_openat2: bool,
}

/// Identity of a root, which another directory with its path at another time does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RootFacts {
    pub device: u64,
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; none where the file system does not know.
    pub born_ns: Option<i128>,
}

/// Device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Root {
    /// Opens the root; its own path may lead over symbolic links, which the operator chose.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        // A mere handle: it needs no right to read, so that a root without one can still be reported on.
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())?;
        Ok(Self {
            path: path.to_owned(),
            identity: identity(&handle)?,
            mount: mount(&handle)?,
            unlinked: Mutex::default(),
            handle,
            #[cfg(test)]
            without_openat2: false,
        })
    }

    /// Why nothing may be done any more: the path no longer leads to the directory that was opened.
    pub(super) fn replaced(&self) -> Option<String> {
        let now = rustix::fs::stat(&self.path).map(|stat| Identity { device: stat.st_dev, inode: stat.st_ino });
        match now {
            Ok(identity) if identity == self.identity => None,
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => Some(format!(
                "the store's root was replaced or unmounted since it was opened: {} is another directory now",
                self.path.display()
            )),
            Err(error) => Some(format!("the store's root cannot be looked at: {}", super::sys::words(error))),
        }
    }

    /// Remembers that a file with several links is changed by the removal of one.
    pub(super) fn note_unlinked(&self, inode: u64) {
        let mut unlinked = self.unlinked.lock().unwrap_or_else(PoisonError::into_inner);
        if unlinked.len() >= UNLINKED_AT_MOST {
            unlinked.clear();
        }
        unlinked.insert(inode);
    }

    /// True if a removal through this handle changed a file.
    pub(super) fn has_unlinked(&self, inode: u64) -> bool {
        self.unlinked.lock().unwrap_or_else(PoisonError::into_inner).contains(&inode)
    }

    /// Facts about the root itself.
    pub(super) fn facts(&self) -> Result<RootFacts, Errno> {
        let facts = facts(&self.handle)?;
        Ok(RootFacts { device: device(&facts), inode: facts.stx_ino, born_ns: born_ns(&facts) })
    }

    /// Opens the root itself, or a directory beneath it. `path` has no `.`, `..` or empty component.
    pub(super) fn directory(&self, path: Option<&[u8]>) -> Result<OwnedFd, Errno> {
        match path {
            Some(path) => self.beneath(&self.handle, path),
            None => again(&self.handle),
        }
    }

    /// Opens a directory beneath another one that is beneath the root, or the root.
    pub(super) fn beneath(&self, base: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
        let resolved = match self.resolve(base, path) {
            Err(Errno::NAMETOOLONG) => self.resolve_in_pieces(base, path),
            resolved => resolved,
        };
        match resolved {
            // An old kernel, or a sandbox that forbids the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.descend(base, path),
            resolved => resolved,
        }
    }

    /// Opens a path that is longer than one call takes.
    fn resolve_in_pieces(&self, base: &OwnedFd, mut path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut directory = None;
        while path.len() > PIECE_BYTES {
            let slash = path[..PIECE_BYTES].iter().rposition(|&byte| byte == b'/').ok_or(Errno::NAMETOOLONG)?;
            directory = Some(self.resolve(directory.as_ref().unwrap_or(base), &path[..slash])?);
            path = &path[slash + 1..];
        }
        self.resolve(directory.as_ref().unwrap_or(base), path)
    }

    /// Opens a directory in an open one, by a single name.
    pub(super) fn enter(&self, directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
        match self.resolve(directory, name) {
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.step(directory, name),
            resolved => resolved,
        }
    }

    fn resolve(&self, from: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
        #[cfg(test)]
        if self.without_openat2 {
            return Err(Errno::NOSYS);
        }
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let mut attempt = 1;
        loop {
            // Without NOFOLLOW: the kernel then says of a link at the end too that it is one.
            match rustix::fs::openat2(from, path, DIRECTORY, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if attempt < ATTEMPTS => attempt += 1,
                opened => return opened,
            }
        }
    }

    /// Opens a path without openat2: one component at a time, each held open while the next is looked up in it.
    fn descend(&self, base: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
        let mut directory = again(base)?;
        for name in path.split(|&byte| byte == b'/') {
            directory = self.step(&directory, name)?;
        }
        Ok(directory)
    }

    fn step(&self, from: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
        let directory = match rustix::fs::openat(from, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            // The kernel says the same of a file and of a symbolic link.
            Err(Errno::NOTDIR) if may_lead_on(from, name) => return Err(Errno::LOOP),
            opened => opened?,
        };
        if identity(&directory)?.device != self.identity.device || mount(&directory)? != self.mount {
            return Err(Errno::XDEV);
        }
        Ok(directory)
    }
}

/// Identity of a directory, which a later one with the same inode does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Imprint {
    device: (u32, u32),
    inode: u64,
    /// Facts that not every file system and kernel knows.
    born: Option<(i64, u32)>,
    mount: Option<u64>,
}

impl Imprint {
    /// From facts about a handle that were asked for with [`IMPRINT`].
    pub(super) fn new(facts: &Statx) -> Self {
        let has = |flag: StatxFlags| facts.stx_mask & flag.bits() != 0;
        Self {
            device: (facts.stx_dev_major, facts.stx_dev_minor),
            inode: facts.stx_ino,
            born: has(StatxFlags::BTIME).then_some((facts.stx_btime.tv_sec, facts.stx_btime.tv_nsec)),
            mount: has(StatxFlags::MNT_ID).then_some(facts.stx_mnt_id),
        }
    }
}

/// Parts of an imprint.
pub(super) const IMPRINT: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);

/// Facts about an open directory.
pub(super) fn facts(directory: &OwnedFd) -> Result<Statx, Errno> {
    rustix::fs::statx(directory, "", AtFlags::EMPTY_PATH, IMPRINT)
}

/// Opens an open directory once more, to be read by somebody else.
pub(super) fn again(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, ".", DIRECTORY, Mode::empty())
}

/// Opens the directory above an open one again; none where it is not the one that it was.
pub(super) fn climb(directory: &OwnedFd, to: Imprint) -> Result<Option<OwnedFd>, Errno> {
    let above = rustix::fs::openat(directory, "..", DIRECTORY, Mode::empty())?;
    let is_same = Imprint::new(&facts(&above)?) == to;
    Ok(is_same.then_some(above))
}

fn identity(handle: &OwnedFd) -> Result<Identity, Errno> {
    let stat = rustix::fs::fstat(handle)?;
    Ok(Identity { device: stat.st_dev, inode: stat.st_ino })
}

/// The id of the mount: a bind mount of the same file system has the same device and another id. Linux 5.8 has it.
pub(super) fn mount(handle: &OwnedFd) -> Result<Option<u64>, Errno> {
    match rustix::fs::statx(handle, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID) {
        Ok(facts) => Ok((facts.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(facts.stx_mnt_id)),
        Err(Errno::NOSYS) => Ok(None),
        Err(error) => Err(error),
    }
}

/// True if a name that could not be opened as a directory is a symbolic link, or was one a moment ago.
fn may_lead_on(directory: &OwnedFd, name: &[u8]) -> bool {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Symlink | FileType::Directory))
}

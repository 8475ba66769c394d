//! Room that the ledger keeps for the day when its disk is full: given up then, so that the run that frees space can be
//! recorded, and taken again when there is room. Never fails: without a reserve everything works until the disk is full.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;

use super::locks::own_like;

/// Size of the reserve on a file system that has room.
const LARGEST_BYTES: u64 = 16 << 20;
/// Least size; less would not do for a run.
const SMALLEST_BYTES: u64 = 1 << 20;
/// Of what is free at most this part is kept, so that keeping it does not fill the disk.
const SHARE: u64 = 4;
/// Less than this is free only on a full disk.
const SHORT_BYTES: u64 = 256 << 10;

/// Files that are kept beside the one with the room: the ledger creates its own and some locks as it is used.
const SPARE_FILES: u64 = 12;
/// Number of files that must still be possible beside those.
const FILES_LEFT: u64 = 20;
const SHORT_FILES: u64 = 2;

const SPACE: &str = "space";

/// The directory `reserve/` beside the ledger.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

/// Free room of a file system.
struct Free {
    bytes: u64,
    /// None where their number has no limit of its own.
    files: Option<u64>,
}

impl Reserve {
    pub(super) fn beside(ledger: &Path) -> Self {
        Self { path: ledger.parent().unwrap_or(Path::new("/")).join("reserve") }
    }

    /// Takes what is missing of the reserve, where there is room for it.
    pub(super) fn fill(&self) {
        if let Err(error) = self.try_fill() {
            tracing::debug!(%error, "No reserve for the ledger at {}", self.path.display());
        }
    }

    fn try_fill(&self) -> std::io::Result<()> {
        let Some(free) = free_at(self.path.parent().unwrap_or(Path::new("/")))? else { return Ok(()) };
        let wanted_beside = |held: u64| (free.bytes.saturating_add(held) / SHARE).min(LARGEST_BYTES);
        let wanted = wanted_beside(0);
        let may_have_files = free.files.is_none_or(|files| files >= SPARE_FILES + FILES_LEFT);
        let directory = match self.open() {
            Err(Errno::NOENT) if wanted >= SMALLEST_BYTES && may_have_files => self.create()?,
            Err(Errno::NOENT) => return Ok(()),
            opened => opened?,
        };
        let space = open_file(&directory, SPACE)?;
        let held = held_bytes(&space)?;
        let wanted = wanted_beside(held);
        // A little less than wanted is not worth a change with every run.
        if wanted >= SMALLEST_BYTES && held < wanted / 2 {
            allocate(space, wanted)?;
        }
        if may_have_files {
            for number in 0..SPARE_FILES {
                open_file(&directory, &spare(number))?;
            }
        }
        Ok(())
    }

    /// Gives everything back to the file system; false where there was nothing to give.
    pub(super) fn give_up(&self) -> bool {
        let Ok(directory) = self.open() else { return false };
        let given = self.try_give_up(&directory).unwrap_or_default();
        if given {
            tracing::warn!(
                "The disk of the ledger is full: its reserve at {} is given up, so that runs can be recorded",
                self.path.display()
            );
        }
        given
    }

    fn try_give_up(&self, directory: &OwnedFd) -> std::io::Result<bool> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let space = rustix::fs::openat(directory, SPACE, flags, Mode::empty())?;
        let mut given = held_bytes(&space)? > 0;
        rustix::fs::ftruncate(&space, 0)?;
        // A file that another takes the name of is gone.
        for number in 1..SPARE_FILES {
            given |= rustix::fs::renameat(directory, spare(number), directory, spare(0)).is_ok();
        }
        Ok(given)
    }

    /// True if nothing is kept, and there is no room to do so: the disk is full, or was a moment ago.
    pub(super) fn is_spent(&self) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let held = self.open().and_then(|directory| rustix::fs::openat(&directory, SPACE, flags, Mode::empty()));
        let Ok(Ok(held)) = held.map(held_bytes) else { return false };
        let free = free_at(&self.path).ok().flatten();
        held == 0 && free.is_some_and(|free| free.bytes / SHARE < SMALLEST_BYTES)
    }

    /// True if the file system has hardly any room, or hardly any files, left.
    pub(super) fn is_short(&self) -> bool {
        let free = free_at(self.path.parent().unwrap_or(Path::new("/"))).ok().flatten();
        free.is_some_and(|free| free.bytes < SHORT_BYTES || free.files.is_some_and(|files| files < SHORT_FILES))
    }

    fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::open(&self.path, flags, Mode::empty())
    }

    fn create(&self) -> std::io::Result<OwnedFd> {
        match rustix::fs::mkdir(&self.path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = self.open()?;
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        own_like(&directory, rustix::fs::openat(&directory, "..", flags, Mode::empty())?)?;
        Ok(directory)
    }
}

fn spare(number: u64) -> String {
    format!("file-{number}")
}

/// None where the file system does not say.
fn free_at(directory: &Path) -> std::io::Result<Option<Free>> {
    let stat = rustix::fs::statvfs(directory)?;
    let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    Ok((stat.f_blocks > 0).then_some(Free { bytes, files: (stat.f_files > 0).then_some(stat.f_favail) }))
}

fn open_file(directory: &OwnedFd, name: &str) -> std::io::Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?;
    own_like(&file, directory)?;
    Ok(file)
}

/// Room that a file takes on the disk, whatever its length says.
fn held_bytes(file: impl AsFd) -> std::io::Result<u64> {
    Ok(u64::try_from(rustix::fs::fstat(file)?.st_blocks).unwrap_or(0).saturating_mul(512))
}

/// Makes the file take so much of the disk; nothing where that fails.
fn allocate(file: OwnedFd, bytes: u64) -> std::io::Result<()> {
    let done = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(File::from(file.try_clone()?), bytes),
        done => done.map_err(Into::into),
    };
    if done.is_err() {
        rustix::fs::ftruncate(&file, 0)?;
    }
    done
}

fn write_zeros(mut file: File, bytes: u64) -> std::io::Result<()> {
    let zeros = vec![0; 1 << 16];
    for _ in 0..bytes.div_ceil(zeros.len() as u64) {
        file.write_all(&zeros)?;
    }
    Ok(())
}

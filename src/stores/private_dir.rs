//! The directory in a root that is retaind's own, `.retaind`: opens and makes what is in it, by handles only. Follows no link
//! there either, whoever made it.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::path::OWN;
use super::root::Root;
use super::sys::{kind, look};

/// Most bytes of a file of ours.
const FILE_BYTES_AT_MOST: usize = 4096;

/// Whose something is, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub user: u32,
    pub group: u32,
}

/// Opens our own directory; none where there is none.
pub(super) fn open(root: &Root) -> Result<Option<OwnedFd>, Errno> {
    found(root.enter(&root.handle, OWN.as_bytes()))
}

/// Opens our own directory and makes it where there is none: nobody else can look into it.
pub(super) fn make(root: &Root) -> Result<OwnedFd, Errno> {
    make_in(root, &root.handle, OWN.as_bytes())
}

/// Opens a directory in an open one and makes it where there is none.
pub(super) fn make_in(root: &Root, directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    match root.enter(directory, name) {
        Err(Errno::NOENT) => {}
        entered => return entered,
    }
    match rustix::fs::mkdirat(directory, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => root.enter(directory, name),
        Err(error) => Err(error),
    }
}

/// Nothing where a thing is not there.
pub(super) fn found<T>(result: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a file of ours cannot be read.
pub(super) enum Unreadable {
    Error(Errno),
    Wrong(&'static str),
}

impl From<Errno> for Unreadable {
    fn from(error: Errno) -> Self {
        Self::Error(error)
    }
}

/// Reads a small file in a directory; none where there is none. Nothing that somebody put in its place makes this wait.
pub(super) fn read(directory: &OwnedFd, name: &str) -> Result<Option<Vec<u8>>, Unreadable> {
    let Some(facts) = found(look(directory, name.as_bytes()))? else { return Ok(None) };
    // Looked at before it is opened: to open some devices is to act on them.
    if kind(&facts) != FileType::RegularFile {
        return Err(Unreadable::Wrong("is not a file"));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Some(file) = found(rustix::fs::openat(directory, name, flags, Mode::empty()))? else { return Ok(None) };
    if FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode) != FileType::RegularFile {
        return Err(Unreadable::Wrong("is not a file"));
    }
    let mut bytes = vec![0; FILE_BYTES_AT_MOST + 1];
    let mut length = 0;
    while length < bytes.len() {
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut bytes[length..]))? {
            0 => break,
            more => length += more,
        }
    }
    if length > FILE_BYTES_AT_MOST {
        return Err(Unreadable::Wrong("is longer than such a file ever is"));
    }
    bytes.truncate(length);
    Ok(Some(bytes))
}

/// Writes a small file in a directory, in one step and durably, in place of what has its name. `text` makes its contents,
/// which may tell of the file itself.
pub(super) fn write(
    directory: &OwnedFd,
    name: &str,
    text: impl FnOnce(&OwnedFd) -> Result<Vec<u8>, Errno>,
    owner: Option<Owner>,
) -> Result<(), Errno> {
    let temporary = format!("{name}.{}", uuid::Uuid::now_v7());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
    let written = text(&file)
        .and_then(|bytes| write_all(&file, &bytes))
        .and_then(|()| give(&file, owner))
        .and_then(|()| rustix::fs::fsync(&file))
        .and_then(|()| rustix::fs::renameat(directory, &temporary, directory, name));
    if written.is_err() {
        // The first error is the one to tell of; what is left is empty or small.
        let (Ok(()) | Err(_)) = super::sys::unlink(directory, temporary.as_bytes(), AtFlags::empty());
        return written;
    }
    super::sys::sync(directory)
}

fn write_all(file: &OwnedFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(file, bytes))?;
        bytes = &bytes[written..];
    }
    Ok(())
}

/// Gives something to an owner, if that is not this process's user anyway.
pub(super) fn give(file: &OwnedFd, owner: Option<Owner>) -> Result<(), Errno> {
    let Some(Owner { user, group }) = owner else { return Ok(()) };
    let stat = rustix::fs::fstat(file)?;
    match (stat.st_uid, stat.st_gid) == (user, group) {
        true => Ok(()),
        false => rustix::fs::fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group))),
    }
}

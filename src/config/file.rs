//! Reads small files that somebody else names: regular ones up to a limit, so that a pipe or a device cannot hold it up.

use std::fs::File;
use std::io::{Error, Read, Result};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

/// Reads a regular file of at most `most` bytes; refuses anything else, and never waits for it.
pub fn read_regular(path: &Path, most: u64) -> Result<Vec<u8>> {
    // Opening a pipe would wait for its writer, and some devices do more than that.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NXIO) => return Err(Error::other("it is a socket or a device, not a regular file")),
        Err(error) => return Err(error.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if let Some(what) = other_than_regular(FileType::from_raw_mode(stat.st_mode)) {
        return Err(Error::other(format!("it is {what}, not a regular file")));
    }
    let mut bytes = Vec::new();
    File::from(file).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(Error::other(format!("it is larger than {} KiB", most / 1024)));
    }
    Ok(bytes)
}

/// The noun for a file that is not a regular one; none for a regular one.
fn other_than_regular(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile => None,
        FileType::Directory => Some("a directory"),
        FileType::Fifo => Some("a pipe"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Socket => Some("a socket"),
        FileType::Symlink | FileType::Unknown => Some("something else"),
    }
}

//! Asks the kernel whether anybody has a file open, by a lease that is given back at once. Holds a call
//! without a safe wrapper; reads and changes no file.

#![allow(unsafe_code, reason = "nothing safe takes a lease; the call is one line, below")]

use std::ffi::c_int;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::stores::path::RawPath;
use crate::stores::root::Root;

/// State of a file: open in a process or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse {
    No,
    Yes,
    /// It may not be asked: the file belongs to another user, cannot be read, or its file system has no leases.
    Unknown,
}

/// From `linux/fcntl.h`; the same on every architecture.
const F_SETLEASE: c_int = 1024;
const F_WRLCK: c_int = 1;
const F_UNLCK: c_int = 2;

unsafe extern "C" {
    fn fcntl(handle: c_int, command: c_int, ...) -> c_int;
}

/// Who opens a file while the lease is held waits for microseconds, and this process is sent a signal that would end it.
static SIGNAL_IS_HARMLESS: LazyLock<bool> =
    LazyLock::new(|| signal_hook::flag::register(signal_hook::consts::SIGIO, Arc::new(AtomicBool::new(false))).is_ok());

/// Looks whether a process, of whatever user, has the file at a path open.
pub(crate) fn in_use(root: &Root, path: &RawPath) -> InUse {
    let (parent, name) = path.split();
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = root.directory(parent).and_then(|above| rustix::fs::openat(above, name, flags, Mode::empty()));
    match opened {
        Ok(file) => lease(&file),
        // Whoever removes it finds that out.
        Err(Errno::NOENT) => InUse::No,
        Err(_) => InUse::Unknown,
    }
}

fn lease(file: &OwnedFd) -> InUse {
    let is_file =
        rustix::fs::fstat(file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
    if !is_file || !*SIGNAL_IS_HARMLESS {
        return InUse::Unknown;
    }
    // SAFETY: the handle is open for as long as `file` lives, and the command takes one int and touches no memory of ours.
    let set = |lease: c_int| unsafe { fcntl(file.as_raw_fd(), F_SETLEASE, lease) };
    if set(F_WRLCK) == 0 {
        // Closing the file gives it back as well.
        set(F_UNLCK);
        return InUse::No;
    }
    match std::io::Error::last_os_error().kind() {
        // It is given only where no other handle is open.
        std::io::ErrorKind::WouldBlock => InUse::Yes,
        _ => InUse::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f8_a_file_is_in_use_while_open() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("log"), "x").unwrap();
        let root = Root::open(directory.path()).unwrap();
        let in_use = |name: &str| in_use(&root, &RawPath::parse(name.as_bytes()).unwrap());
        assert_eq!(in_use("log"), InUse::No);
        let reader = std::fs::File::open(directory.path().join("log")).unwrap();
        assert_eq!(in_use("log"), InUse::Yes);
        drop(reader);
        let writer = std::fs::File::options().append(true).open(directory.path().join("log")).unwrap();
        assert_eq!(in_use("log"), InUse::Yes);
        drop(writer);
        assert_eq!((in_use("log"), in_use("nothing")), (InUse::No, InUse::No));
        std::fs::create_dir(directory.path().join("directory")).unwrap();
        std::os::unix::fs::symlink("log", directory.path().join("link")).unwrap();
        assert_eq!((in_use("directory"), in_use("link")), (InUse::Unknown, InUse::Unknown));
    }
}

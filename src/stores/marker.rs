//! The identity of a store: a marker in its root says which store it is and where it was adopted. Decides nothing.

use std::fmt;
use std::os::fd::OwnedFd;

use jiff::Timestamp;
use rustix::fs::{Mode, Statx};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::metadata::born_ns;
use super::private_dir::{self, Owner, Unreadable};
use super::root::{Root, facts};
use super::sys::look;
use crate::decide::store::{FoundMarker, Mismatch};
use crate::policy::Name;

/// The marker's name in `.retaind`.
const FILE: &str = "store.json";

/// Identity that a root claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// None where the root was never adopted, or is not the directory that was.
    pub marker: Option<Marker>,
    /// Present path of the root.
    pub here: FileSystem,
    /// Present place of the marker; empty where there is none.
    pub placed: Placed,
}

/// The file that adopting a store writes into its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub store: Name,
    pub id: Uuid,
    pub adopted_at: Timestamp,
    #[serde(flatten)]
    pub file_system: FileSystem,
    /// Empty in a marker that an earlier version wrote.
    #[serde(flatten)]
    pub placed: Placed,
}

/// Identity of a marker, which a copy of it does not have, as far as its file system has such things.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Number of the marker's own file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inode: Option<u64>,
    /// When that file was made, in nanoseconds since 1970: nobody can set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born_ns: Option<i64>,
    /// UUID of the file system, where udev knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system_uuid: Option<String>,
}

/// Identity of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Another one after a restart, for some kinds of disk.
    pub device: u64,
    /// Stays with the file system where it has one, else 0.
    #[serde(with = "hexadecimal")]
    pub fsid: u64,
}

/// Why it is not known whether a store is adopted, or why it cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error(".retaind/{FILE} in {root} cannot be read")]
    Read {
        root: String,
        #[source]
        cause: std::io::Error,
    },
    #[error(".retaind/{FILE} in {root} {why}: somebody else put it there; look at it, remove it, and adopt the store")]
    Wrong { root: String, why: String },
    #[error(
        ".retaind in {root} is a symbolic link or no directory: somebody else put it there; look at it and remove it"
    )]
    NotOurs { root: String },
    #[error("cannot write .retaind/{FILE} in {root}")]
    Write {
        root: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("{0}")]
    Replaced(String),
}

impl Marker {
    /// A marker for a store that is adopted now. Where it lies is added when it is written.
    pub fn new(store: Name, here: FileSystem, now: Timestamp) -> Self {
        Self { store, id: Uuid::now_v7(), adopted_at: now, file_system: here, placed: Placed::default() }
    }

    /// Why this is not the marker of `store` where it was found.
    pub fn mismatch(&self, store: &Name, here: FileSystem, placed: &Placed) -> Option<Mismatch> {
        if self.store != *store {
            return Some(Mismatch::Store { marked: self.store.clone() });
        }
        let marked = self.file_system;
        let moved = || Mismatch::FileSystem { marked: marked.to_string(), here: here.to_string() };
        let fsids = agree(marked.lasting(), here.lasting());
        let uuids = agree(self.placed.file_system_uuid.as_ref(), placed.file_system_uuid.as_ref());
        if fsids == Some(false) || uuids == Some(false) {
            return Some(moved());
        }
        let births = agree(self.placed.born_ns, placed.born_ns);
        if births == Some(false) || agree(self.placed.inode, placed.inode) == Some(false) {
            return Some(Mismatch::Copy);
        }
        // The device's number may be another one after a restart: it counts where nothing says more.
        let is_same = births.or(fsids).or(uuids).unwrap_or(marked.device == here.device);
        (!is_same).then(moved)
    }
}

impl Identity {
    /// The marker as decisions about `store` go by it; none where there is none.
    pub fn found(&self, store: &Name) -> Option<FoundMarker> {
        let marker = self.marker.as_ref()?;
        let mismatch = marker.mismatch(store, self.here, &self.placed);
        Some(FoundMarker { id: marker.id, adopted_at: marker.adopted_at, mismatch })
    }
}

/// True if two facts are the same; none where one of them is not known.
fn agree<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<bool> {
    Some(one? == other?)
}

impl FileSystem {
    /// The id that stays with the file system. Some (XFS, FAT) only repeat the number of their device there.
    fn lasting(self) -> Option<u64> {
        let (major, minor) = (u64::from(rustix::fs::major(self.device)), u64::from(rustix::fs::minor(self.device)));
        let device = (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12);
        Some(self.fsid).filter(|&fsid| fsid != 0 && fsid != device)
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (major, minor) = (rustix::fs::major(self.device), rustix::fs::minor(self.device));
        match self.fsid {
            0 => write!(f, "device {major}:{minor}"),
            fsid => write!(f, "id {fsid:x}"),
        }
    }
}

/// The file system that a root is on.
pub(super) fn here(root: &Root) -> Result<FileSystem, MarkerError> {
    file_system(root).map_err(|error| MarkerError::Read { root: shown(root), cause: error.into() })
}

/// Reads who a root says it is.
pub(super) fn identify(root: &Root) -> Result<Identity, MarkerError> {
    let here = here(root)?;
    let unmarked = Identity { marker: None, here, placed: Placed::default() };
    let Some(directory) = private_dir::open(root).map_err(|error| unopened(root, error, false))? else {
        return Ok(unmarked);
    };
    let wrong = |why: String| MarkerError::Wrong { root: shown(root), why };
    let bytes = match private_dir::read(&directory, FILE) {
        Ok(None) => return Ok(unmarked),
        Ok(Some(bytes)) => bytes,
        // The second: swapped for a link after the look.
        Err(Unreadable::Error(Errno::LOOP)) => return Err(wrong("is a symbolic link".to_owned())),
        Err(Unreadable::Error(error)) => return Err(MarkerError::Read { root: shown(root), cause: error.into() }),
        Err(Unreadable::Wrong(why)) => return Err(wrong(why.to_owned())),
    };
    match serde_json::from_slice(&bytes) {
        Ok(marker) => {
            let placed =
                placed(root, &look(&directory, FILE.as_bytes()).map_err(|error| unopened(root, error, false))?)
                    .map_err(|error| unopened(root, error, false))?;
            Ok(Identity { marker: Some(marker), here, placed })
        }
        Err(error) => Err(wrong(format!("is not a marker ({error})"))),
    }
}

/// Writes a marker into a root, durably, in place of the one that is there.
pub(super) fn adopt(root: &Root, marker: &Marker, owner: Option<Owner>) -> Result<(), MarkerError> {
    if let Some(why) = root.replaced() {
        return Err(MarkerError::Replaced(why));
    }
    let unwritten = |error: Errno| MarkerError::Write { root: shown(root), cause: error.into() };
    let directory = private_dir::make(root).map_err(|error| unopened(root, error, true))?;
    // It may be older than this process, and wider open than it should be.
    rustix::fs::fchmod(&directory, Mode::RWXU).map_err(unwritten)?;
    private_dir::give(&directory, owner).map_err(unwritten)?;
    let text = |file: &OwnedFd| {
        let marker = Marker { placed: placed(root, &facts(file)?)?, ..marker.clone() };
        let mut text = serde_json::to_vec_pretty(&marker).map_err(|_| Errno::INVAL)?;
        text.push(b'\n');
        Ok(text)
    };
    private_dir::write(&directory, FILE, text, owner).map_err(unwritten)?;
    let above = root.directory(None).map_err(unwritten)?;
    super::sys::sync(&above).map_err(unwritten)
}

/// Adds to a marker that an earlier version wrote what tells it from a copy. One that does not match is left alone.
pub(super) fn extend(root: &Root, store: &Name) -> Result<(), MarkerError> {
    let identity = identify(root)?;
    if identity.found(store).is_some_and(|marker| marker.mismatch.is_some()) {
        return Ok(());
    }
    let Some(marker) = identity.marker.filter(|marker| marker.placed == Placed::default()) else { return Ok(()) };
    if identity.placed == Placed::default() {
        return Ok(());
    }
    let own = private_dir::open(root).map_err(|error| unopened(root, error, false))?;
    let file = own.map(|own| look(&own, FILE.as_bytes())).transpose().map_err(|error| unopened(root, error, false))?;
    // Root does it for the service's user, who must still be able to read it.
    let owner = file.map(|file| Owner { user: file.stx_uid, group: file.stx_gid });
    adopt(root, &marker, owner)
}

/// Place of a marker, from facts about its file.
fn placed(root: &Root, file: &Statx) -> Result<Placed, Errno> {
    let kind = rustix::fs::fstatfs(&root.handle)?.f_type;
    let numbers_last = !RENUMBERED.contains(&u64::try_from(kind).unwrap_or_default());
    let born_ns = born_ns(file).and_then(|born| i64::try_from(born).ok());
    let stat = rustix::fs::fstat(&root.handle)?;
    Ok(Placed {
        inode: numbers_last.then_some(file.stx_ino),
        born_ns: born_ns.filter(|_| numbers_last),
        file_system_uuid: udev_uuid(stat.st_dev),
    })
}

/// File systems that number their files anew with each mount, or keep times by another clock: FAT, exFAT, FUSE, SMB, CIFS
/// and 9p.
const RENUMBERED: [u64; 6] = [0x4d44, 0x2011_bab0, 0x6573_5546, 0xfe53_4d42, 0xff53_4d42, 0x0102_1997];

/// The UUID of the file system on a block device, as udev found it; readable by everybody.
fn udev_uuid(device: u64) -> Option<String> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let known = std::fs::read_to_string(format!("/run/udev/data/b{major}:{minor}")).ok()?;
    known.lines().find_map(|line| line.strip_prefix("E:ID_FS_UUID=")).map(str::to_owned)
}

fn unopened(root: &Root, error: Errno, writes: bool) -> MarkerError {
    match error {
        Errno::LOOP | Errno::NOTDIR | Errno::XDEV => MarkerError::NotOurs { root: shown(root) },
        error if writes => MarkerError::Write { root: shown(root), cause: error.into() },
        error => MarkerError::Read { root: shown(root), cause: error.into() },
    }
}

fn file_system(root: &Root) -> Result<FileSystem, Errno> {
    let stat = rustix::fs::fstat(&root.handle)?;
    let fsid = rustix::fs::fstatvfs(&root.handle)?.f_fsid;
    Ok(FileSystem { device: stat.st_dev, fsid })
}

fn shown(root: &Root) -> String {
    root.path.display().to_string()
}

/// A number as its digits to the base of 16.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}

//! The identity of a store: a marker in its root says which store it is and where it was adopted. Decides nothing.

use std::fmt;

use jiff::Timestamp;
use rustix::fs::Mode;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::beneath::Root;
use super::own::{self, Owner, Unreadable};
use crate::policy::Name;

/// The marker's name in `.retaind`.
const FILE: &str = "store.json";

/// What a root says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// None where the root was never adopted, or is not the directory that was.
    pub marker: Option<Marker>,
    /// Where the root is now.
    pub here: FileSystem,
}

/// The file that adopting a store writes into its root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub store: Name,
    pub id: Uuid,
    pub adopted_at: Timestamp,
    #[serde(flatten)]
    pub file_system: FileSystem,
}

/// What tells one file system from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Another one after a restart, for some kinds of disk.
    pub device: u64,
    /// Stays with the file system where it has one, else 0.
    #[serde(with = "hexadecimal")]
    pub fsid: u64,
}

/// Why a marker is not the one of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It was written for another store.
    Store { marked: Name },
    /// It was written on another file system, from which it was copied together with what is around it.
    FileSystem { marked: FileSystem, here: FileSystem },
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
    /// A marker for a store that is adopted now.
    pub fn new(store: Name, here: FileSystem, now: Timestamp) -> Self {
        Self { store, id: Uuid::now_v7(), adopted_at: now, file_system: here }
    }

    /// Why this is not the marker of `store` on the file system where it was found.
    pub fn mismatch(&self, store: &Name, here: FileSystem) -> Option<Mismatch> {
        if self.store != *store {
            return Some(Mismatch::Store { marked: self.store.clone() });
        }
        let marked = self.file_system;
        let is_same = match (marked.fsid, here.fsid) {
            (0, _) | (_, 0) => marked.device == here.device,
            (marked, here) => marked == here,
        };
        (!is_same).then_some(Mismatch::FileSystem { marked, here })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store { marked } => write!(f, "its marker belongs to store {marked}"),
            Self::FileSystem { marked, here } => write!(
                f,
                "it was adopted on another file system ({marked}) than it is on now ({here}): perhaps a disk is not \
                 mounted, or this is a copy"
            ),
        }
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
    let unmarked = Identity { marker: None, here };
    let Some(directory) = own::open(root).map_err(|error| unopened(root, error, false))? else { return Ok(unmarked) };
    let wrong = |why: String| MarkerError::Wrong { root: shown(root), why };
    let bytes = match own::read(&directory, FILE) {
        Ok(None) => return Ok(unmarked),
        Ok(Some(bytes)) => bytes,
        // The second: swapped for a link after the look.
        Err(Unreadable::Error(Errno::LOOP)) => return Err(wrong("is a symbolic link".to_owned())),
        Err(Unreadable::Error(error)) => return Err(MarkerError::Read { root: shown(root), cause: error.into() }),
        Err(Unreadable::Wrong(why)) => return Err(wrong(why.to_owned())),
    };
    match serde_json::from_slice(&bytes) {
        Ok(marker) => Ok(Identity { marker: Some(marker), here }),
        Err(error) => Err(wrong(format!("is not a marker ({error})"))),
    }
}

/// Writes a marker into a root, durably, in place of the one that is there.
pub(super) fn adopt(root: &Root, marker: &Marker, owner: Option<Owner>) -> Result<(), MarkerError> {
    if let Some(why) = root.replaced() {
        return Err(MarkerError::Replaced(why));
    }
    let unwritten = |error: Errno| MarkerError::Write { root: shown(root), cause: error.into() };
    let directory = own::make(root).map_err(|error| unopened(root, error, true))?;
    // It may be older than this process, and wider open than it should be.
    rustix::fs::fchmod(&directory, Mode::RWXU).map_err(unwritten)?;
    own::give(&directory, owner).map_err(unwritten)?;
    let mut text = serde_json::to_vec_pretty(marker).map_err(|_| unwritten(Errno::INVAL))?;
    text.push(b'\n');
    own::write(&directory, FILE, &text, owner).map_err(unwritten)?;
    let above = root.directory(None).map_err(unwritten)?;
    super::file::sync(&above).map_err(unwritten)
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

//! Identity of a store: reasons to doubt that it is the one that was adopted (D3), from what its root and the ledger say of it.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::policy::{Name, Store};

/// Something that tells the marker of a store from what stands in the store's root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "mismatch", rename_all = "snake_case")]
pub enum Mismatch {
    /// The marker was written for another store.
    Store { marked: Name },
    /// It was written on another file system, from which it was copied together with what is around it.
    FileSystem { marked: String, here: String },
    /// It is another file than the one that was written when the store was adopted.
    Copy,
}

/// The marker that is in a store's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMarker {
    pub id: Uuid,
    pub adopted_at: Timestamp,
    pub mismatch: Option<Mismatch>,
}

/// Directory that a store's root was when intents were recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootThen {
    /// Id in its marker, where the store was adopted.
    pub adoption: Option<Uuid>,
    pub device: u64,
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; none where the file system does not know.
    pub born_ns: Option<i64>,
}

/// Reason not to take files of a store: it may be another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoreDoubt {
    pub store: Name,
    pub root: PathBuf,
    #[serde(flatten)]
    pub why: WhyStore,
}

/// Doubt about a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "doubt", rename_all = "snake_case")]
pub enum WhyStore {
    /// Its root has no marker.
    NotAdopted,
    /// Its root has the marker of something else.
    Mismatch(Mismatch),
    /// Its marker has its name and was written for another directory.
    OlderMarker,
    /// Its root is another directory than when the rows went.
    OtherRoot,
    /// The marker cannot be read.
    Unreadable {
        #[serde(skip)]
        why: String,
    },
}

/// Reason that a store may not be the one that was adopted. `adopted`: the marker's id in the ledger; `required`: it must
/// be adopted, and not only if it once was.
pub fn identity(marker: Option<&FoundMarker>, adopted: Option<Uuid>, required: bool) -> Option<WhyStore> {
    let Some(marker) = marker else {
        return (required || adopted.is_some()).then_some(WhyStore::NotAdopted);
    };
    let is_other = adopted.is_some_and(|adopted| adopted != marker.id);
    match &marker.mismatch {
        Some(Mismatch::Copy) | None if is_other => Some(WhyStore::OlderMarker),
        mismatch => mismatch.clone().map(WhyStore::Mismatch),
    }
}

/// Reason that a store's root may not be the directory in which an earlier run left files pending at `recorded_at`. An
/// adoption since then is the operator's word that it is.
pub fn same_root(
    marker: Option<&FoundMarker>,
    now: Option<&RootThen>,
    then: &RootThen,
    recorded_at: Timestamp,
) -> Option<WhyStore> {
    // The device's number counts only where the file system does not know when a directory was made.
    let is_that_root = || {
        now.is_some_and(|now| {
            now.inode == then.inode
                && match (now.born_ns, then.born_ns) {
                    (Some(now), Some(then)) => now == then,
                    (None, _) | (_, None) => now.device == then.device,
                }
        })
    };
    let is_same = match (marker, then.adoption) {
        (Some(marker), Some(adoption)) => marker.id == adoption || marker.adopted_at > recorded_at,
        (Some(marker), None) => marker.adopted_at > recorded_at || is_that_root(),
        (None, _) => is_that_root(),
    };
    (!is_same).then_some(WhyStore::OtherRoot)
}

impl WhyStore {
    /// The word that JSON has.
    pub const fn code(&self) -> &'static str {
        match self {
            WhyStore::NotAdopted => "not_adopted",
            WhyStore::Mismatch(_) | WhyStore::OlderMarker | WhyStore::OtherRoot => "other_store",
            WhyStore::Unreadable { .. } => "store_unavailable",
        }
    }

    /// The doubt, with the store that it is about.
    pub fn of(self, store: &Store) -> StoreDoubt {
        StoreDoubt { store: store.name.clone(), root: store.root.clone(), why: self }
    }
}

impl StoreDoubt {
    /// The word that JSON has.
    pub fn code(&self) -> &'static str {
        self.why.code()
    }
}

impl fmt::Display for StoreDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, root) = (&self.store, self.root.display());
        match &self.why {
            WhyStore::NotAdopted => write!(
                f,
                "store {name} is not adopted: there is no marker in {root}. If it was adopted before, its disk may not be \
                 mounted, or the path is another one now: look at what is there. If this is the right directory, run `retaind \
                 adopt {name}`"
            ),
            WhyStore::Mismatch(Mismatch::Store { marked }) => write!(
                f,
                "{root} was adopted as store {marked}, not as store {name}: a path in the configuration, or a mount, may have \
                 been mixed up. If it is right, run `retaind adopt {name} --again`"
            ),
            WhyStore::Mismatch(Mismatch::Copy) => write!(
                f,
                "the marker in {root} is not the file that adopting store {name} wrote: this may be a copy of the store. If \
                 it is right, run `retaind adopt {name} --again`"
            ),
            WhyStore::Mismatch(Mismatch::FileSystem { marked, here }) => write!(
                f,
                "store {name} was adopted on another file system ({marked}) than the one that {root} is on now ({here}): \
                 another disk may be mounted there, or none, or a copy. If it is right, run `retaind adopt {name} --again`"
            ),
            WhyStore::OlderMarker => write!(
                f,
                "the marker in {root} is not the one that was written when store {name} was adopted last: it may be an older \
                 copy of the store. If it is right, run `retaind adopt {name} --again`"
            ),
            WhyStore::OtherRoot => write!(
                f,
                "{root} is another directory than it was when the rows went: the disk of store {name} may not be mounted, or \
                 another may be. If it is the right one, run `retaind adopt {name}`"
            ),
            WhyStore::Unreadable { why } => write!(f, "store {name}: {why}"),
        }
    }
}

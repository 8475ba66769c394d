//! Rules of policies of files and orphans for one file, and what keeps it as reasons. What keeps a file whatever policy it is
//! of is in `file`; which of many files go together is in `choose`.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::facts::in_seconds;
use super::file::{FileFacts, FileKind, Stays};
use super::policy::Standstill;
use super::store::StoreDoubt;
use crate::policy::{AgeBy, ByteCount, FileMatch, Per, Space};
use crate::text::{human, word_of};

/// Start of the age of a file: an orphan counts from when it last came to be what it is, a file of a `files` policy from when it
/// was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeOf {
    File,
    Orphan,
}

/// Something that keeps a file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum FileReason {
    /// A link, a socket, a directory: no policy takes it by itself.
    NotFile {
        kind: FileKind,
    },
    /// It stays whatever policy it is of.
    Stays(Stays),
    Standstill(Standstill),
    /// The store may not be the one that was adopted: runs are blocked.
    NotAdopted {
        #[serde(flatten)]
        why: StoreState,
    },
    NotMatched {
        include: Vec<String>,
    },
    Excluded {
        exclude: Vec<String>,
    },
    /// A row names it, and others may.
    Named {
        key: String,
        source: String,
        table: String,
        others: bool,
    },
    /// It could not be asked whether a row names it.
    NamesUnknown {
        #[serde(skip)]
        why: String,
    },
    /// No row can be asked for it.
    NameIsNoText,
    /// It is one of the newest, which stay.
    Newest {
        last: NonZeroU64,
        #[serde(serialize_with = "per_word")]
        per: Per,
    },
    /// Others were changed at the very same time.
    MaybeNewest {
        last: NonZeroU64,
        #[serde(serialize_with = "per_word")]
        per: Per,
    },
    /// The limited files are within their limits.
    WithinLimits {
        #[serde(serialize_with = "as_text")]
        max_total: Option<ByteCount>,
        #[serde(serialize_with = "as_text")]
        min_free: Option<Space>,
    },
    /// Its place among the others is not known.
    PlaceUnknown {
        #[serde(skip)]
        why: String,
    },
    /// The room on its file system is not known.
    RoomUnknown {
        #[serde(skip)]
        why: String,
    },
    TooYoung {
        changed_at: Option<Timestamp>,
        #[serde(rename = "keep_secs", serialize_with = "in_seconds")]
        keep: Duration,
        #[serde(skip)]
        now: Timestamp,
    },
}

/// Doubt about a store: that it is another one, or that this cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StoreState {
    Doubt(StoreDoubt),
    #[serde(skip)]
    Unknown(String),
}

/// Rule by which a policy takes a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GoesFor {
    /// No row names it.
    Unnamed,
    /// It is older than `keep`.
    Age {
        keep: Duration,
    },
    KeepLast {
        last: NonZeroU64,
    },
    MaxTotal {
        most: ByteCount,
    },
    MinFree {
        wanted: Space,
        lacking: u64,
    },
}

/// Reason that a file which a row names stays when the row goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StaysBehind {
    /// Its path is not one of the store's.
    Unmapped { why: String },
    /// Another row names it, or something in it.
    Named { table: String, column: String },
}

/// The words of reasons, from the most lasting to what is over soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileReasonKind {
    NotFile,
    Kept,
    PolicyOff,
    TaskOff,
    ReportMode,
    NotAdopted,
    NotMatched,
    Excluded,
    Named,
    NamesUnknown,
    Newest,
    WithinLimits,
    PlaceUnknown,
    TooYoung,
}

impl FileReasonKind {
    /// The word that JSON has, which stays the same.
    pub fn word(self) -> Option<String> {
        word_of(&self)
    }
}

/// Time from which on a file ages, in nanoseconds since 1970.
pub fn aged_from_ns(facts: &FileFacts, of: AgeOf, by: AgeBy) -> i128 {
    match of {
        AgeOf::File => facts.made_ns(by),
        AgeOf::Orphan => facts.touched_ns(by),
    }
}

/// True if a file is older than the cutoff; at the cutoff it is not.
pub fn is_old(facts: &FileFacts, of: AgeOf, by: AgeBy, cutoff_ns: i128) -> bool {
    aged_from_ns(facts, of, by) < cutoff_ns
}

/// True if a file was written before the cutoff, and stays because it was made or changed since.
pub fn is_changed_since(facts: &FileFacts, of: AgeOf, by: AgeBy, cutoff_ns: i128) -> bool {
    !is_old(facts, of, by, cutoff_ns) && facts.modified_ns < cutoff_ns
}

/// Instant from which on a file is old enough, and the reason that keeps it until then.
pub fn age(
    facts: &FileFacts,
    of: AgeOf,
    by: AgeBy,
    keep: Duration,
    now: Timestamp,
) -> (Option<Timestamp>, Option<FileReason>) {
    let changed_at = Timestamp::from_nanosecond(aged_from_ns(facts, of, by)).ok();
    let cutoff_ns = now.checked_sub(keep).map_or(i128::MIN, Timestamp::as_nanosecond);
    let too_young = || FileReason::TooYoung { changed_at, keep, now };
    let eligible_at = changed_at.and_then(|at| at.checked_add(keep).ok());
    (eligible_at, (!is_old(facts, of, by, cutoff_ns)).then(too_young))
}

/// Reason that a policy's patterns leave a file out.
pub fn unmatched(matching: &FileMatch, path: &[u8]) -> Option<FileReason> {
    if matching.matches(path) {
        return None;
    }
    Some(match matching.without_exclude().matches(path) {
        true => FileReason::Excluded { exclude: matching.exclude().to_vec() },
        false => FileReason::NotMatched { include: matching.include().to_vec() },
    })
}

/// Reason that `keep_last` keeps a file, of so many newer ones and so many of its own time.
pub fn newest(last: NonZeroU64, per: Per, newer: u64, ties: u64) -> Option<FileReason> {
    if newer + ties < last.get() {
        return Some(FileReason::Newest { last, per });
    }
    (newer < last.get()).then_some(FileReason::MaybeNewest { last, per })
}

impl FileReason {
    /// The word that JSON has, which stays the same.
    pub fn kind(&self) -> FileReasonKind {
        match self {
            FileReason::NotFile { .. } => FileReasonKind::NotFile,
            FileReason::Stays(_) => FileReasonKind::Kept,
            FileReason::Standstill(Standstill::PolicyOff { .. }) => FileReasonKind::PolicyOff,
            FileReason::Standstill(Standstill::TaskOff { .. }) => FileReasonKind::TaskOff,
            FileReason::Standstill(Standstill::ReportMode { .. }) => FileReasonKind::ReportMode,
            FileReason::NotAdopted { .. } => FileReasonKind::NotAdopted,
            FileReason::NotMatched { .. } => FileReasonKind::NotMatched,
            FileReason::Excluded { .. } => FileReasonKind::Excluded,
            FileReason::Named { .. } => FileReasonKind::Named,
            FileReason::NamesUnknown { .. } | FileReason::NameIsNoText => FileReasonKind::NamesUnknown,
            FileReason::Newest { .. } => FileReasonKind::Newest,
            FileReason::WithinLimits { .. } => FileReasonKind::WithinLimits,
            FileReason::MaybeNewest { .. } | FileReason::PlaceUnknown { .. } | FileReason::RoomUnknown { .. } => {
                FileReasonKind::PlaceUnknown
            }
            FileReason::TooYoung { .. } => FileReasonKind::TooYoung,
        }
    }
}

impl GoesFor {
    /// The word that JSON has: the key of the configuration, or `unnamed`.
    pub fn code(&self) -> &'static str {
        match self {
            GoesFor::Unnamed => "unnamed",
            GoesFor::Age { .. } => "keep",
            GoesFor::KeepLast { .. } => "keep_last",
            GoesFor::MaxTotal { .. } => "max_total",
            GoesFor::MinFree { .. } => "min_free",
        }
    }
}

impl StaysBehind {
    /// The word that JSON has.
    pub fn code(&self) -> &'static str {
        match self {
            StaysBehind::Unmapped { .. } => "unmapped",
            StaysBehind::Named { .. } => "named",
        }
    }
}

fn per_word<S: Serializer>(per: &Per, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(per.word())
}

/// Writes a size as the configuration has it.
fn as_text<S: Serializer, T: fmt::Display>(size: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
    match size {
        Some(size) => serializer.collect_str(size),
        None => serializer.serialize_none(),
    }
}

impl fmt::Display for GoesFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GoesFor::Unnamed => f.write_str("no row names it"),
            GoesFor::Age { keep } => write!(f, "it is older than keep ({})", human::length(*keep)),
            GoesFor::KeepLast { last } => write!(f, "it is none of the newest {last}"),
            GoesFor::MaxTotal { most } => write!(f, "with newer files it takes more than max_total ({most})"),
            GoesFor::MinFree { wanted, lacking } => {
                write!(f, "min_free ({wanted}) lacks {}, more than older files take", human::size(*lacking))
            }
        }
    }
}

impl fmt::Display for StaysBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StaysBehind::Unmapped { why } => f.write_str(why),
            StaysBehind::Named { table, column } => write!(f, "another row names it, in {column} of {table}"),
        }
    }
}

/// "of its directory", "of the store".
struct Of(Per);

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Per::Directory => "of its directory",
            Per::Store => "of the store",
        })
    }
}

impl fmt::Display for FileReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileReason::NotFile { kind } => write!(f, "it is {kind}, and policies take files alone"),
            FileReason::Stays(stays) => write!(f, "it {stays}"),
            FileReason::Standstill(standstill) => standstill.fmt(f),
            FileReason::NotAdopted { why: StoreState::Doubt(doubt) } => doubt.fmt(f),
            FileReason::NotAdopted { why: StoreState::Unknown(why) } => f.write_str(why),
            FileReason::NotMatched { include } => write!(f, "match does not take it: {}", include.join(", ")),
            FileReason::Excluded { exclude } => write!(f, "exclude leaves it out: {}", exclude.join(", ")),
            FileReason::Named { key, source, table, others } => {
                let more = if *others { ", and others" } else { "" };
                write!(f, "row {key} of {source}.{table} names it{more}")
            }
            FileReason::NamesUnknown { why } => f.write_str(why),
            FileReason::NameIsNoText => {
                f.write_str("its name is not a text, so that it cannot be known whether a row means it")
            }
            FileReason::Newest { last, per } => {
                write!(f, "it is one of the newest {last} {}, which keep_last keeps", Of(*per))
            }
            FileReason::MaybeNewest { last, per } => {
                write!(f, "it may be one of the newest {last} {}: others were changed at the very same time", Of(*per))
            }
            FileReason::WithinLimits { max_total, min_free } => {
                let total = max_total.map(|most| format!("with newer files it takes no more than max_total ({most})"));
                let free = min_free.map(|wanted| format!("min_free ({wanted}) holds, or does without it"));
                f.write_str(&total.into_iter().chain(free).collect::<Vec<_>>().join(", and "))
            }
            FileReason::PlaceUnknown { why } => write!(f, "its place among the others is not known: {why}"),
            FileReason::RoomUnknown { why } => write!(f, "the room on the file system is not known: {why}"),
            FileReason::TooYoung { changed_at, keep, now } => {
                let keep = human::length(*keep);
                match changed_at {
                    Some(at) if at <= now => {
                        write!(f, "too young: changed {} ago and kept for {keep}", human::between(*at, *now))
                    }
                    Some(_) | None => {
                        write!(f, "its time of change lies in the future, and it is kept for {keep} from then on")
                    }
                }
            }
        }
    }
}

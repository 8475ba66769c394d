//! Reasons that a whole policy takes nothing: as data, by the word that JSON has, and in English.

use std::fmt;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::facts::{facts_of, in_seconds};
use super::source::{TakesNoChanges, Timeless};
use super::store::StoreDoubt;
use crate::outcome::{Facts, Held, HoldKind, Pause, PolicyResult, RunId, Subject};
use crate::policy::{Name, TableName};
use crate::text::human::{counted, spell};

/// Reason that a policy of a run takes nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Blocked {
    /// It waits for an approval.
    Held(Held),
    /// An operator has set it aside, or the task that is run as a whole.
    Paused {
        subject: Subject,
        pause: Pause,
    },
    /// It is not known whether it is paused.
    PauseUnknown {
        why: String,
    },
    ClockSkew {
        source: Name,
        secs: f64,
        most: f64,
    },
    /// The clock was set back while it ran.
    ClockSetBack {
        #[serde(rename = "by_secs", serialize_with = "in_seconds")]
        by: SignedDuration,
    },
    ClockUnknown {
        #[serde(skip)]
        why: String,
    },
    MaxRows {
        most: u64,
    },
    MaxRowsFraction {
        eligible: u64,
        total: u64,
        table: TableName,
        share: f64,
        most: f64,
    },
    MaxFiles {
        going: u64,
        most: u64,
    },
    MaxFilesFraction {
        going: u64,
        of: u64,
        share: f64,
        most: f64,
    },
    /// More would go than was shown when somebody approved it.
    BeyondApproval {
        amount: u64,
        things: &'static str,
        shown_at: Timestamp,
        most: u64,
    },
    /// A comparison with a time says the same at every time.
    TimeIndependent(Timeless),
    ReadOnlySource(TakesNoChanges),
    /// Another run has the policy.
    Leased {
        policy: Name,
        run_id: RunId,
        pid: u32,
        since: Timestamp,
    },
    /// Another program has the table.
    InUse {
        #[serde(skip)]
        why: String,
    },
    HookFailed {
        hook: &'static str,
        #[serde(skip)]
        error: String,
    },
    /// A store or one of its references cannot be opened.
    StoreUnavailable {
        store: Name,
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<Name>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        #[serde(skip)]
        why: String,
    },
    Store(StoreDoubt),
    /// Parts of a store could not be walked (D7).
    StoreUnseen {
        store: Name,
        places: u64,
    },
    /// Nothing can be removed there, so that rows would go and files stay.
    Unremovable {
        store: Name,
        #[serde(skip)]
        why: String,
    },
    /// Nearly all files that eligible rows name are not there (D3).
    FilesMissing {
        store: Name,
        root: PathBuf,
        missing: u64,
        named: u64,
    },
    /// A table that names files is empty (D1).
    ReferenceEmpty {
        reference: String,
        store: Name,
    },
    /// Most of what it names leads out of the store (D5).
    ReferenceOutside {
        reference: String,
        store: Name,
        root: PathBuf,
        outside: u64,
        inside: u64,
        examples: String,
    },
    /// Its rows name no file (D1).
    ReferenceWithoutFiles {
        reference: String,
        rows: u64,
    },
    /// None of the files that one reference names is there.
    ReferenceAbsent {
        reference: String,
        path: String,
        store: Name,
        orphans: u64,
    },
    /// Many files that rows name are missing where many have no row (D20).
    ManyMissing {
        store: Name,
        missing: u64,
        orphans: u64,
        example: Option<String>,
    },
    /// Nothing that rows name is there (D5).
    AllMissing {
        store: Name,
        root: PathBuf,
        named: u64,
        example: Option<String>,
    },
}

impl Blocked {
    /// The word that JSON has, which stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            Blocked::Held(_) => "held",
            Blocked::Paused { .. } => "paused",
            Blocked::PauseUnknown { .. } => "pause_unknown",
            Blocked::ClockSkew { .. } => "clock_skew",
            Blocked::ClockSetBack { .. } => "clock_set_back",
            Blocked::ClockUnknown { .. } => "clock_unknown",
            Blocked::MaxRows { .. } => "max_rows",
            Blocked::MaxRowsFraction { .. } | Blocked::MaxFilesFraction { .. } => "max_fraction",
            Blocked::MaxFiles { .. } => "max_files",
            Blocked::BeyondApproval { .. } => "approved",
            Blocked::TimeIndependent(_) => "time_independent",
            Blocked::ReadOnlySource(_) => "read_only_source",
            Blocked::Leased { .. } => "already_running",
            Blocked::InUse { .. } => "in_use",
            Blocked::HookFailed { .. } => "hook_failed",
            Blocked::StoreUnavailable { .. } => "store_unavailable",
            Blocked::Store(doubt) => doubt.code(),
            Blocked::StoreUnseen { .. } => "store_unseen",
            Blocked::Unremovable { .. } => "unremovable",
            Blocked::FilesMissing { .. } => "files_missing",
            Blocked::ReferenceEmpty { .. } => "reference_empty",
            Blocked::ReferenceOutside { .. } => "reference_outside",
            Blocked::ReferenceWithoutFiles { .. } => "reference_without_files",
            Blocked::ReferenceAbsent { .. } => "reference_absent",
            Blocked::ManyMissing { .. } => "many_missing",
            Blocked::AllMissing { .. } => "all_missing",
        }
    }

    /// True if it is about how much would go: an approval lifts that.
    pub fn is_by_amount(&self) -> bool {
        match self {
            Blocked::Held(held) => matches!(held.kind, HoldKind::Growth | HoldKind::Guard),
            Blocked::MaxRows { .. }
            | Blocked::MaxRowsFraction { .. }
            | Blocked::MaxFiles { .. }
            | Blocked::MaxFilesFraction { .. }
            | Blocked::BeyondApproval { .. } => true,
            _ => false,
        }
    }

    /// Writes into the result of a policy why it took nothing.
    pub fn write_to(&self, result: &mut PolicyResult) {
        result.blocked_by = Some(self.to_string());
        result.blocked_code = Some(self.code().to_owned());
        result.blocked_facts = self.facts();
        result.held = self.held().cloned();
    }

    /// The facts of a hold in which this guard is the reason.
    pub fn guard_facts(&self) -> Facts {
        let guard = ("guard".to_owned(), self.code().into());
        std::iter::once(guard).chain(self.facts()).collect()
    }

    /// The numbers and names in its sentence; a hold has its own.
    pub fn facts(&self) -> Facts {
        if self.held().is_some() { Facts::new() } else { facts_of(self) }
    }

    /// The hold, where an approval is all that it needs.
    pub fn held(&self) -> Option<&Held> {
        match self {
            Blocked::Held(held) => Some(held),
            _ => None,
        }
    }
}

/// " (for example …)", where there is one.
struct Example<'a>(&'a Option<String>);

impl fmt::Display for Example<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |path| write!(f, " (for example {path:?})"))
    }
}

/// Advice where too much of something would go.
const SEE: &str = "see what they are with `retaind plan`, and why there are so many";

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blocked::Held(held) => f.write_str(&held.sentence()),
            Blocked::Paused { subject, pause: Pause { since, by, reason } } => {
                let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                write!(
                    f,
                    "paused: {subject} is paused since {since:.0} by {by}{reason}; `retaind resume {}` lets it go on",
                    subject.name()
                )
            }
            Blocked::PauseUnknown { why } => {
                write!(f, "paused: it is not known whether it is paused, so nothing is taken: {why}")
            }
            Blocked::ClockSkew { source, secs, most } => write!(
                f,
                "clock_skew: the clock of source {source} is {secs:.0} s away from this machine's (at most {most} s \
                 is allowed), so no cutoff can be trusted; set the clocks right"
            ),
            Blocked::ClockSetBack { by } => write!(
                f,
                "held: the clock was set back by {} since this run began, so it is not known what is old by it; the next run \
                 goes by the clock as it is then",
                spell(*by)
            ),
            Blocked::ClockUnknown { why } => {
                write!(f, "held: it is not known whether the clock can be trusted: {why}")
            }
            Blocked::MaxRows { most } => write!(f, "max_rows: more than {most} rows are eligible; {SEE}"),
            Blocked::MaxRowsFraction { eligible, total, table, share, most } => write!(
                f,
                "max_fraction: {eligible} of {total} rows of {table} are eligible, a share of {share:.3}, and {most} is the \
                 most; {SEE}"
            ),
            Blocked::MaxFiles { going, most } => {
                write!(f, "max_files: {going} files would go, and {most} is the most; {SEE}")
            }
            Blocked::MaxFilesFraction { going, of, share, most } => write!(
                f,
                "max_fraction: {going} of {of} files would go, a share of {share:.3}, and {most} is the most; {SEE}"
            ),
            Blocked::BeyondApproval { amount, things, shown_at, most } => write!(
                f,
                "approved: {amount} {things} would go that were eligible at {shown_at:.0}, and {most} were shown when that \
                 was approved; see what they are with `retaind approve`"
            ),
            Blocked::TimeIndependent(timeless) => timeless.fmt(f),
            Blocked::ReadOnlySource(source) => source.fmt(f),
            Blocked::InUse { why } | Blocked::StoreUnavailable { why, .. } => f.write_str(why),
            Blocked::Leased { policy, run_id, pid, since } => {
                write!(f, "policy {policy} is being run already: run {run_id}, process {pid}, since {since}")
            }
            Blocked::HookFailed { hook, error } => write!(f, "{hook} hook: {error}"),
            Blocked::Store(doubt) => doubt.fmt(f),
            Blocked::StoreUnseen { store, places } => write!(
                f,
                "{} in store {store} could not be looked at, so that it is not known what is in it: see the errors",
                counted(*places, "place")
            ),
            Blocked::Unremovable { store, why } => write!(
                f,
                "nothing can be removed in store {store}: {why}. Rows would go and their files stay; fix that first (`retaind \
                 check` says what this user lacks)"
            ),
            Blocked::FilesMissing { store, root, missing, named } => write!(
                f,
                "files_missing: of {named} files that eligible rows name in store {store}, {missing} are not in {}: its disk \
                 may not be mounted, or path or strip_prefix of [stores.{store}] lead elsewhere. Look at what is there; \
                 `retaind adopt {store}` makes runs know the store again. If these files are gone for good, write \
                 may_be_missing = true in files of the policy",
                root.display()
            ),
            Blocked::ReferenceEmpty { reference, store } => write!(
                f,
                "the table of reference {reference} is empty: it names no file of store {store}. The database may be restored \
                 in part, or be another one: look at what happened to it; where the table may be empty, write may_be_empty = \
                 true in the reference"
            ),
            Blocked::ReferenceOutside { reference, store, root, outside, inside, examples } => write!(
                f,
                "prefix mismatch: of what {reference} names, {outside} paths map outside of store {store}, and {inside} into \
                 it (for example {examples}). Paths may be written in another way now, or the store's path or strip_prefix be \
                 another one: set them so that the paths map into {}",
                root.display()
            ),
            Blocked::ReferenceWithoutFiles { reference, rows } => write!(
                f,
                "reference {reference} names no file at all in {rows} rows: look at what happened to the table; where its \
                 rows may name none, write may_be_empty = true in the reference"
            ),
            Blocked::ReferenceAbsent { reference, path, store, orphans } => write!(
                f,
                "of the files that reference {reference} names, none is in store {store} (for example {path:?}), and \
                 {orphans} files there have no row. Its column may hold something else than one path of this store; correct \
                 the reference, or, where its files may all be gone, declare it with may_be_missing = true"
            ),
            Blocked::ManyMissing { store, missing, orphans, example } => write!(
                f,
                "{missing} files that rows name are not in store {store}{}, and {orphans} files there have no row: so many of \
                 both may be the same files in another spelling. Compare them, and correct strip_prefix or the rows; where \
                 files of a reference may be gone, write may_be_missing = true in it",
                Example(example)
            ),
            Blocked::AllMissing { store, root, named, example } => write!(
                f,
                "prefix mismatch: rows name {named} files or directories of store {store}, and none of them is in {}{}. Paths \
                 may be written in another way now, or the store's path or strip_prefix be another one",
                root.display(),
                Example(example)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_doubt_never_asks_for_a_higher_limit() {
        let (store, root, example) = (name("images"), PathBuf::from("/srv/images"), Some("a.jpg".to_owned()));
        let reference = "app.link.path".to_owned();
        for blocked in [
            Blocked::ReferenceEmpty { reference: reference.clone(), store: store.clone() },
            Blocked::ReferenceWithoutFiles { reference: reference.clone(), rows: 3 },
            Blocked::ReferenceOutside {
                reference: reference.clone(),
                store: store.clone(),
                root: root.clone(),
                outside: 2,
                inside: 1,
                examples: "\"/mnt/new/1.png\"".to_owned(),
            },
            Blocked::ReferenceAbsent { reference, path: "a.jpg".to_owned(), store: store.clone(), orphans: 1 },
            Blocked::ManyMissing { store: store.clone(), missing: 20, orphans: 20, example: example.clone() },
            Blocked::AllMissing { store, root, named: 3, example },
        ] {
            let said = blocked.to_string();
            for word in ["max_", "raise", "increase", "higher", "threshold", "limit"] {
                assert!(!said.contains(word), "{said}");
            }
        }
    }

    #[test]
    fn facts_are_the_values_of_the_sentence() {
        let facts = |blocked: Blocked| serde_json::to_value(blocked.facts()).unwrap();
        assert_eq!(facts(Blocked::MaxFiles { going: 5, most: 2 }), serde_json::json!({ "going": 5, "most": 2 }));
        let by = SignedDuration::from_hours(1);
        assert_eq!(facts(Blocked::ClockSetBack { by }), serde_json::json!({ "by_secs": 3600 }));
        let (store, root) = (name("images"), PathBuf::from("/srv/images"));
        let why = super::super::store::WhyStore::NotAdopted;
        let doubt = serde_json::json!({ "store": "images", "root": "/srv/images", "doubt": "not_adopted" });
        assert_eq!(facts(Blocked::Store(StoreDoubt { store, root, why })), doubt);
        assert_eq!(facts(Blocked::InUse { why: "locked".to_owned() }), serde_json::json!({}));
    }
}

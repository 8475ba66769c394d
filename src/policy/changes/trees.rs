//! Changes of policies of files and orphans that let them delete more than before, and their properties as they are
//! shown.

use std::num::NonZeroU64;
use std::time::Duration;

use super::super::{FileMatch, FilesPolicy, Fraction, OpenFiles, OrphansPolicy, Per, Space};
use super::fact::{Fact, fact, optional};
use super::words::{Shown, joined};

pub(super) fn files_facts(files: &FilesPolicy) -> Vec<Fact> {
    let FilesPolicy {
        store,
        matching,
        keep,
        keep_last,
        max_total,
        min_free,
        per,
        prune_empty,
        open,
        bypass_trash,
        max_files,
        max_fraction,
    } = files;
    let mut facts = vec![fact("store", store)];
    facts.extend(match_facts(matching));
    facts.extend([
        optional("keep", keep.map(Shown)),
        optional("keep_last", keep_last.as_ref()),
        optional("max_total", max_total.as_ref()),
        optional("min_free", min_free.as_ref()),
        optional("per", per.map(Per::word)),
        fact("prune_empty", prune_empty),
        fact("open", open.word()),
        fact("bypass_trash", bypass_trash),
        optional("max_files", max_files.as_ref()),
        optional("max_fraction", max_fraction.map(Fraction::get)),
    ]);
    facts
}

pub(super) fn orphans_facts(orphans: &OrphansPolicy) -> Vec<Fact> {
    let OrphansPolicy { store, matching, keep, max_fraction, max_files } = orphans;
    let mut facts = vec![fact("store", store)];
    facts.extend(match_facts(matching));
    facts.extend([
        fact("keep", Shown(*keep)),
        fact("max_fraction", max_fraction.get()),
        optional("max_files", max_files.as_ref()),
    ]);
    facts
}

fn match_facts(matching: &FileMatch) -> [Fact; 2] {
    let shown = |patterns: &[String]| joined(patterns.iter().cloned());
    [optional("match", shown(matching.include())), optional("exclude", shown(matching.exclude()))]
}

pub(super) fn wider_files_policy(before: &FilesPolicy, after: &FilesPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    if before.store != after.store {
        reasons.push(format!("store {} → {}", before.store, after.store));
    }
    reasons.extend(wider_match(&before.matching, &after.matching));
    match (before.keep, after.keep) {
        (Some(old), Some(new)) if new < old => reasons.push(shorter(old, new)),
        (None, Some(new)) => reasons.push(format!("keep {} added", Shown(new))),
        (Some(_), Some(_) | None) | (None, None) => {}
    }
    reasons.extend(wider_keep_last(before, after));
    match (before.max_total, after.max_total) {
        (Some(old), Some(new)) if new < old => reasons.push(format!("max_total {old} → {new}")),
        (None, Some(new)) => reasons.push(format!("max_total {new} added")),
        (Some(_), Some(_) | None) | (None, None) => {}
    }
    reasons.extend(larger_min_free(before.min_free, after.min_free));
    if before.per != after.per {
        // The newest of each directory are other files than the newest of all, and more or fewer of them.
        reasons.push("per changed".to_owned());
    }
    if after.prune_empty && !before.prune_empty {
        reasons.push("prune_empty switched on".to_owned());
    }
    if after.open == OpenFiles::Delete && before.open == OpenFiles::Skip {
        reasons.push("open skip → delete".to_owned());
    }
    if after.bypass_trash && !before.bypass_trash {
        reasons.push("bypass_trash switched on".to_owned());
    }
    reasons
}

pub(super) fn looser_files_guards(before: &FilesPolicy, after: &FilesPolicy) -> Vec<String> {
    let fraction = looser_max_fraction(before.max_fraction, after.max_fraction);
    looser_max_files(before.max_files, after.max_files).into_iter().chain(fraction).collect()
}

pub(super) fn wider_orphans_policy(before: &OrphansPolicy, after: &OrphansPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    if before.store != after.store {
        reasons.push(format!("store {} → {}", before.store, after.store));
    }
    reasons.extend(wider_match(&before.matching, &after.matching));
    if after.keep < before.keep {
        reasons.push(shorter(before.keep, after.keep));
    }
    reasons
}

pub(super) fn looser_orphans_guards(before: &OrphansPolicy, after: &OrphansPolicy) -> Vec<String> {
    let fraction = looser_max_fraction(Some(before.max_fraction), Some(after.max_fraction));
    fraction.into_iter().chain(looser_max_files(before.max_files, after.max_files)).collect()
}

fn shorter(old: Duration, new: Duration) -> String {
    format!("keep {} → {}", Shown(old), Shown(new))
}

/// Patterns that only come to include more, or to exclude less, can be told; of changed ones nobody can say which match
/// more.
fn wider_match(before: &FileMatch, after: &FileMatch) -> Vec<String> {
    let mut reasons = Vec::new();
    let lacks = |some: &[String], other: &[String]| some.iter().any(|pattern| !other.contains(pattern));
    match (before.include(), after.include()) {
        ([], _) => {}
        (_, []) => reasons.push("match removed".to_owned()),
        (old, new) if lacks(new, old) => reasons.push("match changed".to_owned()),
        (_, _) => {}
    }
    match (before.exclude(), after.exclude()) {
        ([_, ..], []) => reasons.push("exclude removed".to_owned()),
        (old, new) if lacks(old, new) => reasons.push("exclude changed".to_owned()),
        (_, _) => {}
    }
    reasons
}

/// Fewer are protected, or, where nothing else says what goes, more than that many go.
fn wider_keep_last(before: &FilesPolicy, after: &FilesPolicy) -> Option<String> {
    let alone = |files: &FilesPolicy| files.keep.is_none() && files.max_total.is_none() && files.min_free.is_none();
    match (before.keep_last, after.keep_last) {
        (Some(old), Some(new)) if new < old => Some(format!("keep_last {old} → {new}")),
        (Some(_), None) => Some("keep_last removed".to_owned()),
        (Some(last), Some(_)) if alone(after) && !alone(before) => {
            Some(format!("all but the newest {last} go whatever their age"))
        }
        (None, Some(new)) if alone(after) => {
            Some(format!("keep_last {new} added, and all others go whatever their age"))
        }
        (Some(_) | None, Some(_)) | (None, None) => None,
    }
}

fn larger_min_free(before: Option<Space>, after: Option<Space>) -> Option<String> {
    match (before, after?) {
        (None, new) => Some(format!("min_free {new} added")),
        (Some(Space::Bytes(old)), Space::Bytes(new)) if new <= old => None,
        (Some(Space::Share(old)), Space::Share(new)) if new.get() <= old.get() => None,
        // Of a size and a share, which is larger depends on the disk.
        (Some(old), new) => Some(format!("min_free {old} → {new}")),
    }
}

fn looser_max_files(before: Option<NonZeroU64>, after: Option<NonZeroU64>) -> Option<String> {
    match (before?, after) {
        (old, Some(new)) => (new > old).then(|| format!("max_files {old} → {new}")),
        (_, None) => Some("max_files removed".to_owned()),
    }
}

/// Also of a policy of rows.
pub(super) fn looser_max_fraction(before: Option<Fraction>, after: Option<Fraction>) -> Option<String> {
    match (before?.get(), after.map(Fraction::get)) {
        (old, Some(new)) => (new > old).then(|| format!("max_fraction {old} → {new}")),
        (_, None) => Some("max_fraction removed".to_owned()),
    }
}

//! Policies that a reload lets delete more than before: said aloud, because a slip in a configuration looks the same.

use std::time::Duration;

use super::super::{
    Action, AgeBy, Child, Hook, Keep, KeepByValue, Mode, Name, Namer, OnDelete, Outside, OwnedFile, Policy, PolicyKind,
    Reference, RowsPolicy, Settings, Store,
};
use super::words::{self, Shown, zone};
use super::{find, trees};

/// A policy that may delete more than before, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    pub policy: Name,
    /// In words: "keep 60d → 30d", "where changed", "max_rows removed".
    pub reasons: Vec<String>,
}

/// The policies that a reload lets delete more, or with fewer guards, than before. What only reports, or is switched
/// off, deletes nothing and is not listed. A changed `where` counts as wider: which of two is, nobody can tell.
pub fn widened(old: &Settings, new: &Settings) -> Vec<Widening> {
    let mut widenings = Vec::new();
    for policy in new.policies.iter().filter(|policy| deletes(new, policy)) {
        let reasons = match find(&old.policies, &policy.name) {
            None => vec!["the policy is new".to_owned()],
            Some(before) => widening_reasons((old, before), (new, policy)),
        };
        if !reasons.is_empty() {
            widenings.push(Widening { policy: policy.name.clone(), reasons });
        }
    }
    widenings
}

/// The policies about which a reload makes the configuration more careful: those that the old one lets delete more, or with
/// fewer guards, than the new one, and those that are gone or have moved to another task.
pub fn more_careful(old: &Settings, new: &Settings) -> Vec<Name> {
    let mut names: Vec<Name> = widened(new, old).into_iter().map(|widening| widening.policy).collect();
    let has_moved = |before: &Policy| find(&new.policies, &before.name).is_some_and(|after| after.task != before.task);
    let moved = old.policies.iter().filter(|before| deletes(old, before) && has_moved(before));
    names.extend(moved.map(|policy| policy.name.clone()));
    names.sort_unstable();
    names.dedup();
    names
}

fn deletes(settings: &Settings, policy: &Policy) -> bool {
    policy.enabled && policy.mode == Mode::Enforce && settings.daemon.mode == Mode::Enforce
}

fn widening_reasons((old, before): (&Settings, &Policy), (new, after): (&Settings, &Policy)) -> Vec<String> {
    let mut reasons = Vec::new();
    if !before.enabled {
        reasons.push("it is switched on".to_owned());
    }
    if before.mode == Mode::Report || old.daemon.mode == Mode::Report {
        reasons.push("mode report → enforce".to_owned());
    }
    let scheduled = |settings: &Settings, policy: &Policy| {
        policy.task.as_ref().is_some_and(|task| settings.task(task).is_some_and(|task| task.enabled))
    };
    if scheduled(new, after) && !scheduled(old, before) {
        reasons.push("it now runs on schedule".to_owned());
    }
    let Wider { scope, guards } = wider((old, before), (new, after));
    reasons.extend(scope);
    reasons.extend(guards);
    reasons
}

/// Differences by which a policy may take more than another one of the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wider {
    /// Changes that let it take other things, in words.
    pub scope: Vec<String>,
    /// Guards that stop it later than before, in words.
    pub guards: Vec<String>,
}

/// Changes that let a policy take more under the new configuration than under the old one, whether it is switched on or
/// not. A policy that the old one does not have takes more in no known way.
pub fn wider_than(old: &Settings, new: &Settings, policy: &Name) -> Wider {
    match (find(&old.policies, policy), find(&new.policies, policy)) {
        (Some(before), Some(after)) => wider((old, before), (new, after)),
        (None, _) | (_, None) => Wider::default(),
    }
}

fn wider((old, before): (&Settings, &Policy), (new, after): (&Settings, &Policy)) -> Wider {
    let (mut reasons, mut guards) = (Vec::new(), Vec::new());
    if after.max_growth > before.max_growth {
        guards.push(format!("max_growth {} → {}", before.max_growth, after.max_growth));
    }
    match (&before.kind, &after.kind) {
        (PolicyKind::Rows(rows_before), PolicyKind::Rows(rows_after)) => {
            reasons.extend(wider_scope(rows_before, rows_after));
            reasons.extend(wider_times(rows_before, rows_after));
            reasons.extend(fewer_claims(rows_before, rows_after));
            reasons.extend(wider_action(rows_before, rows_after));
            guards.extend(looser_guards(rows_before, rows_after));
            if rows_after.allow_time_independent && !rows_before.allow_time_independent {
                reasons.push("allow_time_independent added".to_owned());
            }
            reasons.extend(wider_source(old, new, rows_after));
            reasons.extend(wider_files(&rows_before.files, &rows_after.files, ""));
            reasons.extend(wider_children(&rows_before.children, &rows_after.children));
            let mut stores: Vec<&Name> = rows_after.owned_files().into_iter().map(|(_, file)| &file.store).collect();
            stores.sort_unstable();
            stores.dedup();
            for reason in stores.into_iter().flat_map(|store| wider_store((old, before), (new, after), store)) {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
        }
        (PolicyKind::Files(files_before), PolicyKind::Files(files_after)) => {
            reasons.extend(trees::wider_files_policy(files_before, files_after));
            guards.extend(trees::looser_files_guards(files_before, files_after));
            reasons.extend(wider_store((old, before), (new, after), &files_after.store));
        }
        (PolicyKind::Orphans(orphans_before), PolicyKind::Orphans(orphans_after)) => {
            reasons.extend(trees::wider_orphans_policy(orphans_before, orphans_after));
            guards.extend(trees::looser_orphans_guards(orphans_before, orphans_after));
            reasons.extend(wider_store((old, before), (new, after), &orphans_after.store));
        }
        (PolicyKind::Rows(_) | PolicyKind::Files(_) | PolicyKind::Orphans(_), kind) => {
            reasons.push(format!("kind {} → {}", before.kind.word(), kind.word()));
        }
    }
    match (before_hook(old, before), before_hook(new, after)) {
        (Some(_), None) => reasons.push("before of its task removed".to_owned()),
        (Some(old), Some(new)) if old != new => reasons.push("before of its task changed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    Wider { scope: reasons, guards }
}

/// Columns that named files of a store because a policy owns files by them, and do so no more. Those of the policy itself
/// count only where its rows are still those of the same table: of another one that is said already.
fn fewer_owners((old, before): (&Settings, &Policy), (new, after): (&Settings, &Policy), store: &Name) -> Vec<String> {
    let (Some(store_before), Some(store_after)) = (old.store(store), new.store(store)) else { return Vec::new() };
    let (named_before, named_after) = (old.references_of(store_before), new.references_of(store_after));
    let table = |policy: &Policy| policy.kind.rows().map(|rows| (rows.source.clone(), rows.table.clone()));
    let has_moved = table(before) != table(after);
    let is_lost = |namer: &&Namer<'_>| !named_after.iter().any(|other| other.reference.is_same(&namer.reference));
    let counts = |namer: &&Namer<'_>| !has_moved || namer.owners.iter().any(|owner| **owner != before.name);
    let lost = named_before.iter().filter(|namer| !namer.declared).filter(is_lost).filter(counts);
    lost.map(|namer| format!("{} no longer names files of store {store}", namer.reference)).collect()
}

/// The databases that say which files of a store are named: another one may name other files.
fn other_databases(old: &Settings, new: &Settings, store: &Store) -> Vec<String> {
    let mut sources: Vec<_> = new.references_of(store).into_iter().map(|namer| namer.reference.source).collect();
    sources.sort_unstable();
    sources.dedup();
    let is_another = |source: &Name| match (old.source(source), new.source(source)) {
        (Some(before), Some(after)) => before.endpoint.identity() != after.endpoint.identity(),
        (None, Some(_) | None) | (Some(_), None) => false,
    };
    let another = sources.into_iter().filter(is_another);
    another.map(|source| format!("source {source} is another database")).collect()
}

/// The hook that must succeed before a task runs the policy.
fn before_hook<'a>(settings: &'a Settings, policy: &Policy) -> Option<&'a Hook> {
    settings.task(policy.task.as_ref()?)?.before.as_ref()
}

fn wider_scope(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    if before.source != after.source {
        reasons.push(format!("source {} → {}", before.source, after.source));
    }
    if before.table != after.table {
        reasons.push(format!("table {} → {}", before.table, after.table));
    }
    match (&before.condition, &after.condition) {
        (Some(old), Some(new)) if old != new => reasons.push("where changed".to_owned()),
        (Some(_), None) => reasons.push("where removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    if before.params != after.params {
        reasons.push("params changed".to_owned());
    }
    reasons
}

fn wider_times(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    let expires = |rows: &RowsPolicy| rows.age.as_ref().is_some_and(|age| age.expires);
    let key = if expires(before) { "expires" } else { "age" };
    match (&before.age, &after.age) {
        (Some(old), Some(new)) => {
            if old.column != new.column || old.expires != new.expires {
                // The key is said once where it is the same.
                let new = if old.expires == new.expires { new.column.to_string() } else { words::age(new) };
                reasons.push(format!("{} → {new}", words::age(old)));
            }
            if old.format != new.format {
                reasons.push("age_format changed".to_owned());
            }
            if new.earliest < old.earliest {
                reasons.push(format!("earliest {} → {}", old.earliest, new.earliest));
            }
        }
        (Some(_), None) => reasons.push(format!("{key} removed")),
        (None, Some(_) | None) => {}
    }
    match (&before.keep, &after.keep) {
        // Another kind of time was said already.
        _ if expires(before) != expires(after) => {}
        (Some(Keep::For(old)), Some(Keep::For(new))) if expires(before) => {
            if new < old {
                reasons.push(if new.is_zero() {
                    "grace removed".to_owned()
                } else {
                    format!("grace {} → {}", Shown(*old), Shown(*new))
                });
            }
        }
        (Some(old), Some(new)) => reasons.extend(shorter(old, new)),
        (Some(_), None) => reasons.push("keep removed".to_owned()),
        (None, Some(_) | None) => {}
    }
    reasons
}

/// For which values the time is shorter.
fn shorter(before: &Keep, after: &Keep) -> Vec<String> {
    let named: Vec<&str> = match (before, after) {
        (Keep::For(old), Keep::For(new)) if new < old => {
            return vec![format!("keep {} → {}", Shown(*old), Shown(*new))];
        }
        (Keep::For(_), Keep::For(_)) => return Vec::new(),
        (Keep::ByValue(old), Keep::ByValue(new)) if old.column != new.column => {
            return vec![format!("keep goes by {} instead of {}", new.column, old.column)];
        }
        (Keep::ByValue(old), Keep::ByValue(new)) => {
            let added = names(new).filter(|name| names(old).all(|other| other != *name));
            names(old).chain(added).collect()
        }
        (Keep::ByValue(by), Keep::For(_)) | (Keep::For(_), Keep::ByValue(by)) => names(by).collect(),
    };
    let values = named.into_iter().map(Some).chain([None]);
    let shortened = values.filter_map(|value| {
        let (old, new) = (time_of(before, value), time_of(after, value)?);
        let old = match old {
            Some(old) if new < old => Shown(old).to_string(),
            None => "for ever".to_owned(),
            Some(_) => return None,
        };
        Some(format!("keep of {} {old} → {}", value.unwrap_or("other values"), Shown(new)))
    });
    shortened.collect()
}

fn names(by: &KeepByValue) -> impl Iterator<Item = &str> {
    by.values.iter().map(|(value, _)| value.as_str())
}

/// Time for which rows of a value are kept, or rows of all values without a time of their own; none: for ever.
fn time_of(keep: &Keep, value: Option<&str>) -> Option<Duration> {
    match keep {
        Keep::For(keep) => Some(*keep),
        Keep::ByValue(by) => {
            let own = by.values.iter().find(|(name, _)| Some(name.as_str()) == value);
            own.map(|(_, keep)| *keep).or(by.default)
        }
    }
}

/// Reasons of rows to stay that are gone, or changed.
fn fewer_claims(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    for gone in before.protections.iter().filter(|protection| !after.protections.contains(protection)) {
        let is_there = after.protections.iter().any(|protection| protection.table == gone.table);
        let what = if is_there { "changed" } else { "removed" };
        reasons.push(format!("protected_by {} {what}", gone.table));
    }
    match (&before.alive, &after.alive) {
        (Some(old), Some(new)) if old != new => reasons.push("alive changed".to_owned()),
        (Some(_), None) => reasons.push("alive removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    reasons
}

fn wider_action(before: &RowsPolicy, after: &RowsPolicy) -> Option<String> {
    match (&before.action, &after.action) {
        (Action::Update(_), Action::Delete) => Some("action update → delete".to_owned()),
        (Action::Update(old), Action::Update(new)) => (old != new).then(|| "set changed".to_owned()),
        (Action::Delete, Action::Delete | Action::Update(_)) => None,
    }
}

fn wider_files(before: &[OwnedFile], after: &[OwnedFile], of: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    for file in after {
        let name = words::file(file);
        match before.iter().find(|old| old.is_same(file)) {
            None => reasons.push(format!("files {name}{of} added")),
            Some(old) => {
                if (old.outside, file.outside) == (Outside::Keep, Outside::Release) {
                    reasons.push(format!("files {name}{of} outside keep → release"));
                }
                if file.may_be_missing && !old.may_be_missing {
                    reasons.push(format!("files {name}{of} may be missing"));
                }
            }
        }
    }
    reasons
}

fn wider_children(before: &[Child], after: &[Child]) -> Vec<String> {
    let mut reasons = Vec::new();
    let is_same = |one: &Child, other: &Child| one.table == other.table && one.is_by(&other.columns);
    let name = |child: &Child| format!("child {}.{}", child.table, words::names(&child.columns));
    for child in after {
        let Some(old) = before.iter().find(|old| is_same(old, child)) else {
            // One that keeps its parent takes nothing.
            if child.on_delete != OnDelete::KeepParent {
                reasons.push(format!("{} added", name(child)));
            }
            continue;
        };
        if old.on_delete != child.on_delete && child.on_delete != OnDelete::KeepParent {
            let (old, new) = (words::on_delete(old.on_delete), words::on_delete(child.on_delete));
            reasons.push(format!("{} {old} → {new}", name(child)));
        }
        if (&old.columns, &old.references) != (&child.columns, &child.references) {
            reasons.push(format!("{} references another column", name(child)));
        }
        reasons.extend(wider_files(&old.files, &child.files, &format!(" of {}", name(child))));
        reasons.extend(wider_children(&old.children, &child.children));
    }
    let keeps = |old: &&Child| old.on_delete == OnDelete::KeepParent;
    let lost = before.iter().filter(keeps).filter(|old| !after.iter().any(|child| is_same(old, child)));
    reasons.extend(lost.map(|old| format!("{} no longer keeps its parent", name(old))));
    reasons
}

fn looser_guards(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    match (before.max_rows, after.max_rows) {
        (Some(old), Some(new)) if new > old => reasons.push(format!("max_rows {old} → {new}")),
        (Some(_), None) => reasons.push("max_rows removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    reasons.extend(trees::looser_max_fraction(before.max_fraction, after.max_fraction));
    reasons
}

fn wider_source(old: &Settings, new: &Settings, rows: &RowsPolicy) -> Vec<String> {
    let (Some(before), Some(after)) = (old.source(&rows.source), new.source(&rows.source)) else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    if before.endpoint.identity() != after.endpoint.identity() {
        reasons.push(format!("source {} is another database", rows.source));
    }
    if zone(&before.timezone) != zone(&after.timezone) {
        reasons.push(format!("source {} has another timezone", rows.source));
    }
    if before.search_path != after.search_path {
        reasons.push(format!("source {} has another search_path", rows.source));
    }
    reasons
}

/// Changes that make more of a store's files go, whichever policy takes them, or make them go for good.
fn wider_store(
    (old, policy_before): (&Settings, &Policy),
    (new, policy_after): (&Settings, &Policy),
    name: &Name,
) -> Vec<String> {
    let mut reasons = fewer_owners((old, policy_before), (new, policy_after), name);
    let (Some(before), Some(after)) = (old.store(name), new.store(name)) else { return reasons };
    if before.root != after.root {
        reasons.push(format!("store {name} is another directory"));
    }
    if before.strip_prefix != after.strip_prefix {
        reasons.push(format!("store {name} has another strip_prefix"));
    }
    for reference in &before.references {
        let same = |other: &&Reference| other.is_same(reference) && (other.directory || !reference.directory);
        match after.references.iter().find(same) {
            None => reasons.push(format!("store {name} has lost a reference")),
            Some(other) => reasons.extend(wider_reference(name, reference, other)),
        }
    }
    if (before.age_by, after.age_by) == (AgeBy::Latest, AgeBy::Written) {
        reasons.push(format!("age_by of store {name} latest → mtime"));
    }
    match (before.trash, after.trash) {
        (Some(old), Some(new)) if new < old => {
            reasons.push(format!("trash of store {name} {} → {}", Shown(old), Shown(new)));
        }
        (Some(_), None) => reasons.push(format!("store {name} has no trash any more")),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    reasons.extend(other_databases(old, new, after));
    reasons
}

/// Changes that make a reference protect less than before.
fn wider_reference(store: &Name, before: &Reference, after: &Reference) -> Vec<String> {
    let mut reasons = Vec::new();
    if after.ignore_prefix.iter().any(|prefix| !before.ignore_prefix.contains(prefix)) {
        reasons.push(format!("reference {after} of store {store} ignores more"));
    }
    let flags = [
        ("may_be_missing", before.may_be_missing, after.may_be_missing),
        ("may_be_empty", before.may_be_empty, after.may_be_empty),
    ];
    for (key, _, _) in flags.into_iter().filter(|(_, old, new)| *new && !old) {
        reasons.push(format!("{key} of reference {after} of store {store} switched on"));
    }
    reasons
}

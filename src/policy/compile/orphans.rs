//! Policies of kind `orphans`: files of a store that no row names.

use std::time::Duration;

use crate::config::KeyPath;
use crate::config::raw::{Raw, RawFile, RawPolicy};

use super::super::{Fraction, OrphansPolicy, ReferenceMatch};
use super::Gather;
use super::files::{fraction, number};

/// Grace of files that no row names, if `keep` is left out: a row may still be on its way.
const KEEP: Duration = Duration::from_secs(24 * 3600);
/// Largest share of a store that goes, if `max_fraction` is left out.
const MAX_FRACTION: f64 = 0.5;

impl Gather<'_> {
    pub(super) fn orphans_policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<OrphansPolicy> {
        let store = self.governed_store(table, raw);
        if let Some(name) = &store {
            self.refuse_unnamed_store(table, name.as_str(), whole);
            self.refuse_names_beside_directories(table, name.as_str());
        }
        let matching = self.file_match(table, raw);
        let keep = if raw.keep.is_some() { self.file_keep(table, raw) } else { Some(KEEP) };
        let max_fraction = fraction(raw).or_else(|| Fraction::new(MAX_FRACTION));
        let max_files = number(raw.max_files);
        Some(OrphansPolicy { store: store?, matching, keep: keep?, max_fraction: max_fraction?, max_files })
    }

    /// In a store that no row names, every file would be an orphan.
    fn refuse_unnamed_store(&mut self, table: &KeyPath, store: &str, whole: &Raw) {
        let has_none = self.raw_store(store).is_some_and(|raw| raw.references.is_empty());
        if !has_none || self.is_faulty_within(&KeyPath::of(&["stores", store, "references"])) {
            return;
        }
        let entries = owners(store, whole);
        let entries = match entries.is_empty() {
            true => "{ source = \"…\", table = \"…\", column = \"…\" }".to_owned(),
            false => entries.join(", "),
        };
        let message = format!("store {store} has no references: every file in it would be an orphan");
        let hint = format!("write references = [{entries}] in [stores.{store}]: every column that names its files");
        self.refuse_value(&table.key("store"), message, hint);
    }

    /// A directory that no row names goes as a whole, and a row that names a file by its name alone does not say in which
    /// directory it is.
    fn refuse_names_beside_directories(&mut self, table: &KeyPath, store: &str) {
        let references = self.raw_store(store).map(|raw| raw.references.as_slice()).unwrap_or_default();
        let by_name = references.iter().any(|reference| reference.r#match == ReferenceMatch::Name);
        if by_name && references.iter().any(|reference| reference.directory) {
            let message = format!(
                "store {store} has references of directories and one with match = \"name\": which files in a directory that \
                 one names cannot be told"
            );
            self.refuse_value(&table.key("store"), message, "put the directories into a store of their own");
        }
    }
}

/// The references that policies of rows suggest: whoever owns a file names it.
fn owners(store: &str, whole: &Raw) -> Vec<String> {
    let mut entries = Vec::new();
    for (_, policy) in &whole.policies {
        let (Some(source), Some(table)) = (&policy.source, &policy.table) else { continue };
        entries.extend(policy.files.iter().filter_map(|file| entry(store, source, table, file)));
        let mut children: Vec<_> = policy.children.iter().collect();
        while let Some(child) = children.pop() {
            entries.extend(child.files.iter().filter_map(|file| entry(store, source, child.table.as_ref()?, file)));
            children.extend(&child.children);
        }
    }
    entries.sort();
    entries.dedup();
    entries
}

fn entry(store: &str, source: &str, table: &str, file: &RawFile) -> Option<String> {
    if file.store.as_deref() != Some(store) {
        return None;
    }
    let path = match (&file.column, &file.path) {
        (Some(column), _) => format!("column = {column:?}"),
        (None, Some(path)) => format!("path = {path:?}"),
        (None, None) => return None,
    };
    let directory = if file.directory { ", directory = true" } else { "" };
    Some(format!("{{ source = {source:?}, table = {table:?}, {path}{directory} }}"))
}

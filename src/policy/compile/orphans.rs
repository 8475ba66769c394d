//! Policies of kind `orphans`: files of a store that no row names.

use crate::config::keys;
use crate::config::raw::{OnlyTable, Raw, RawFile, RawPolicy, RawStore};
use crate::config::{Aspect, KeyPath};

use super::super::{Fraction, OrphansPolicy};
use super::declared::Section;
use super::value::{LONGEST_KEEP, parse_duration};
use super::{Fault, Gather};

impl Gather<'_> {
    pub(super) fn orphans_policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<OrphansPolicy> {
        let store = self.governed_store(table, raw);
        if let Some(name) = &store {
            self.refuse_unnamed_store(table, name.as_str(), whole);
            self.refuse_names_beside_directories(table, name.as_str(), whole);
        }
        let matching = self.file_match(table, raw);
        let keep = match &raw.keep {
            Some(written) => self.file_keep(table, Some(written)),
            None => self.check(&table.key("keep"), parse_duration("keep", keys::ORPHANS_KEEP, LONGEST_KEEP)),
        };
        let max_fraction = match raw.max_fraction {
            Some(share) => self.fraction(table, share),
            None => Fraction::new(keys::ORPHANS_MAX_FRACTION),
        };
        let max_files = self.max_files(table, raw);
        Some(OrphansPolicy { store: store?, matching: matching?, keep: keep?, max_fraction: max_fraction?, max_files })
    }

    /// In a store that no row names, every file would be an orphan.
    fn refuse_unnamed_store(&mut self, table: &KeyPath, store: &str, whole: &Raw) {
        let path = KeyPath::of(&["stores", store]);
        let stores = whole.stores.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let raw = self
            .declared
            .names(Section::Stores)
            .place(store)
            .and_then(|place| stores.get(place))
            .map(|(_, raw)| &raw.0);
        let has_references = |raw: &RawStore| raw.references.as_ref().is_some_and(|list| !list.is_empty());
        if raw.is_none_or(has_references) || self.is_faulty_within(&path.key("references")) {
            return;
        }
        let fault = Fault::new(format!("store {store} has no references: every file in it would be an orphan"));
        let entries = owners(store, whole);
        let entries = match entries.is_empty() {
            true => "{ source = \"…\", table = \"…\", column = \"…\" }".to_owned(),
            false => entries.join(", "),
        };
        let hint = format!("write references = [{entries}] in [stores.{store}]: every column that names its files");
        self.refuse(&table.key("store"), Aspect::Value, fault.hint(hint));
    }

    /// A directory that no row names goes as a whole, and a row that names a file by its name alone does not say in which
    /// directory it is.
    fn refuse_names_beside_directories(&mut self, table: &KeyPath, store: &str, whole: &Raw) {
        let stores = whole.stores.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let raw = self.declared.names(Section::Stores).place(store).and_then(|place| stores.get(place));
        let references: Vec<_> = raw.iter().flat_map(|(_, raw)| &raw.references).flatten().collect();
        let by_name = references.iter().any(|reference| reference.r#match.as_deref() == Some("name"));
        if by_name && references.iter().any(|reference| reference.directory == Some(true)) {
            let message = format!(
                "store {store} has references of directories and one with match = \"name\": which files in a directory that \
                 one names cannot be told"
            );
            let hint = "put the directories into a store of their own";
            self.refuse(&table.key("store"), Aspect::Value, Fault::new(message).hint(hint));
        }
    }
}

/// The references that policies of rows suggest: whoever owns a file names it.
fn owners(store: &str, whole: &Raw) -> Vec<String> {
    let policies = whole.policies.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
    let mut entries = Vec::new();
    for (_, policy) in policies {
        let (Some(source), Some(table)) = (&policy.source, &policy.table) else { continue };
        let files = policy.files.as_deref().unwrap_or_default();
        entries.extend(files.iter().filter_map(|file| entry(store, source, table, file)));
        let mut children: Vec<_> = policy.children.iter().flatten().collect();
        while let Some(child) = children.pop() {
            let files = child.files.as_deref().unwrap_or_default();
            entries.extend(files.iter().filter_map(|file| entry(store, source, child.table.as_ref()?, file)));
            children.extend(child.children.iter().flatten());
        }
    }
    entries.sort();
    entries.dedup();
    entries
}

fn entry(store: &str, source: &str, table: &str, file: &OnlyTable<RawFile>) -> Option<String> {
    if file.store.as_deref() != Some(store) {
        return None;
    }
    let path = match (&file.column, &file.path) {
        (Some(column), _) => format!("column = {column:?}"),
        (None, Some(path)) => format!("path = {path:?}"),
        (None, None) => return None,
    };
    let directory = if file.directory == Some(true) { ", directory = true" } else { "" };
    Some(format!("{{ source = {source:?}, table = {table:?}, {path}{directory} }}"))
}

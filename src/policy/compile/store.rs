//! `[stores.NAME]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::raw::{Raw, RawReference, RawStore};
use crate::config::{Fault, KeyPath};

use super::super::{FilePath, Ident, Name, PathTemplate, Reference, ReferenceMatch, Store, TableName};
use super::Gather;
use super::declared::Section;
use super::value::parse_absolute;

impl Gather<'_> {
    pub(super) fn stores(&mut self, raw: &Raw) -> Vec<Store> {
        let mut stores: Vec<Store> = Vec::new();
        let mut roots = Roots::default();
        for (path, raw_store) in self.tables("stores", &raw.stores) {
            let Some(store) = self.store(&path, raw_store) else { continue };
            // A file in both would be guarded by the references of one store and removed through the other.
            if let Some((other, name)) = roots.overlapping(&store.root) {
                let same = store.root == *other;
                let how = if same { "the same directory as" } else { "not apart from" };
                let message = format!("this is {how} store {name}");
                let hint = "a file belongs to one store: make one of the two, with the references of both";
                self.refuse_value(&path.key("path"), message, hint);
            }
            roots.0.entry(store.root.clone()).or_insert_with(|| store.name.clone());
            stores.push(store);
        }
        stores
    }

    fn store(&mut self, table: &KeyPath, raw: &RawStore) -> Option<Store> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let path = table.key("path");
        let root = self
            .required(table, "path", &raw.path, "write path = \"/DIRECTORY\"")
            .and_then(|text| self.check(&path, parse_absolute(text)));
        if root.as_ref().is_some_and(|root| root.parent().is_none()) {
            self.refuse_value(&path, "the root directory cannot be a store", "name the directory that holds the files");
            return None;
        }
        if raw.strip_prefix.as_ref().is_some_and(String::is_empty) {
            self.refuse_value(&table.key("strip_prefix"), "an empty prefix strips nothing", "leave the key out");
        }
        let references =
            self.list(&table.key("references"), &raw.references, "reference", Self::row_reference, |one, other| {
                one.is_same(other)
            });
        let (strip_prefix, trash) = (raw.strip_prefix.clone(), raw.trash.map(|trash| trash.0));
        Some(Store { name: name?, root: root?, strip_prefix, references, trash, age_by: raw.age_by })
    }

    fn row_reference(&mut self, path: &KeyPath, raw: &RawReference) -> Option<Reference> {
        let hint =
            "write { source = \"…\", table = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
        let source = self.required(path, "source", &raw.source, hint);
        let table = self.required(path, "table", &raw.table, hint);
        let file = self.file_path(path, &raw.column, raw.path.as_ref(), hint);
        let source = source.and_then(|name| self.reference(&path.key("source"), name, Section::Sources));
        let table = self.parsed(path, "table", table, TableName::parse);
        if raw.r#match == ReferenceMatch::Name {
            self.refuse_beside_name(path, raw);
        }
        let ignore_prefix = self.ignore_prefix(path, raw);
        Some(Reference {
            source: source?,
            table: table?,
            path: file?,
            directory: raw.directory,
            matching: raw.r#match,
            ignore_prefix: ignore_prefix?,
            may_be_missing: raw.may_be_missing,
            may_be_empty: raw.may_be_empty,
        })
    }

    fn ignore_prefix(&mut self, path: &KeyPath, raw: &RawReference) -> Option<Vec<String>> {
        let Some(prefixes) = &raw.ignore_prefix else { return Some(Vec::new()) };
        if prefixes.texts.is_empty() || prefixes.texts.iter().any(String::is_empty) {
            let hint = "write how such values begin, for example \"https://\"";
            self.refuse_value(&path.key("ignore_prefix"), "an empty beginning would leave every row out", hint);
            return None;
        }
        Some(prefixes.texts.clone())
    }

    /// `column` or `path`, whichever is there: where a row's file is.
    pub(super) fn file_path(
        &mut self,
        table: &KeyPath,
        column: &Option<String>,
        template: Option<&String>,
        hint: &str,
    ) -> Option<FilePath> {
        if self.is_written(table, "path") {
            if self.is_written(table, "column") {
                self.refuse_key(&table.key("path"), "column and path are both there", "leave one of them out");
            }
            return self.parsed(table, "path", template, parse_template).map(FilePath::Template);
        }
        let column = self.required(table, "column", column, hint);
        self.parsed(table, "column", column, Ident::parse).map(FilePath::Column)
    }

    /// A name says nothing of directories, and is not made of other columns.
    fn refuse_beside_name(&mut self, path: &KeyPath, raw: &RawReference) {
        let written = [("path", raw.path.is_some()), ("directory", raw.directory)];
        for (key, _) in written.iter().filter(|(_, is_there)| *is_there) {
            let hint =
                "match = \"name\" goes by the last segment of what a column holds: write column, and no directory";
            self.refuse_key(&path.key(key), format!("{key} does not go with match = \"name\""), hint);
        }
    }
}

/// Roots of stores with their names. They are in the order of their components, so that what lies within a root comes right
/// behind it.
#[derive(Default)]
struct Roots(BTreeMap<PathBuf, Name>);

impl Roots {
    /// A root that lies within another, or contains it.
    fn overlapping(&self, root: &Path) -> Option<(&PathBuf, &Name)> {
        let around = root.ancestors().find_map(|ancestor| self.0.get_key_value(ancestor));
        around.or_else(|| self.0.range(root.to_owned()..).next().filter(|(other, _)| other.starts_with(root)))
    }
}

fn parse_template(text: &str) -> Result<PathTemplate, Fault> {
    PathTemplate::parse(text).map_err(|message| {
        let column = text.chars().all(|c| c.is_alphanumeric() || c == '_') && !text.is_empty();
        match column {
            true => {
                Fault::new(message).hint(format!("where the column {text} holds the path, write column = {text:?}"))
            }
            false => Fault::new(message),
        }
    })
}

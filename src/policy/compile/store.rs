//! `[stores.NAME]`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::raw::{OnlyTable, Raw, RawReference, RawStore};
use crate::config::{Aspect, KeyPath, did_you_mean, keys};

use super::super::{AgeBy, FilePath, Ident, Name, PathTemplate, Reference, ReferenceMatch, Store, TableName};
use super::declared::Section;
use super::value::{LONGEST_KEEP, parse_absolute, parse_duration};
use super::{Fault, Gather};

impl Gather<'_> {
    pub(super) fn stores(&mut self, raw: &Raw) -> Vec<Store> {
        let mut stores: Vec<Store> = Vec::new();
        let mut roots = Roots::default();
        for (path, raw_store) in self.tables("stores", raw.stores.as_ref()) {
            let Some(store) = self.store(&path, raw_store) else { continue };
            // A file in both would be guarded by the references of one store and removed through the other.
            if let Some((other, name)) = roots.overlapping(&store.root) {
                let same = store.root == *other;
                let how = if same { "the same directory as" } else { "not apart from" };
                let fault = Fault::new(format!("this is {how} store {name}"));
                let hint = "a file belongs to one store: make one of the two, with the references of both";
                self.refuse(&path.key("path"), Aspect::Value, fault.hint(hint));
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
            .required(table, "path", raw.path.as_ref(), "write path = \"/DIRECTORY\"")
            .and_then(|text| self.check(&path, parse_absolute(text)));
        if root.as_ref().is_some_and(|root| root.parent().is_none()) {
            let fault =
                Fault::new("the root directory cannot be a store").hint("name the directory that holds the files");
            self.refuse(&path, Aspect::Value, fault);
            return None;
        }
        if raw.strip_prefix.as_ref().is_some_and(String::is_empty) {
            let fault = Fault::new("an empty prefix strips nothing").hint("leave the key out");
            self.refuse(&table.key("strip_prefix"), Aspect::Value, fault);
        }
        let references = self.references(table, raw.references.as_deref().unwrap_or_default());
        let trash = raw.trash.as_ref();
        let trash =
            trash.and_then(|text| self.check(&table.key("trash"), parse_duration("trash", &text.0, LONGEST_KEEP)));
        let age_by = self.check(&table.key("age_by"), parse_age_by(raw.age_by.as_deref().unwrap_or(keys::AGE_BY)));
        let strip_prefix = raw.strip_prefix.clone();
        Some(Store { name: name?, root: root?, strip_prefix, references, trash, age_by: age_by? })
    }

    fn references(&mut self, store: &KeyPath, raw: &[OnlyTable<RawReference>]) -> Vec<Reference> {
        let list = store.key("references");
        let mut references = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(reference) = self.row_reference(&path, entry) else { continue };
            if references.iter().any(|other: &Reference| other.is_same(&reference)) {
                self.refuse(&path, Aspect::Value, Fault::new("this reference is there twice").hint("leave one out"));
            }
            references.push(reference);
        }
        references
    }

    fn row_reference(&mut self, path: &KeyPath, raw: &RawReference) -> Option<Reference> {
        if self.is_faulty(path) {
            return None;
        }
        let hint =
            "write { source = \"…\", table = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
        let source = self.required(path, "source", raw.source.as_ref(), hint);
        let table = self.required(path, "table", raw.table.as_ref(), hint);
        let file = self.file_path(path, (raw.column.as_ref(), raw.path.as_ref()), hint);
        let source = source.and_then(|name| self.reference(&path.key("source"), name, Section::Sources));
        let table = table.and_then(|text| self.check(&path.key("table"), TableName::parse(text)));
        let written = raw.r#match.as_deref().unwrap_or(keys::REFERENCE_MATCH);
        let matching = self.check(&path.key("match"), parse_match(written));
        if matching == Some(ReferenceMatch::Name) {
            self.refuse_beside_name(path, raw);
        }
        let directory = raw.directory.unwrap_or(false);
        let ignore_prefix = self.ignore_prefix(path, raw);
        Some(Reference {
            source: source?,
            table: table?,
            path: file?,
            directory,
            matching: matching?,
            ignore_prefix: ignore_prefix?,
            may_be_missing: raw.may_be_missing.unwrap_or(false),
            may_be_empty: raw.may_be_empty.unwrap_or(false),
        })
    }

    fn ignore_prefix(&mut self, path: &KeyPath, raw: &RawReference) -> Option<Vec<String>> {
        let Some(texts) = &raw.ignore_prefix else { return Some(Vec::new()) };
        let key = path.key("ignore_prefix");
        if texts.texts.is_empty() || texts.texts.iter().any(String::is_empty) {
            let fault = Fault::new("an empty beginning would leave every row out");
            self.refuse(&key, Aspect::Value, fault.hint("write how such values begin, for example \"https://\""));
            return None;
        }
        Some(texts.texts.clone())
    }

    /// `column` or `path`, whichever is there: where a row's file is.
    pub(super) fn file_path(
        &mut self,
        table: &KeyPath,
        (column, template): (Option<&String>, Option<&String>),
        hint: &str,
    ) -> Option<FilePath> {
        let path = table.key("path");
        if self.loaded.is_written(&path) {
            if self.loaded.is_written(&table.key("column")) {
                let fault = Fault::new("column and path are both there").hint("leave one of them out");
                self.refuse(&path, Aspect::Key, fault);
            }
            return template.and_then(|text| self.check(&path, parse_template(text))).map(FilePath::Template);
        }
        let column = self.required(table, "column", column, hint)?;
        self.check(&table.key("column"), Ident::parse(column)).map(FilePath::Column)
    }

    /// A name says nothing of directories, and is not made of other columns.
    fn refuse_beside_name(&mut self, path: &KeyPath, raw: &RawReference) {
        let written = [("path", raw.path.is_some()), ("directory", raw.directory == Some(true))];
        for (key, _) in written.iter().filter(|(_, is_there)| *is_there) {
            let fault = Fault::new(format!("{key} does not go with match = \"name\""));
            let hint =
                "match = \"name\" goes by the last segment of what a column holds: write column, and no directory";
            self.refuse(&path.key(key), Aspect::Key, fault.hint(hint));
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

fn parse_match(text: &str) -> Result<ReferenceMatch, Fault> {
    match text {
        "path" => Ok(ReferenceMatch::Path),
        "name" => Ok(ReferenceMatch::Name),
        other => {
            let hint = did_you_mean(other, ["path", "name"]).unwrap_or_else(|| {
                "\"path\" takes the whole path, \"name\" its last segment; patterns belong to policies".to_owned()
            });
            Err(Fault::new(format!("there is no match {other:?}")).hint(hint))
        }
    }
}

fn parse_age_by(text: &str) -> Result<AgeBy, Fault> {
    match text {
        "latest" => Ok(AgeBy::Latest),
        "mtime" => Ok(AgeBy::Written),
        other => {
            let explained =
                || "\"latest\" counts the latest time of a file, \"mtime\" only when it was written".to_owned();
            let hint = did_you_mean(other, ["latest", "mtime"]).unwrap_or_else(explained);
            Err(Fault::new(format!("there is no age_by {other:?}")).hint(hint))
        }
    }
}

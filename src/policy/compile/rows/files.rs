//! `files`: what belongs to a row, of a policy or of a child.

use crate::config::raw::{Raw, RawFile, Table};
use crate::config::{Aspect, KeyPath};

use super::super::super::{FilePath, Ident, OwnedFile, PathTemplate};
use super::super::{Fault, Gather};

impl Gather<'_> {
    /// Those that are switched on, each with its path, and those that are switched off.
    pub(super) fn files(
        &mut self,
        list: &KeyPath,
        raw: &[Table<RawFile>],
        whole: &Raw,
    ) -> (Vec<(KeyPath, OwnedFile)>, Vec<OwnedFile>) {
        let mut all: Vec<OwnedFile> = Vec::new();
        let (mut switched_on, mut switched_off) = (Vec::new(), Vec::new());
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(file) = self.file(&path, entry, whole) else { continue };
            if all.iter().any(|other| other.store == file.store && other.path == file.path) {
                self.refuse(&path, Aspect::Value, Fault::new("this entry is there twice").hint("leave one out"));
            }
            match entry.enabled.unwrap_or(true) {
                true => switched_on.push((path, file.clone())),
                false => switched_off.push(file.clone()),
            }
            all.push(file);
        }
        (switched_on, switched_off)
    }

    fn file(&mut self, path: &KeyPath, raw: &RawFile, whole: &Raw) -> Option<OwnedFile> {
        if self.is_faulty(path) {
            return None;
        }
        let hint = "write { store = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
        let store = self.required(path, "store", raw.store.as_ref(), hint);
        let store = store.and_then(|name| self.reference(&path.key("store"), name, "stores", whole.stores.as_ref()));
        let template = raw.path.as_ref().map(|text| self.check(&path.key("path"), parse_template(text)));
        if self.loaded.is_written(&path.key("path")) {
            if self.loaded.is_written(&path.key("column")) {
                let fault = Fault::new("column and path are both there").hint("leave one of them out");
                self.refuse(&path.key("path"), Aspect::Key, fault);
            }
            let path = FilePath::Template(template??);
            return Some(OwnedFile { store: store?, path, directory: raw.directory.unwrap_or(false) });
        }
        let column = self.required(path, "column", raw.column.as_ref(), hint);
        let column = column.and_then(|text| self.check(&path.key("column"), Ident::parse(text)));
        let path = FilePath::Column(column?);
        Some(OwnedFile { store: store?, path, directory: raw.directory.unwrap_or(false) })
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

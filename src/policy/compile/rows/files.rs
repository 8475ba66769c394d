//! `files`: what belongs to a row, of a policy or of a child.

use crate::config::raw::{Raw, RawFile, Table};
use crate::config::{Aspect, KeyPath};

use super::super::super::{Name, OwnedFile};
use super::super::declared::Section;
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
        let store = store.and_then(|name| self.reference(&path.key("store"), name, Section::Stores));
        let file = self.file_path(path, (raw.column.as_ref(), raw.path.as_ref()), hint);
        let directory = raw.directory.unwrap_or(false);
        if let Some(store) = store.as_ref().filter(|_| directory) {
            self.refuse_directory_beside_names(path, store, whole);
        }
        Some(OwnedFile { store: store?, path: file?, directory })
    }

    /// A row that names a file by its name alone does not say in which directory it is, so nobody could tell what in a
    /// directory must stay.
    fn refuse_directory_beside_names(&mut self, path: &KeyPath, store: &Name, whole: &Raw) {
        let stores = whole.stores.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let references = stores.iter().filter(|(name, _)| name == store.as_str()).flat_map(|(_, raw)| &raw.references);
        if references.flatten().any(|reference| reference.r#match.as_deref() == Some("name")) {
            let fault = Fault::new(format!(
                "store {store} has a reference with match = \"name\": which files in a directory it names cannot be told"
            ));
            self.refuse(
                &path.key("directory"),
                Aspect::Key,
                fault.hint("leave directory out, or put the directories into a store of their own"),
            );
        }
    }
}

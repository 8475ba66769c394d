//! `files`: what belongs to a row, of a policy or of a child.

use crate::config::KeyPath;
use crate::config::raw::RawFile;

use super::super::super::{Name, OwnedFile, ReferenceMatch};
use super::super::Gather;
use super::super::declared::Section;

impl Gather<'_> {
    /// Those that are switched on, each with its path, and those that are switched off.
    pub(super) fn files(&mut self, list: &KeyPath, raw: &[RawFile]) -> (Vec<(KeyPath, OwnedFile)>, Vec<OwnedFile>) {
        let read = |gather: &mut Self, path: &KeyPath, raw: &RawFile| {
            Some((path.clone(), gather.file(path, raw)?, raw.enabled))
        };
        let all = self.list(list, raw, "entry", read, |(_, one, _), (_, other, _)| {
            one.store == other.store && one.path == other.path
        });
        let (on, off): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, _, is_on)| *is_on);
        let on = on.into_iter().map(|(path, file, _)| (path, file)).collect();
        (on, off.into_iter().map(|(_, file, _)| file).collect())
    }

    fn file(&mut self, path: &KeyPath, raw: &RawFile) -> Option<OwnedFile> {
        let hint = "write { store = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column";
        let store = self.required(path, "store", &raw.store, hint);
        let store = store.and_then(|name| self.reference(&path.key("store"), name, Section::Stores));
        let file = self.file_path(path, &raw.column, raw.path.as_ref(), hint);
        if let Some(store) = store.as_ref().filter(|_| raw.directory) {
            self.refuse_directory_beside_names(path, store);
        }
        let RawFile { directory, outside, may_be_missing, .. } = *raw;
        Some(OwnedFile { store: store?, path: file?, directory, outside, may_be_missing })
    }

    /// A row that names a file by its name alone does not say in which directory it is, so nobody could tell what in a
    /// directory must stay.
    fn refuse_directory_beside_names(&mut self, path: &KeyPath, store: &Name) {
        let references = self.raw_store(store.as_str()).into_iter().flat_map(|raw| &raw.references);
        if references.into_iter().any(|reference| reference.r#match == ReferenceMatch::Name) {
            let message = format!(
                "store {store} has a reference with match = \"name\": which files in a directory it names cannot be told"
            );
            let hint = "leave directory out, or put the directories into a store of their own";
            self.refuse_key(&path.key("directory"), message, hint);
        }
    }
}

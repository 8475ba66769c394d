//! `files`: what belongs to a row, of a policy or of a child.

use crate::config::keys;
use crate::config::raw::{OnlyTable, Raw, RawFile};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::super::{Name, Outside, OwnedFile};
use super::super::declared::Section;
use super::super::{Fault, Gather};

impl Gather<'_> {
    /// Those that are switched on, each with its path, and those that are switched off.
    pub(super) fn files(
        &mut self,
        list: &KeyPath,
        raw: &[OnlyTable<RawFile>],
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
        let outside = raw.outside.as_deref().unwrap_or(keys::OUTSIDE);
        let outside = self.check(&path.key("outside"), parse_outside(outside));
        let directory = raw.directory.unwrap_or(false);
        if let Some(store) = store.as_ref().filter(|_| directory) {
            self.refuse_directory_beside_names(path, store, whole);
        }
        let may_be_missing = raw.may_be_missing.unwrap_or(false);
        Some(OwnedFile { store: store?, path: file?, directory, outside: outside?, may_be_missing })
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

fn parse_outside(text: &str) -> Result<Outside, Fault> {
    match text {
        "keep" => Ok(Outside::Keep),
        "release" => Ok(Outside::Release),
        other => {
            let hint = did_you_mean(other, ["keep", "release"]);
            let hint = hint.unwrap_or_else(|| {
                "\"keep\" keeps a row whose path is not one of the store's, \"release\" lets it go without its file"
                    .to_owned()
            });
            Err(Fault::new(format!("there is no outside {other:?}")).hint(hint))
        }
    }
}

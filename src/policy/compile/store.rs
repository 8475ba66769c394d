//! `[stores.NAME]`

use crate::config::raw::{Raw, RawReference, RawStore, Table};
use crate::config::{Aspect, KeyPath};

use super::super::{Ident, Reference, Store, TableName};
use super::value::parse_absolute;
use super::{Fault, Gather, position_of_twin};

impl Gather<'_> {
    pub(super) fn stores(&mut self, raw: &Raw) -> Vec<Store> {
        let mut stores: Vec<Store> = Vec::new();
        for (path, raw_store) in self.tables("stores", raw.stores.as_ref()) {
            let Some(store) = self.store(&path, raw_store, raw) else { continue };
            // A file in both would be guarded by the references of one store and removed through the other.
            if let Some(other) =
                stores.iter().find(|other| store.root.starts_with(&other.root) || other.root.starts_with(&store.root))
            {
                let same = store.root == other.root;
                let how = if same { "the same directory as" } else { "not apart from" };
                let fault = Fault::new(format!("this is {how} store {}", other.name));
                let hint = "a file belongs to one store: make one of the two, with the references of both";
                self.refuse(&path.key("path"), Aspect::Value, fault.hint(hint));
            }
            stores.push(store);
        }
        stores
    }

    fn store(&mut self, table: &KeyPath, raw: &RawStore, whole: &Raw) -> Option<Store> {
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
        let references = self.references(table, raw.references.as_deref().unwrap_or_default(), whole);
        Some(Store { name: name?, root: root?, strip_prefix: raw.strip_prefix.clone(), references })
    }

    fn references(&mut self, store: &KeyPath, raw: &[Table<RawReference>], whole: &Raw) -> Vec<Reference> {
        let list = store.key("references");
        let mut references = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            let Some(reference) = self.column_reference(&path, entry, whole) else { continue };
            references.push(reference);
            if position_of_twin(&references, references.len() - 1).is_some() {
                self.refuse(&path, Aspect::Value, Fault::new("this reference is there twice").hint("leave one out"));
            }
        }
        references
    }

    fn column_reference(&mut self, path: &KeyPath, raw: &RawReference, whole: &Raw) -> Option<Reference> {
        if self.is_faulty(path) {
            return None;
        }
        let hint = "write { source = \"…\", table = \"…\", column = \"…\" }";
        let source = self.required(path, "source", raw.source.as_ref(), hint);
        let table = self.required(path, "table", raw.table.as_ref(), hint);
        let column = self.required(path, "column", raw.column.as_ref(), hint);
        let source =
            source.and_then(|name| self.reference(&path.key("source"), name, "sources", whole.sources.as_ref()));
        let table = table.and_then(|text| self.check(&path.key("table"), TableName::parse(text)));
        let column = column.and_then(|text| self.check(&path.key("column"), Ident::parse(text)));
        Some(Reference { source: source?, table: table?, column: column? })
    }
}

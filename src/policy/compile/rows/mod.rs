//! Policies of kind `rows`: which rows, what becomes of them, and what goes with them.

mod children;
mod claims;
mod files;
mod params;
mod sql;
mod times;
mod update;

use std::num::{NonZeroU32, NonZeroU64};

use crate::config::keys;
use crate::config::raw::{Raw, RawPolicy};
use crate::config::{Aspect, KeyPath};

use super::super::{Ident, RowsPolicy, TableName};
use super::declared::Section;
use super::{Fault, Gather, position_of_twin};
use sql::Scope;

/// More rows than this in one transaction are no small batch.
const LARGEST_BATCH: i64 = 100_000;

impl Gather<'_> {
    pub(super) fn rows(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<RowsPolicy> {
        let source = raw.source.as_ref().and_then(|name| self.reference(&table.key("source"), name, Section::Sources));
        let name = raw.table.as_ref().and_then(|text| self.check(&table.key("table"), TableName::parse(text)));
        let params = self.params(&table.key("params"), raw.params.as_deref().unwrap_or_default());
        let mut scope = Scope::new(&params, self, table);
        let condition = raw.r#where.as_ref().and_then(|text| self.sql(&table.key("where"), text, &mut scope));
        let protections = self.protections(table, raw.protected_by.as_deref().unwrap_or_default(), &mut scope);
        let alive = raw.alive.as_ref().and_then(|raw| self.alive(&table.key("alive"), raw, &mut scope));
        let action = self.action(table, raw, &mut scope);
        let times = self.times(table, raw, &scope);
        self.refuse_unused(table, &params, &scope);
        let (files, files_off) = self.files(&table.key("files"), raw.files.as_deref().unwrap_or_default(), whole);
        self.refuse_children_of_an_update(table, raw, &action);
        self.refuse_files_an_update_keeps(&files, &action);
        let children = raw.children.as_deref().unwrap_or_default();
        let children = self.children(&table.key("children"), children, &mut name.iter().cloned().collect(), whole);
        let details = self.details(&table.key("details"), raw.details.as_deref().unwrap_or_default());
        let batch = self.count(&table.key("batch"), raw.batch.unwrap_or(keys::BATCH), LARGEST_BATCH);
        let max_rows = raw.max_rows.and_then(|number| self.count(&table.key("max_rows"), number, i64::MAX));
        let max_fraction = raw.max_fraction.and_then(|share| self.fraction(table, share));
        Some(RowsPolicy {
            source: source?,
            table: name?,
            age: times.age,
            keep: times.keep,
            condition,
            params: params.into_iter().map(|(_, declaration)| declaration).collect(),
            protections,
            alive,
            allow_time_independent: raw.allow_time_independent.unwrap_or(false),
            action,
            files: files.into_iter().map(|(_, file)| file).collect(),
            files_off,
            children,
            details,
            batch: batch.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?))?,
            max_rows: max_rows.and_then(|number| NonZeroU64::new(number.unsigned_abs())),
            max_fraction,
        })
    }

    fn details(&mut self, list: &KeyPath, raw: &[String]) -> Vec<Ident> {
        let mut columns = Vec::new();
        for (index, text) in raw.iter().enumerate() {
            let path = list.index(index);
            columns.extend(self.check(&path, Ident::parse(text)));
            if position_of_twin(raw, index).is_some() {
                self.refuse(&path, Aspect::Value, Fault::new("this column is there twice").hint("leave one out"));
            }
        }
        columns
    }
}

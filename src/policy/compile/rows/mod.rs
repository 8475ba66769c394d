//! Policies of kind `rows`: which rows, what becomes of them, and what goes with them.

mod children;
mod claims;
mod details;
mod files;
mod params;
mod sql;
mod times;
mod update;

use std::num::NonZeroU32;

use crate::config::KeyPath;
use crate::config::raw::RawPolicy;

use super::super::{RowsPolicy, TableName};
use super::Gather;
use super::declared::Section;
use super::files::{fraction, number};
use sql::Scope;

impl Gather<'_> {
    pub(super) fn rows(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<RowsPolicy> {
        let source = raw.source.as_ref().and_then(|name| self.reference(&table.key("source"), name, Section::Sources));
        let name = self.parsed(table, "table", raw.table.as_ref(), TableName::parse);
        let endpoint = source.as_ref().and_then(|source| self.endpoint_of(source));
        let pace = self.pace(&table.key("pace"), &raw.pace, endpoint.as_ref());
        let params = self.params(&table.key("params"), &raw.params);
        let mut scope = Scope::new(&params, self, table);
        let condition = raw.r#where.as_ref().and_then(|text| self.sql(&table.key("where"), text, &mut scope));
        let protections = self.protections(&table.key("protected_by"), &raw.protected_by, &mut scope);
        let alive = raw.alive.as_ref().and_then(|raw| self.alive(&table.key("alive"), raw, &mut scope));
        let action = self.action(table, raw, &mut scope);
        let details = self.details(&table.key("details"), &raw.details, &mut scope);
        let times = self.times(table, raw, &scope);
        self.refuse_unused(table, &params, &scope);
        let (files, files_off) = self.files(&table.key("files"), &raw.files);
        self.refuse_children_of_an_update(table, raw, &action);
        self.refuse_files_an_update_keeps(&files, &action);
        let children = self.children(&table.key("children"), &raw.children, &mut name.iter().cloned().collect());
        Some(RowsPolicy {
            source: source?,
            table: name?,
            age: times.age,
            keep: times.keep,
            condition,
            params: params.into_iter().map(|(_, declaration)| declaration).collect(),
            protections,
            alive,
            allow_time_independent: raw.allow_time_independent,
            action,
            files: files.into_iter().map(|(_, file)| file).collect(),
            files_off,
            children,
            details,
            batch: NonZeroU32::try_from(raw.batch.0).ok()?,
            pace,
            parallel: NonZeroU32::try_from(raw.parallel.0).ok()?,
            at_most: number(raw.at_most),
            max_rows: number(raw.max_rows),
            max_fraction: fraction(raw),
        })
    }
}

//! Policies of kind `files`: which files of a store go by age, number or size.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::config::raw::RawPolicy;
use crate::config::values::{Count, OrTable, Patterns};
use crate::config::{Aspect, Fault, KeyPath};

use super::super::{FileMatch, FilesPolicy, Fraction, Globs, Name};
use super::Gather;
use super::declared::Section;
use super::size::{parse_size, parse_space};

impl Gather<'_> {
    pub(super) fn files_policy(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<FilesPolicy> {
        let store = self.governed_store(table, raw);
        let matching = self.file_match(table, raw);
        let keep = self.file_keep(table, raw);
        let max_total = self.parsed(table, "max_total", raw.max_total.as_ref().map(|text| &text.0), parse_size);
        let min_free = self.parsed(table, "min_free", raw.min_free.as_ref().map(|text| &text.0), parse_space);
        self.refuse_idle(table);
        self.refuse_trash_mismatch(table, raw);
        Some(FilesPolicy {
            store: store?,
            matching,
            keep,
            keep_last: number(raw.keep_last),
            max_total,
            min_free,
            per: raw.per,
            prune_empty: raw.prune_empty,
            open: raw.open,
            bypass_trash: raw.bypass_trash,
            max_files: number(raw.max_files),
            max_fraction: fraction(raw),
        })
    }

    /// The store whose files a policy goes through.
    pub(super) fn governed_store(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<Name> {
        let store = self.required(table, "store", &raw.store, "write store = \"…\", the name of a [stores.NAME]")?;
        self.reference(&table.key("store"), store, Section::Stores)
    }

    /// `match` and `exclude`.
    pub(super) fn file_match(&mut self, table: &KeyPath, raw: &RawPolicy) -> FileMatch {
        let include = raw.r#match.as_ref().and_then(|patterns| self.globs(&table.key("match"), patterns));
        let exclude = raw.exclude.as_ref().and_then(|patterns| self.globs(&table.key("exclude"), patterns));
        FileMatch::new(include, exclude)
    }

    fn globs(&mut self, path: &KeyPath, patterns: &Patterns) -> Option<Globs> {
        if patterns.texts.is_empty() {
            self.refuse_value(path, "the list is empty", "leave it out, or write a pattern such as \"**/*.log\"");
            return None;
        }
        Globs::parse(&patterns.texts)
            .map_err(|(position, message)| {
                let place = if patterns.is_list { path.index(position) } else { path.clone() };
                let hint = glob_hint(&patterns.texts[position]);
                self.refuse(&place, Aspect::Value, Fault { message, hint });
            })
            .ok()
    }

    /// `keep` of files, one time for all of them.
    pub(super) fn file_keep(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<Duration> {
        match raw.keep.as_ref()? {
            OrTable::Plain(keep) => Some(keep.0),
            OrTable::Table(_) => {
                let hint = "write keep = \"7d\", or a policy for each match";
                self.refuse_value(&table.key("keep"), "a file has no columns that its time could go by", hint);
                None
            }
        }
    }

    /// Refuses a policy that says of no file that it goes, and what has no effect.
    fn refuse_idle(&mut self, table: &KeyPath) {
        let is_written = |key: &str| self.is_written(table, key);
        let counts = is_written("keep_last") || is_written("max_total");
        if !counts && !is_written("keep") && !is_written("min_free") {
            let hint = "write keep = \"7d\", keep_last = 5, max_total = \"10GiB\" or min_free = \"10%\"";
            self.refuse_key(table, "nothing says which files go", hint);
        }
        if self.is_written(table, "per") && !counts {
            self.refuse_key(&table.key("per"), "per has no effect without keep_last or max_total", "leave it out");
        }
    }

    /// Refuses `bypass_trash` where there is no trash, or no `min_free` for which files would pass by it.
    fn refuse_trash_mismatch(&mut self, table: &KeyPath, raw: &RawPolicy) {
        if !raw.bypass_trash {
            return;
        }
        let path = table.key("bypass_trash");
        let store = raw.store.as_ref().filter(|name| self.raw_store(name).is_some());
        if !self.is_written(table, "min_free") {
            let hint = "leave it out: what goes by keep goes into the trash";
            self.refuse_key(&path, "bypass_trash has no effect without min_free", hint);
        } else if store.is_some_and(|name| !self.is_written(&KeyPath::of(&["stores", name]), "trash")) {
            self.refuse_key(&path, "bypass_trash has no effect: the store has no trash", "leave it out");
        }
    }
}

/// A number that a key gives.
pub(super) fn number(count: Option<Count>) -> Option<NonZeroU64> {
    count.map(|count| count.0)
}

/// The share that `max_fraction` gives.
pub(super) fn fraction(raw: &RawPolicy) -> Option<Fraction> {
    raw.max_fraction.and_then(|share| Fraction::new(share.0))
}

/// The text to write instead of a pattern that is refused.
fn glob_hint(pattern: &str) -> Option<String> {
    let inner = pattern.trim_matches('/');
    if inner.is_empty() || inner.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return Some("write it from the store's root on, such as \"logs/**/*.log\"".to_owned());
    }
    if pattern.ends_with('/') {
        return Some(format!("write \"{inner}/**\" for everything beneath it"));
    }
    if pattern.starts_with('/') {
        return Some(format!("write \"{inner}\""));
    }
    Some("a \\ before a character takes it as it is".to_owned())
}

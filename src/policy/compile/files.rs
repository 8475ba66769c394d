//! Policies of kind `files`: which files of a store go by age, number or size.

use std::num::NonZeroU64;

use crate::config::keys;
use crate::config::raw::{Raw, RawKeep, RawPolicy, Texts};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::{FileMatch, FilesPolicy, Globs, Name, OpenFiles, Per};
use super::declared::Section;
use super::size::{parse_size, parse_space};
use super::value::{LONGEST_KEEP, parse_duration};
use super::{Fault, Gather};

impl Gather<'_> {
    pub(super) fn files_policy(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) -> Option<FilesPolicy> {
        let store = self.governed_store(table, raw);
        let matching = self.file_match(table, raw);
        let keep = self.file_keep(table, raw.keep.as_ref());
        let keep_last = raw.keep_last.and_then(|number| self.count(&table.key("keep_last"), number, i64::MAX));
        let max_total =
            raw.max_total.as_ref().and_then(|text| self.check(&table.key("max_total"), parse_size(&text.0)));
        let min_free = raw.min_free.as_ref().and_then(|text| self.check(&table.key("min_free"), parse_space(&text.0)));
        let per = raw.per.as_ref().and_then(|text| self.check(&table.key("per"), parse_per(text)));
        let open = self.check(&table.key("open"), parse_open(raw.open.as_deref().unwrap_or(keys::OPEN)));
        let max_files = self.max_files(table, raw);
        let max_fraction = raw.max_fraction.and_then(|share| self.fraction(table, share));
        self.refuse_idle(table);
        self.refuse_trash_mismatch(table, raw, whole);
        Some(FilesPolicy {
            store: store?,
            matching: matching?,
            keep,
            keep_last: keep_last.and_then(|number| NonZeroU64::new(number.unsigned_abs())),
            max_total,
            min_free,
            per,
            prune_empty: raw.prune_empty.unwrap_or(false),
            open: open?,
            bypass_trash: raw.bypass_trash.unwrap_or(false),
            max_files,
            max_fraction,
        })
    }

    /// The store whose files a policy goes through.
    pub(super) fn governed_store(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<Name> {
        let store =
            self.required(table, "store", raw.store.as_ref(), "write store = \"…\", the name of a [stores.NAME]")?;
        self.reference(&table.key("store"), store, Section::Stores)
    }

    /// `match` and `exclude`.
    pub(super) fn file_match(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<FileMatch> {
        let include = raw.r#match.as_ref().map(|texts| self.globs(&table.key("match"), texts));
        let exclude = raw.exclude.as_ref().map(|texts| self.globs(&table.key("exclude"), texts));
        let readable = |globs: Option<Option<Globs>>| match globs {
            None => Some(None),
            Some(globs) => globs.map(Some),
        };
        Some(FileMatch::new(readable(include)?, readable(exclude)?))
    }

    fn globs(&mut self, path: &KeyPath, texts: &Texts) -> Option<Globs> {
        if texts.texts.is_empty() {
            let fault = Fault::new("the list is empty").hint("leave it out, or write a pattern such as \"**/*.log\"");
            self.refuse(path, Aspect::Value, fault);
            return None;
        }
        Globs::parse(&texts.texts)
            .map_err(|(position, message)| {
                let place = if texts.is_list { path.index(position) } else { path.clone() };
                let hint = glob_hint(&texts.texts[position]);
                self.refuse(&place, Aspect::Value, Fault { message, hint });
            })
            .ok()
    }

    /// `keep` of files, one time for all of them.
    pub(super) fn file_keep(&mut self, table: &KeyPath, raw: Option<&RawKeep>) -> Option<std::time::Duration> {
        let path = table.key("keep");
        match raw? {
            RawKeep::For(text) => self.check(&path, parse_duration("keep", &text.0, LONGEST_KEEP)),
            RawKeep::ByValue(_) => {
                let fault = Fault::new("a file has no columns that its time could go by");
                self.refuse(&path, Aspect::Value, fault.hint("write keep = \"7d\", or a policy for each match"));
                None
            }
        }
    }

    /// The guard on the number of files.
    pub(super) fn max_files(&mut self, table: &KeyPath, raw: &RawPolicy) -> Option<NonZeroU64> {
        let number = raw.max_files.and_then(|number| self.count(&table.key("max_files"), number, i64::MAX));
        number.and_then(|number| NonZeroU64::new(number.unsigned_abs()))
    }

    /// Refuses a policy that says of no file that it goes, and what has no effect.
    fn refuse_idle(&mut self, table: &KeyPath) {
        let is_written = |key: &str| self.loaded.is_written(&table.key(key));
        let counts = is_written("keep_last") || is_written("max_total");
        if !counts && !is_written("keep") && !is_written("min_free") {
            let fault = Fault::new("nothing says which files go");
            let hint = "write keep = \"7d\", keep_last = 5, max_total = \"10GiB\" or min_free = \"10%\"";
            self.refuse(table, Aspect::Key, fault.hint(hint));
        }
        if is_written("per") && !counts {
            let fault = Fault::new("per has no effect without keep_last or max_total");
            self.refuse(&table.key("per"), Aspect::Key, fault.hint("leave it out"));
        }
    }

    /// What goes for `min_free` can pass by a trash only where there is one.
    fn refuse_trash_mismatch(&mut self, table: &KeyPath, raw: &RawPolicy, whole: &Raw) {
        if raw.bypass_trash != Some(true) {
            return;
        }
        let path = table.key("bypass_trash");
        let stores = whole.stores.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        let store = stores.iter().find(|(name, _)| Some(name) == raw.store.as_ref());
        let has_trash = |name: &str| self.loaded.is_written(&KeyPath::of(&["stores", name, "trash"]));
        if !self.loaded.is_written(&table.key("min_free")) {
            let fault = Fault::new("bypass_trash has no effect without min_free");
            self.refuse(&path, Aspect::Key, fault.hint("leave it out: what goes by keep goes into the trash"));
        } else if store.is_some_and(|(name, _)| !has_trash(name)) {
            let fault = Fault::new("bypass_trash has no effect: the store has no trash");
            self.refuse(&path, Aspect::Key, fault.hint("leave it out"));
        }
    }
}

/// What to write instead of a pattern that is refused.
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

fn parse_per(text: &str) -> Result<Per, Fault> {
    match text {
        "directory" => Ok(Per::Directory),
        "store" => Ok(Per::Store),
        other => {
            let hint = did_you_mean(other, ["directory", "store"]);
            let hint = hint.unwrap_or_else(|| "write \"directory\" or \"store\"".to_owned());
            Err(Fault::new(format!("there is no per {other:?}")).hint(hint))
        }
    }
}

fn parse_open(text: &str) -> Result<OpenFiles, Fault> {
    match text {
        "skip" => Ok(OpenFiles::Skip),
        "delete" => Ok(OpenFiles::Delete),
        other => {
            let hint = did_you_mean(other, ["skip", "delete"]);
            let hint = hint
                .unwrap_or_else(|| "\"skip\" leaves files that a process holds open, \"delete\" takes them".to_owned());
            Err(Fault::new(format!("there is no open {other:?}")).hint(hint))
        }
    }
}

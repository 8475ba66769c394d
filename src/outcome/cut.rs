//! Texts of a policy's result, cut to what is shown: whoever wrote them may have written megabytes.

use std::collections::BTreeMap;

use super::references::MissingFile;
use super::result::{Failure, PolicyResult, SHOWN_AT_MOST, Sample};
use crate::text::{cut, cut_at};

/// A note may list some names.
const LONGEST_NOTE: usize = 4096;

impl PolicyResult {
    /// Cuts every text in it to what is shown, whoever wrote it: a database, a command, a file system.
    #[must_use]
    pub fn cut(mut self) -> Self {
        self.blocked_by = self.blocked_by.map(cut);
        if let Some(held) = &mut self.held {
            let words = held.old.iter_mut().chain(&mut held.new).flat_map(BTreeMap::values_mut);
            held.reasons.iter_mut().chain(words).for_each(|text| *text = cut(std::mem::take(text)));
        }
        self.notes = self.notes.into_iter().map(|note| cut_at(note, LONGEST_NOTE)).take(SHOWN_AT_MOST).collect();
        for Failure { key, path, reason: _, error } in &mut self.errors {
            (*key, *path) = (key.take().map(cut), path.take().map(cut));
            *error = cut(std::mem::take(error));
        }
        for Sample { key, files } in &mut self.sample {
            *key = cut(std::mem::take(key));
            files.truncate(SHOWN_AT_MOST);
            files.iter_mut().for_each(|file| *file = cut(std::mem::take(file)));
        }
        for MissingFile { reference: _, path } in &mut self.missing {
            *path = cut(std::mem::take(path));
        }
        let facts = self.blocked_facts.values_mut();
        self.details.iter_mut().flat_map(BTreeMap::values_mut).chain(facts).for_each(cut_value);
        self
    }
}

/// Cuts every text in a value.
fn cut_value(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = cut(std::mem::take(text)),
        serde_json::Value::Array(values) => values.iter_mut().for_each(cut_value),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(cut_value),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

//! Beginnings of paths that lead out of a store: a few for many paths.

use std::collections::HashMap;

use crate::outcome::OutsidePaths;

/// Beginnings that a result shows.
pub(in crate::run) const SHOWN_AT_MOST: usize = 10;
/// Different beginnings that are counted.
const COUNTED_AT_MOST: usize = 1000;
/// Most characters of a beginning or an example.
const CHARS_AT_MOST: usize = 200;

/// Paths by what stands before their last segment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::run) struct Beginnings(HashMap<String, (u64, String)>);

impl Beginnings {
    pub(super) fn add(&mut self, written: &str) {
        let end = written.trim_end_matches('/').rfind(['/', '\\']).map_or(0, |at| at + 1);
        let begins = shortened(&written[..end]);
        if let Some((rows, _)) = self.0.get_mut(&begins) {
            *rows += 1;
        } else if self.0.len() < COUNTED_AT_MOST {
            self.0.insert(begins, (1, shortened(written)));
        }
    }

    pub(super) fn shown<'a>(&'a self, reference: &'a str) -> impl Iterator<Item = OutsidePaths> + 'a {
        self.0.iter().map(|(begins, (rows, example))| OutsidePaths {
            reference: reference.to_owned(),
            begins: begins.clone(),
            rows: *rows,
            example: example.clone(),
        })
    }

    /// Some of the paths, for a message.
    pub(super) fn examples(&self, at_most: usize) -> String {
        let mut counted: Vec<_> = self.0.values().collect();
        counted.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
        let examples = counted.iter().take(at_most).map(|(_, example)| format!("{example:?}"));
        examples.collect::<Vec<_>>().join(", ")
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(CHARS_AT_MOST).collect()
}

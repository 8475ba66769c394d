//! What one policy's run has done so far: sums, failures, remarks.

use std::collections::BTreeMap;

use crate::outcome::{AlikeFile, Failure, MissingFile, OutsidePaths, SHOWN_AT_MOST, Sample, Tally};
use crate::sources::{OwnedRow, Target};
use crate::text::cut;

/// Rows that a plan shows as a sample.
pub(super) const SAMPLE_AT_MOST: usize = 5;

/// The running account of one policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) tally: Tally,
    /// The first hundred.
    pub(super) failures: Vec<Failure>,
    pub(super) failure_count: u64,
    pub(super) notes: Vec<String>,
    pub(super) sample: Vec<Sample>,
    /// The columns that the operator wants to see of the first hundred affected rows.
    pub(super) details: Vec<BTreeMap<String, serde_json::Value>>,
    /// The first files that rows name and that are not there.
    pub(super) missing: Vec<MissingFile>,
    /// How most of the paths begin that lead out of the store.
    pub(super) outside: Vec<OutsidePaths>,
    /// The first files that stay because a row names them in another spelling.
    pub(super) alike: Vec<AlikeFile>,
}

impl Account {
    /// Records something that failed and did not stop the rest.
    pub(super) fn fail(&mut self, key: Option<String>, path: Option<String>, error: String) {
        self.keep(key, path, None, error);
    }

    /// Records something that was to go and was kept, with the word of the reason.
    pub(super) fn keep(&mut self, key: Option<String>, path: Option<String>, reason: Option<String>, error: String) {
        let (key, path, error) = (key.map(cut), path.map(cut), cut(error));
        tracing::debug!(key, path, reason, error, "An item failed");
        self.failure_count += 1;
        if self.failures.len() < SHOWN_AT_MOST {
            self.failures.push(Failure { key, path, reason, error });
        }
    }

    /// Records what explains all other failures, before them.
    pub(super) fn fail_first(&mut self, error: String) {
        self.failure_count += 1;
        self.failures.insert(0, Failure { key: None, path: None, reason: None, error });
        self.failures.truncate(SHOWN_AT_MOST);
    }

    /// Takes over what a part of the work did.
    pub(super) fn add(&mut self, part: Account) {
        let Account { tally, failures, failure_count, notes, sample, details, missing, outside, alike } = part;
        self.tally.add(&tally);
        self.failure_count += failure_count;
        let room = SHOWN_AT_MOST.saturating_sub(self.failures.len());
        self.failures.extend(failures.into_iter().take(room));
        self.notes.extend(notes);
        let room = SHOWN_AT_MOST.saturating_sub(self.details.len());
        self.details.extend(details.into_iter().take(room));
        let room = SHOWN_AT_MOST.saturating_sub(self.missing.len());
        self.missing.extend(missing.into_iter().take(room));
        self.outside.extend(outside);
        let room = SHOWN_AT_MOST.saturating_sub(self.alike.len());
        self.alike.extend(alike.into_iter().take(room));
        sample.into_iter().for_each(|row| self.show(|| row));
    }

    /// True if there is room for the details of more rows.
    pub(super) fn wants_details(&self) -> bool {
        self.details.len() < SHOWN_AT_MOST
    }

    /// Shows the details of some rows, while there is room.
    pub(super) fn detail(&mut self, target: &Target, rows: &[OwnedRow]) {
        if target.has_details() {
            let room = SHOWN_AT_MOST.saturating_sub(self.details.len());
            self.details.extend(rows.iter().take(room).map(|row| target.details_of(row)));
        }
    }

    /// Adds a row to the sample, while there is room.
    pub(super) fn show(&mut self, row: impl FnOnce() -> Sample) {
        if self.sample.len() < SAMPLE_AT_MOST {
            self.sample.push(row());
        }
    }
}

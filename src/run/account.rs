//! The running account of one policy: sums, failures, remarks.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::outcome::{AlikeFile, Failure, MissingFile, OutsidePaths, SHOWN_AT_MOST, Sample, Survey, Tally, Wait};
use crate::sources::{AskedDetails, ErrorKind, OwnedRow, SourceError, Target};
use crate::text::{chain, cut};

/// Rows that a plan shows as a sample.
pub(super) const SAMPLE_AT_MOST: usize = 5;

/// Kinds of failures that no rule explains: of a row, of a file, of the policy as a whole.
const ROW: &str = "row";
pub(super) const FILE: &str = "file";
const POLICY: &str = "policy";

/// The running account of one policy.
#[derive(Debug, Clone, Default)]
pub(super) struct Account {
    pub(super) tally: Tally,
    /// The first hundred.
    pub(super) failures: Vec<Failure>,
    /// Counts of all failures, by the word of their reason or by what failed.
    pub(super) failure_kinds: BTreeMap<String, u64>,
    pub(super) notes: Vec<String>,
    /// Time that it waited between batches.
    pub(super) waited: BTreeMap<Wait, Duration>,
    pub(super) sample: Vec<Sample>,
    /// The columns that the operator wants to see of the first hundred affected rows.
    pub(super) details: Vec<BTreeMap<String, serde_json::Value>>,
    /// The first files that rows name and that are not there.
    pub(super) missing: Vec<MissingFile>,
    /// The beginnings of most of the paths that lead out of the store.
    pub(super) outside: Vec<OutsidePaths>,
    /// The first files that stay because a row names them in another spelling.
    pub(super) alike: Vec<AlikeFile>,
    /// `at_most` left something to the next run.
    pub(super) more_to_do: bool,
    /// The store before anything went, where it was walked through.
    pub(super) survey: Option<Survey>,
    /// The database could not answer a question for details.
    asked_in_vain: bool,
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
        let thing = match (&key, &path) {
            (_, Some(_)) => FILE,
            (Some(_), None) => ROW,
            (None, None) => POLICY,
        };
        self.count_failures(reason.as_deref().unwrap_or(thing), 1);
        if self.failures.len() < SHOWN_AT_MOST {
            self.failures.push(Failure { key, path, reason, error });
        }
    }

    /// Records what explains all other failures, before them.
    pub(super) fn fail_first(&mut self, error: String) {
        self.count_failures(POLICY, 1);
        self.failures.insert(0, Failure { key: None, path: None, reason: None, error });
        self.failures.truncate(SHOWN_AT_MOST);
    }

    /// Counts failures that are not listed.
    pub(super) fn count_failures(&mut self, kind: &str, count: u64) {
        if count > 0 {
            *self.failure_kinds.entry(kind.to_owned()).or_default() += count;
        }
    }

    /// Number of failures of every kind.
    pub(super) fn failure_count(&self) -> u64 {
        self.failure_kinds.values().sum()
    }

    /// Takes over what a part of the work did.
    pub(super) fn add(&mut self, part: Account) {
        let Account {
            tally,
            failures,
            failure_kinds,
            notes,
            waited,
            sample,
            details,
            missing,
            outside,
            alike,
            more_to_do,
            survey,
            asked_in_vain,
        } = part;
        self.tally.add(&tally);
        self.more_to_do |= more_to_do;
        failure_kinds.iter().for_each(|(kind, count)| self.count_failures(kind, *count));
        let room = SHOWN_AT_MOST.saturating_sub(self.failures.len());
        self.failures.extend(failures.into_iter().take(room));
        self.notes.extend(notes);
        waited.into_iter().for_each(|(wait, time)| *self.waited.entry(wait).or_default() += time);
        self.asked_in_vain |= asked_in_vain;
        self.survey = survey.or(self.survey.take());
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

    /// True if there is, and these have to be asked for.
    pub(super) fn wants_answers(&self, target: &Target) -> bool {
        target.asks_details() && self.wants_details() && !self.asked_in_vain
    }

    /// Those of some rows of which details are shown: as many as there is room for.
    pub(super) fn detailed(&self, target: &Target, rows: &[OwnedRow], asked: &AskedDetails) -> Vec<OwnedRow> {
        let room = if target.has_details() { SHOWN_AT_MOST.saturating_sub(self.details.len()) } else { 0 };
        rows.iter().filter(|row| asked.knows(row)).take(room).cloned().collect()
    }

    /// Shows the details of some rows.
    pub(super) fn detail(&mut self, target: &Target, rows: &[OwnedRow], asked: &AskedDetails) {
        self.details.extend(rows.iter().map(|row| target.details_of(row, asked)));
    }

    /// The answer to a question for details. One that the database cannot answer is noted and not asked again: no row stays
    /// for want of it.
    pub(super) fn answered<T: Default>(&mut self, answer: Result<T, SourceError>) -> Result<T, SourceError> {
        match answer {
            Err(error) if !matches!(error.kind, ErrorKind::Lost | ErrorKind::Cancelled | ErrorKind::Connect) => {
                self.asked_in_vain = true;
                self.notes.push(format!("some details are not shown: {}", chain(&error)));
                Ok(T::default())
            }
            answer => answer,
        }
    }

    /// Adds a row to the sample, while there is room.
    pub(super) fn show(&mut self, row: impl FnOnce() -> Sample) {
        if self.sample.len() < SAMPLE_AT_MOST {
            self.sample.push(row());
        }
    }
}

//! The state of a run as Redis has it: plain data, written as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::outcome::{RunId, RunMode, RunResult, RunTrigger, Status, Totals};
use crate::policy::Name;
use crate::text::human::counted;

/// Standing of a job, in the words of queues and workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    Running,
    /// Also with errors, which `error` names.
    Completed,
    /// Also blocked or cancelled: `result` has the word.
    Failed,
}

/// A run as a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobState {
    pub id: String,
    #[serde(rename = "type")]
    pub job_type: String,
    pub status: JobStatus,
    /// In hundredths: never falls, and is 100 of what completed alone.
    pub progress: u8,
    pub message: String,
    pub metadata: JobMetadata,
    pub started_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub result: Option<JobResult>,
    pub error: Option<String>,
}

/// Subject of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobMetadata {
    pub run_id: RunId,
    pub task: Option<Name>,
    pub mode: RunMode,
    pub trigger: RunTrigger,
    /// Time that each policy keeps, as it is written.
    pub keep: BTreeMap<Name, Option<String>>,
}

/// Outcome of a job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobResult {
    pub status: Status,
    #[serde(flatten)]
    pub totals: Totals,
}

impl JobState {
    /// The job of a run that begins.
    pub fn begun(id: String, job_type: &str, metadata: JobMetadata, now: Timestamp) -> Self {
        Self {
            id,
            job_type: job_type.to_owned(),
            status: JobStatus::Running,
            progress: 0,
            message: "begins".to_owned(),
            metadata,
            started_at: now,
            updated_at: now,
            finished_at: None,
            result: None,
            error: None,
        }
    }

    /// Time since its run ended, when this was last changed.
    pub fn ended_for(&self) -> Duration {
        let ended = self.finished_at.map(|finished_at| self.updated_at.duration_since(finished_at));
        ended.and_then(|ended| Duration::try_from(ended).ok()).unwrap_or_default()
    }

    /// Ends it as its run did; without a result it has not run.
    pub fn end(&mut self, result: Option<&RunResult>, error: Option<String>, now: Timestamp) {
        let status = result.and_then(|result| result.status).unwrap_or(Status::Failed);
        self.status = match status {
            Status::Completed | Status::CompletedWithErrors => JobStatus::Completed,
            Status::Failed | Status::Blocked | Status::Cancelled => JobStatus::Failed,
        };
        self.progress = if self.status == JobStatus::Completed { 100 } else { self.progress };
        let totals = result.map(|result| result.totals.clone()).unwrap_or_default();
        let (rows, files) = (totals.rows_deleted + totals.rows_updated, totals.files_deleted);
        let word = status.word().replace('_', " ");
        self.message = format!("{word}: {}, {}", counted(rows, "row"), counted(files, "file"));
        self.error = error.or_else(|| (self.status == JobStatus::Failed).then(|| format!("the run was {word}")));
        self.result = Some(JobResult { status, totals });
        self.finished_at = Some(result.and_then(|result| result.finished_at).unwrap_or(now));
        self.updated_at = now;
    }
}

/// The id of a run's job: the moment at which it was asked for, which its own id has, as a clock in that zone shows it.
pub fn job_id(run_id: RunId, zone: &TimeZone) -> String {
    let seconds = run_id.get_timestamp().and_then(|at| i64::try_from(at.to_unix().0).ok()).unwrap_or_default();
    let at = Timestamp::from_second(seconds).unwrap_or_default().to_zoned(zone.clone());
    at.strftime("cleanup-%Y%m%d-%H%M%S").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_moment() {
        // 2026-07-10T01:00:00Z in milliseconds, as version 7 has it.
        let run_id = RunId::parse_str("019f4989-de80-7000-8000-000000000000").unwrap();
        assert_eq!(job_id(run_id, &TimeZone::UTC), "cleanup-20260710-010000");
        assert_eq!(job_id(run_id, &TimeZone::get("Europe/Berlin").unwrap()), "cleanup-20260710-030000");
    }
}

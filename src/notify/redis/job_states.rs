//! The states of jobs that are under way or wait to be written: the last one of each, and no more of them than a few.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use super::job::{JobMetadata, JobState, job_id};
use crate::outcome::{RunId, RunResult, RunTrigger};
use crate::policy::PublishRedis;

/// Jobs whose last state waits at most: beyond it the one that waited longest is left out.
const MOST_WAITING: usize = 200;
/// Ids that are remembered, so that none is given twice.
const IDS_REMEMBERED: usize = 200;

/// Jobs of the runs, and the task that writes their states. Cheap to clone.
#[derive(Clone, Default)]
pub struct JobStates(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Something waits.
    woken: Notify,
    /// Something was written.
    written: Notify,
}

#[derive(Default)]
struct State {
    to: Option<Arc<PublishRedis>>,
    writer: Option<AbortHandle>,
    running: BTreeMap<RunId, JobState>,
    waiting: VecDeque<Waiting>,
    ids: VecDeque<String>,
}

/// A state that waits to be written.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    pub job: Arc<JobState>,
    pub over: Over,
}

/// State that another may be written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Anything,
    /// The state of this run, where that is left at running.
    LeftRunning(RunId),
    /// That state, or nothing: Redis may never have heard of the run.
    LeftRunningOrNothing(RunId),
}

impl JobStates {
    /// Has states written there from now on and nowhere else, by a task that `start` starts.
    pub(super) fn direct(&self, to: Option<&Arc<PublishRedis>>, start: impl FnOnce(&Arc<PublishRedis>) -> AbortHandle) {
        let mut state = self.lock();
        if state.to.as_ref() == to {
            return;
        }
        if let Some(writer) = state.writer.take() {
            writer.abort();
        }
        state.to = to.cloned();
        match to {
            None => (state.running, state.waiting) = Default::default(),
            Some(to) => state.writer = Some(start(to)),
        }
    }

    /// True if anybody is to read them.
    pub fn are_wanted(&self) -> bool {
        self.lock().to.is_some()
    }

    /// Makes a job of a run that begins.
    pub fn begin(&self, metadata: JobMetadata, zone: &TimeZone, now: Timestamp) {
        let mut state = self.lock();
        let Some(to) = state.to.clone() else { return };
        let (run_id, id) = (metadata.run_id, state.new_id(metadata.run_id, zone));
        let job = JobState::begun(id, &to.job_type, metadata, now);
        state.wait(&job, Over::Anything);
        state.running.insert(run_id, job);
        self.0.woken.notify_one();
    }

    /// Notes how far a run is.
    pub fn update(&self, run_id: RunId, progress: u8, message: String, now: Timestamp) {
        let mut state = self.lock();
        let Some(job) = state.running.get_mut(&run_id) else { return };
        if (job.progress, job.message.as_str()) == (progress, message.as_str()) {
            return;
        }
        (job.progress, job.message, job.updated_at) = (progress.max(job.progress), message, now);
        let job = job.clone();
        state.wait(&job, Over::Anything);
        self.0.woken.notify_one();
    }

    /// Ends the job of a run; without a result it has not run.
    pub fn end(&self, run_id: RunId, result: Option<&RunResult>, error: Option<String>, now: Timestamp) {
        let mut state = self.lock();
        let Some(mut job) = state.running.remove(&run_id) else { return };
        job.end(result, error, now);
        state.wait(&job, Over::Anything);
        self.0.woken.notify_one();
    }

    /// Ends the job of a run that another daemon began, if its state was left at running or was never heard of.
    pub fn settle(&self, metadata: JobMetadata, zone: &TimeZone, ended: (&RunResult, Option<String>), now: Timestamp) {
        let mut state = self.lock();
        let Some(to) = state.to.clone() else { return };
        let (run_id, (result, error)) = (metadata.run_id, ended);
        // One by a command may have been carried out without a daemon: then it is no job.
        let over = match metadata.trigger {
            RunTrigger::Cli => Over::LeftRunning(run_id),
            _ => Over::LeftRunningOrNothing(run_id),
        };
        let mut job = JobState::begun(job_id(run_id, zone), &to.job_type, metadata, result.started_at);
        job.end(Some(result), error, now);
        state.wait(&job, over);
        self.0.woken.notify_one();
    }

    /// Waits until everything is written, within reason.
    pub async fn flush(&self, patience: Duration) {
        let all = async {
            while self.next().is_some() {
                self.0.written.notified().await;
            }
        };
        // What is not written by then is left out.
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// The state that waited longest.
    pub(super) fn next(&self) -> Option<Waiting> {
        self.lock().waiting.front().cloned()
    }

    /// Takes out what was written. If there is a newer state of it, that waits in its turn.
    pub(super) fn note_written(&self, done: &Waiting) {
        let mut state = self.lock();
        if let Some(place) = state.waiting.iter().position(|waiting| waiting.job.id == done.job.id)
            && let Some(waiting) = state.waiting.remove(place)
            && !Arc::ptr_eq(&waiting.job, &done.job)
        {
            state.waiting.push_back(waiting);
        }
        self.0.written.notify_one();
    }

    /// Returns once something waits.
    pub(super) async fn woken(&self) {
        self.0.woken.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// An id that no other run has: of two that begin in one second, the second one's has `-2` behind it.
    fn new_id(&mut self, run_id: RunId, zone: &TimeZone) -> String {
        let base = job_id(run_id, zone);
        let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
        let mut all = std::iter::once(base.clone()).chain(numbered);
        let id = all.find(|id| !self.ids.contains(id)).unwrap_or_else(|| base.clone());
        if self.ids.len() == IDS_REMEMBERED {
            self.ids.pop_front();
        }
        self.ids.push_back(id.clone());
        id
    }

    /// Has a state wait, in the place of one of the same job.
    fn wait(&mut self, job: &JobState, over: Over) {
        let next = Waiting { job: Arc::new(job.clone()), over };
        match self.waiting.iter_mut().find(|waiting| waiting.job.id == job.id) {
            Some(waiting) => *waiting = next,
            None => self.waiting.push_back(next),
        }
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::job::JobStatus;
    use super::*;
    use crate::outcome::RunMode;
    use crate::policy::Host;

    /// States for a Redis that is not there.
    fn states() -> JobStates {
        let to = PublishRedis {
            host: Host::Unix { path: "/nowhere/redis.sock".into(), port: 0 },
            database: 0,
            user: None,
            password: None,
            lacks_password: false,
            key: "job:{id}".to_owned(),
            channel: String::new(),
            expire: Duration::from_secs(60),
            job_type: "data_cleanup".to_owned(),
        };
        let states = JobStates::default();
        states.direct(Some(&Arc::new(to)), |_| tokio::spawn(async {}).abort_handle());
        states
    }

    fn begin(states: &JobStates) -> RunId {
        let run_id = RunId::now_v7();
        let (mode, trigger) = (RunMode::Enforce, RunTrigger::Schedule);
        let metadata = JobMetadata { run_id, task: None, mode, trigger, keep: BTreeMap::new() };
        states.begin(metadata, &TimeZone::UTC, Timestamp::UNIX_EPOCH);
        run_id
    }

    #[tokio::test]
    async fn last_states_of_few_runs_wait() {
        let states = states();
        let first = begin(&states);
        for progress in [10, 40, 30] {
            states.update(first, progress, format!("at {progress}"), Timestamp::UNIX_EPOCH);
        }
        let waiting = states.next().unwrap();
        assert_eq!(states.lock().waiting.len(), 1);
        assert_eq!((waiting.job.progress, waiting.job.message.as_str()), (40, "at 30"));
        states.end(first, None, Some("gone".to_owned()), Timestamp::UNIX_EPOCH);
        // What was written meanwhile is not the last one.
        states.note_written(&waiting);
        let last = states.next().unwrap();
        assert_eq!((last.job.status, last.job.progress), (JobStatus::Failed, 40));
        states.note_written(&last);
        assert!(states.next().is_none());

        for _ in 0..MOST_WAITING + 5 {
            let run_id = begin(&states);
            states.end(run_id, None, None, Timestamp::UNIX_EPOCH);
        }
        let state = states.lock();
        assert_eq!((state.waiting.len(), state.running.len()), (MOST_WAITING, 0));
    }

    #[tokio::test]
    async fn no_two_jobs_have_one_id() {
        let states = states();
        for _ in 0..5 {
            begin(&states);
        }
        let ids: std::collections::BTreeSet<String> =
            states.lock().running.values().map(|job| job.id.clone()).collect();
        assert_eq!(ids.len(), 5, "{ids:?}");
    }

    #[tokio::test]
    async fn nothing_is_kept_where_nobody_reads_it() {
        let states = states();
        begin(&states);
        states.direct(None, |_| panic!("there is no place"));
        begin(&states);
        assert!(states.next().is_none() && states.lock().running.is_empty() && !states.are_wanted());
    }
}

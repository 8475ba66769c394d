//! Activations of tasks: one of a task at a time, each with its token; a panic in one is caught and reported.
//! Knows nothing of what an activation does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::interface::{Activation, Pulse, Runnable, SlotEnd, TaskStatus};
use super::ticker::Board;
use super::timetable::{Slot, SlotVerdict};
use crate::policy::Name;

/// A run ends itself when its timeout is over, between two batches. One that is this much later hangs.
const OVERRUN_SLACK: Duration = Duration::from_secs(60);
/// The trigger answers within half a second: a slot that waits for this long shows that it is stuck.
const TRIGGER_STUCK: SignedDuration = SignedDuration::from_secs(30);

/// The loop that starts and ends activations.
pub struct Activations {
    pub board: Arc<Board>,
    pub runnable: Arc<dyn Runnable>,
    /// Asks all activations to stop, and ends the loop when they have.
    pub stop: CancellationToken,
    pub bell: mpsc::Receiver<()>,
    /// Who wants to know how things are.
    pub asked: mpsc::Receiver<oneshot::Sender<Pulse>>,
    running: BTreeMap<Name, Running>,
    /// Activations, and notes on skipped slots.
    set: JoinSet<SlotEnd>,
}

struct Running {
    id: Id,
    activation: Activation,
    since: Timestamp,
    /// When it is to be told that the activation hangs.
    overrun_at: Option<Instant>,
    overrun: bool,
}

impl Activations {
    /// A loop in which nothing runs yet.
    pub fn new(
        board: Arc<Board>,
        runnable: Arc<dyn Runnable>,
        stop: CancellationToken,
        bell: mpsc::Receiver<()>,
        asked: mpsc::Receiver<oneshot::Sender<Pulse>>,
    ) -> Self {
        Self { board, runnable, stop, bell, asked, running: BTreeMap::new(), set: JoinSet::new() }
    }

    /// Runs until asked to stop and everything that ran has ended.
    pub async fn run(mut self) {
        while !(self.stop.is_cancelled() && self.set.is_empty()) {
            let overrun_at = self.running.values().filter_map(|running| running.overrun_at).min();
            let stopping = self.stop.is_cancelled();
            tokio::select! {
                Some(()) = self.bell.recv(), if !stopping => self.take_slots(),
                Some(ended) = self.set.join_next_with_id(), if !self.set.is_empty() => self.note_end(ended),
                Some(answer) = self.asked.recv() => {
                    // A bell that was not heard must not cost a slot.
                    if !stopping {
                        self.take_slots();
                    }
                    // Whoever asked may have gone.
                    let _ = answer.send(self.pulse());
                }
                () = sleep_until(overrun_at), if overrun_at.is_some() => self.note_overruns(),
                () = self.stop.cancelled(), if !stopping => {}
            }
        }
    }

    fn take_slots(&mut self) {
        for slot in self.board.take_come() {
            if slot.stands_for_more {
                tracing::info!(task = %slot.task.name, due_at = %slot.due_at,
                    "Several slots of task {} passed unused, the newest stands for all", slot.task.name);
            }
            match slot.judge(self.board.clock.now()) {
                SlotVerdict::Run(activation) if self.running.contains_key(&activation.task) => {
                    self.skip(activation, "the run before it had not ended");
                }
                SlotVerdict::Run(activation) => self.begin(&slot, activation),
                SlotVerdict::Skip(activation, why) => self.skip(activation, why),
            }
        }
    }

    fn begin(&mut self, slot: &Slot, activation: Activation) {
        let future = self.runnable.activate(activation.clone(), self.stop.child_token());
        let id = self.set.spawn(future).id();
        let overrun_at = slot.task.timeout.map(|timeout| Instant::now() + timeout + OVERRUN_SLACK);
        let since = self.board.clock.now();
        let task = activation.task.clone();
        self.running.insert(task, Running { id, activation, since, overrun_at, overrun: false });
    }

    fn skip(&mut self, activation: Activation, why: &'static str) {
        let noted = self.runnable.skip(activation, why);
        self.set.spawn(async move {
            noted.await;
            SlotEnd::Done
        });
    }

    fn note_end(&mut self, ended: Result<(Id, SlotEnd), JoinError>) {
        let (id, end, panic) = match ended {
            Ok((id, end)) => (id, end, None),
            Err(error) => (error.id(), SlotEnd::Unfinished, Some(error).filter(JoinError::is_panic)),
        };
        let task = self.running.iter().find(|(_, running)| running.id == id).map(|(task, _)| task.clone());
        let activation = task.and_then(|task| self.running.remove(&task)).map(|running| running.activation);
        if let (Some(activation), SlotEnd::Unfinished) = (&activation, end) {
            self.board.table().try_again(activation, self.board.clock.now());
            self.board.announce_change();
        }
        match (activation, panic.map(words_of_panic)) {
            (Some(activation), Some(words)) => {
                let noted = self.runnable.lost(activation, words);
                self.set.spawn(async move {
                    noted.await;
                    SlotEnd::Done
                });
            }
            (None, Some(words)) => tracing::error!(error = %words, "Noting a slot failed by a bug in retaind: {words}"),
            (_, None) => {}
        }
    }

    fn note_overruns(&mut self) {
        let now = Instant::now();
        for (task, running) in &mut self.running {
            if running.overrun_at.is_some_and(|at| at <= now) {
                running.overrun_at = None;
                running.overrun = true;
                tracing::warn!(%task, since = %running.since,
                    "Task {task} runs since {} and did not end at its timeout", running.since);
            }
        }
    }

    fn pulse(&self) -> Pulse {
        let table = self.board.table();
        let stuck = table.wake_at().map(|at| self.board.clock.now().duration_since(at));
        let tasks = table.slots().map(|(task, next)| {
            let running = self.running.get(&task.name);
            TaskStatus {
                task: task.name.clone(),
                next,
                running_since: running.map(|running| running.since),
                overrun: running.is_some_and(|running| running.overrun),
            }
        });
        Pulse {
            tasks: tasks.collect(),
            running: self.running.len(),
            ticking: stuck.is_none_or(|waited| waited <= TRIGGER_STUCK),
        }
    }
}

async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn words_of_panic(error: JoinError) -> String {
    let payload = error.into_panic();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

//! tokio-cron-scheduler, held to what it does well: its ticker asks what is due, and its runner calls our code for it.
//!
//! The library gets its metadata from [`Metadata`], which answers from our timetable and ignores the library's own
//! arithmetic (frozen UTC offsets, intervals that die after a stall). Its ticker would wake the process twice a
//! second for ever; it awaits the answer to "what is due", so [`Metadata`] answers only when something is.
//! Its code is one closure for all jobs, which does no more than ring a bell: panics, overlaps and the wait for a
//! shutdown, which the library lacks, are the business of `activations`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, RwLock, mpsc};
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData, JobType};
use tokio_cron_scheduler::store::{DataStore, InitStore, MetaDataStorage};
use tokio_cron_scheduler::{
    Context, JobCode, JobScheduler, JobSchedulerError, JobToRunAsync, PinnedGetFuture, SimpleNotificationCode,
    SimpleNotificationStore, ToCode,
};
use uuid::Uuid;

use super::alarm::Alarm;
use super::timetable::{Slot, Timetable};
use crate::clock::Clock;

/// The library drops what does not fit into its channels: with at most this many due at once, and up to three
/// messages for each, [`CHANNEL_SIZE`] is never filled. The rest come half a second later.
const DUE_AT_ONCE: usize = 256;
const CHANNEL_SIZE: usize = 4 * DUE_AT_ONCE;
/// Any instant in the past but zero, which would delete the job.
const LONG_AGO: u64 = 1;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

/// State that the library's ticker and the activations share.
pub struct Board {
    pub clock: Clock,
    alarm: Alarm,
    table: Mutex<Timetable>,
    /// Slots that have come and were not yet taken by the activations.
    come: Mutex<Vec<Slot>>,
    changed: Notify,
    closing: AtomicBool,
}

impl Board {
    /// A board with a timetable, not yet ticking.
    pub fn new(table: Timetable, clock: Clock, alarm: Alarm) -> Self {
        let (table, come) = (Mutex::new(table), Mutex::new(Vec::new()));
        Self { clock, alarm, table, come, changed: Notify::new(), closing: AtomicBool::new(false) }
    }

    /// The timetable; whoever changes it calls [`Board::announce_change`] afterwards.
    pub fn table(&self) -> MutexGuard<'_, Timetable> {
        self.table.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Makes the ticker look at the timetable again.
    pub fn announce_change(&self) {
        self.changed.notify_one();
    }

    /// Takes every slot that has come.
    pub fn take_come(&self) -> Vec<Slot> {
        std::mem::take(&mut *self.come.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// Waits until slots have come, and hands them over; the jobs that stand for them are for the library.
    /// Empty when the schedule closes.
    async fn await_due(&self) -> Vec<Uuid> {
        loop {
            if self.closing.load(Ordering::Acquire) {
                return Vec::new();
            }
            let wake_at = {
                let mut table = self.table();
                let due = table.take_due(self.clock.now(), DUE_AT_ONCE);
                if !due.is_empty() {
                    return self.put_up(due);
                }
                table.wake_at()
            };
            tokio::select! {
                () = self.alarm.wait(&self.clock, wake_at) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn put_up(&self, due: Vec<(Uuid, Slot)>) -> Vec<Uuid> {
        let (ids, slots): (Vec<Uuid>, Vec<Slot>) = due.into_iter().unzip();
        self.come.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(slots);
        ids
    }
}

/// The library, ticking.
pub struct Ticker {
    board: Arc<Board>,
    scheduler: JobScheduler,
}

impl Ticker {
    /// Starts to tick. For every slot that comes, one `()` is sent; a full channel loses nothing, because the
    /// receiver takes all slots from the board.
    pub async fn start(board: Arc<Board>, bell: mpsc::Sender<()>) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(Metadata { board: Arc::clone(&board) }),
            Box::new(SimpleNotificationStore::default()),
            Box::new(Code::ringing(bell)),
            Box::new(SimpleNotificationCode::default()),
            CHANNEL_SIZE,
        )
        .await?;
        scheduler.start().await?;
        Ok(Self { board, scheduler })
    }

    /// Stops ticking: no slot comes any more.
    pub async fn stop(&mut self) {
        self.board.closing.store(true, Ordering::Release);
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "The scheduler did not shut down in order");
        }
        self.board.announce_change();
    }
}

/// The timetable, in the library's terms.
struct Metadata {
    board: Arc<Board>,
}

impl MetaDataStorage for Metadata {
    /// The jobs that are due, once some are. The instant that the library compares with was read before it asked,
    /// perhaps hours ago, so every job is reported as due long ago and never run.
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        let board = Arc::clone(&self.board);
        Box::pin(async move {
            let tick = |id: Uuid| JobAndNextTick {
                id: Some(id.into()),
                job_type: JobType::Cron as i32,
                next_tick: LONG_AGO,
                last_tick: None,
            };
            Ok(board.await_due().await.into_iter().map(tick).collect())
        })
    }

    /// Ignored: the timetable moved on when it handed the slot over.
    fn set_next_and_last_tick(
        &mut self,
        _job: Uuid,
        _next_tick: Option<DateTime<Utc>>,
        _last_tick: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn time_till_next_job(&mut self) -> Answer<Option<std::time::Duration>> {
        let wake_at = self.board.table().wake_at();
        let left = wake_at.map(|at| at.duration_since(self.board.clock.now()).try_into().unwrap_or_default());
        Box::pin(std::future::ready(Ok(left)))
    }
}

impl DataStore<JobStoredData> for Metadata {
    /// Just enough for the library to believe in the job while it works out a next tick that is ignored.
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        let job = JobStoredData {
            id: Some(id.into()),
            last_updated: None,
            last_tick: None,
            next_tick: LONG_AGO,
            job_type: JobType::Cron as i32,
            count: 0,
            extra: Vec::new(),
            ran: false,
            stopped: false,
            job: None,
            time_offset_seconds: 0,
        };
        Box::pin(std::future::ready(Ok(Some(job))))
    }

    /// Ignored: tasks enter and leave by the timetable.
    fn add_or_update(&mut self, _job: JobStoredData) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Ignored, as above.
    fn delete(&mut self, _job: Uuid) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

impl InitStore for Metadata {
    fn init(&mut self) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn inited(&mut self) -> Answer<bool> {
        Box::pin(std::future::ready(Ok(true)))
    }
}

/// The one thing that every job does.
struct Code(Arc<RwLock<Box<JobToRunAsync>>>);

impl Code {
    fn ringing(bell: mpsc::Sender<()>) -> Self {
        let ring: Box<JobToRunAsync> = Box::new(move |_job, _scheduler| {
            // Full: the bell was rung and not yet heard. Closed: the daemon is going.
            let _ = bell.try_send(());
            Box::pin(std::future::ready(()))
        });
        Self(Arc::new(RwLock::new(ring)))
    }
}

impl ToCode<Box<JobToRunAsync>> for Code {
    fn init(&mut self, _context: &Context) -> Answer<()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn get(&mut self, _job: Uuid) -> PinnedGetFuture<Box<JobToRunAsync>> {
        Box::pin(std::future::ready(Ok(Some(Arc::clone(&self.0)))))
    }
}

impl JobCode for Code {}

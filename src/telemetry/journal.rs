//! The way to journald: a bounded queue and one thread that sends, so that a journal that stalls never holds up a run.
//!
//! Sending to journald blocks while its socket is full. A daemon that waits there misses its watchdog and is
//! killed in the middle of its work; so lines are dropped and counted instead, and the count is logged afterwards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Metadata, Subscriber, Value};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use super::message_id;

/// Lines that may wait for the journal: some 1 MiB at most, and far more than a run logs at info level.
const QUEUE_LINES: usize = 1024;

/// Fields that a forwarded line may have; the most that tracing's value sets are built for here.
const FIELDS_AT_MOST: usize = 32;

/// Time that the end of the process waits for lines that the journal has not taken.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Something for the sending thread to do.
enum Item {
    Line(Line),
    /// Answered once everything queued before it is sent.
    Flush(SyncSender<()>),
}

/// An event, owned: its values in the order of the metadata's fields.
struct Line {
    metadata: &'static Metadata<'static>,
    values: Vec<Option<String>>,
}

/// The layer of the daemon's subscriber: turns events into lines and queues them.
pub(super) struct Queue {
    items: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

/// Waits, when dropped, until the journal took what was logged, but no longer than two seconds.
pub struct Flush {
    items: SyncSender<Item>,
}

/// Connects to journald; fails where none listens.
pub(super) fn connect(level: LevelFilter) -> io::Result<(Queue, Flush)> {
    let priorities = PriorityMappings {
        error: Priority::Error,
        warn: Priority::Warning,
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
    };
    let layer = tracing_journald::layer()?
        // With a prefix, MESSAGE_ID would become F_MESSAGE_ID and no catalog entry would be found.
        .with_field_prefix(None)
        .with_syslog_identifier("retaind".to_owned())
        .with_priority_mappings(priorities);
    spawn(layer, level, QUEUE_LINES)
}

/// Starts the thread that hands lines to `layer`, the only one that may block.
fn spawn<L>(layer: L, level: LevelFilter, queue_lines: usize) -> io::Result<(Queue, Flush)>
where
    L: Layer<Registry> + Send + Sync + 'static,
{
    let (items, queued) = sync_channel(queue_lines);
    let lost = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&lost);
    // The level keeps this second subscriber from asking every crate for its trace lines.
    let dispatch = Dispatch::new(Registry::default().with(layer.with_filter(level)));
    std::thread::Builder::new().name("journal".to_owned()).spawn(move || forward(&queued, &dispatch, &counted))?;
    Ok((Queue { items: items.clone(), lost }, Flush { items }))
}

fn forward(queued: &Receiver<Item>, dispatch: &Dispatch, lost: &AtomicU64) {
    for item in queued {
        match item {
            Item::Line(line) => line.send(dispatch),
            Item::Flush(done) => {
                // Nobody waiting any more is no harm: the lines are sent either way.
                let _ = done.try_send(());
            }
        }
        let lines = lost.swap(0, Ordering::Relaxed);
        if lines > 0 {
            tracing::dispatcher::with_default(dispatch, || {
                tracing::warn!(
                    message_id = message_id::LINES_LOST,
                    lines,
                    "Lost {lines} log lines because the journal did not take them in time"
                );
            });
        }
    }
}

impl Line {
    fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let mut line = Line { metadata, values: vec![None; metadata.fields().len()] };
        event.record(&mut line);
        line
    }

    fn keep(&mut self, field: &Field, text: String) {
        if let Some(value) = self.values.get_mut(field.index()) {
            *value = Some(text);
        }
    }

    fn send(&self, dispatch: &Dispatch) {
        let fields: Vec<Field> = self.metadata.fields().iter().collect();
        let Some(first) = fields.first() else { return };
        let texts: Vec<Option<&str>> = self.values.iter().map(Option::as_deref).collect();
        // A pair without a value is not recorded, so the same field may fill the rest of the array.
        let mut pairs: [(&Field, Option<&dyn Value>); FIELDS_AT_MOST] = [(first, None); FIELDS_AT_MOST];
        for ((pair, field), text) in pairs.iter_mut().zip(&fields).zip(&texts) {
            *pair = (field, text.as_ref().map(|text| text as &dyn Value));
        }
        dispatch.event(&Event::new(self.metadata, &self.metadata.fields().value_set(&pairs)));
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.keep(field, format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if self.items.try_send(Item::Line(Line::of(event))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Flush {
    /// True if the journal took everything within `timeout`.
    fn wait(&self, timeout: Duration) -> bool {
        let (done, sent) = sync_channel(1);
        if self.items.try_send(Item::Flush(done)).is_err() {
            return false;
        }
        match sent.recv_timeout(timeout) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // A journal that takes nothing even now must not hold up the shutdown; its lines are lost.
        let _ = self.wait(FLUSH_TIMEOUT);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};
    use std::time::Instant;

    use super::*;

    /// Stands in for journald: takes a line only when told to.
    struct Gate {
        open: Mutex<mpsc::Receiver<()>>,
        taken: mpsc::Sender<Vec<(String, String)>>,
    }

    struct Pairs(Vec<(String, String)>);

    impl Visit for Pairs {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.0.push((field.name().to_owned(), value.to_owned()));
        }
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.push((field.name().to_owned(), format!("{value:?}")));
        }
    }

    impl<S: Subscriber> Layer<S> for Gate {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            let _ = self.open.lock().unwrap().recv();
            let mut pairs = Pairs(Vec::new());
            event.record(&mut pairs);
            self.taken.send(pairs.0).unwrap();
        }
    }

    type Taken = mpsc::Receiver<Vec<(String, String)>>;

    fn gate(queue_lines: usize) -> (Dispatch, Flush, mpsc::Sender<()>, Taken) {
        let (opener, open) = mpsc::channel();
        let (taken, lines) = mpsc::channel();
        let gate = Gate { open: Mutex::new(open), taken };
        let (queue, flush) = spawn(gate, LevelFilter::TRACE, queue_lines).unwrap();
        (Dispatch::new(Registry::default().with(queue)), flush, opener, lines)
    }

    fn take(lines: &Taken) -> Vec<(String, String)> {
        lines.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn every_field_arrives_with_its_value() {
        let (dispatch, _flush, opener, lines) = gate(8);
        opener.send(()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            let absent: Option<&str> = None;
            tracing::info!(policy = "events", rows_deleted = 7_u64, task = absent, path = %"a/b", "Deleted {}", 7);
        });
        let mut line = take(&lines);
        line.sort();
        let expected = [("message", "Deleted 7"), ("path", "a/b"), ("policy", "events"), ("rows_deleted", "7")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(line, expected);
    }

    #[test]
    fn a_stalled_journal_blocks_nobody_and_counts_losses() {
        let (dispatch, flush, opener, lines) = gate(4);
        let begun = Instant::now();
        tracing::dispatcher::with_default(&dispatch, || {
            for number in 0..1000_u64 {
                tracing::info!(number, "Line");
            }
        });
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(!flush.wait(Duration::from_millis(20)), "nothing was sent yet");
        drop(opener);
        let mut arrived = 0;
        let lost: u64 = loop {
            let line = take(&lines);
            match line.iter().find(|(name, _)| name == "lines") {
                Some((_, lost)) => break lost.parse().unwrap(),
                None => arrived += 1,
            }
        };
        assert!(arrived >= 1 && lost >= 1000 - 5 - 1, "{arrived} arrived, {lost} lost");
        let rest: u64 = lines.try_iter().map(|line| u64::from(line.iter().any(|(name, _)| name == "number"))).sum();
        assert!(arrived + rest + lost <= 1000);
        assert!(flush.wait(Duration::from_secs(10)), "an open journal takes the rest");
        let rest_after: u64 =
            lines.try_iter().map(|line| u64::from(line.iter().any(|(name, _)| name == "number"))).sum();
        assert_eq!(arrived + rest + rest_after + lost, 1000);
    }
}

//! The task of one destination: takes its messages in order, and tries each until it is delivered.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::counts::AllCounts;
use super::senders::{Attempt, attempt};
use crate::clock::{Backoff, Clock};
use crate::ledger::{Ledger, LedgerError, OutboxMessage};
use crate::policy::Addressee;
use crate::text::chain;

/// Waits between tries begin with the first and double up to the second.
const WAITS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(900));
/// Longest wait that a destination may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// Tries after which a message is given up that a destination understands and refuses.
const REFUSALS: u64 = 8;
/// Tries after which others go before a message that cannot be delivered.
const TRIES_AHEAD: u64 = 3;
/// Time that a try may take beyond its own, to end what it began.
const MARGIN: Duration = Duration::from_secs(3);
/// Wait after the ledger could not be read.
const LEDGER_WAIT: Duration = Duration::from_secs(60);

/// Everything that the task of a destination works with.
pub(super) struct Sender {
    key: String,
    to: watch::Receiver<Addressee>,
    woken: Arc<Notify>,
    ledger: Ledger,
    clock: Clock,
    counts: Arc<AllCounts>,
    backoff: Backoff,
    is_down: bool,
    /// Message that was delivered and may still be in the ledger.
    delivered: Option<i64>,
}

/// Next step of a task.
enum Next {
    /// Look for a message at once.
    Look,
    /// Sleep until something changes, or for so long; new messages change nothing while a destination is down.
    Sleep { at_most: Option<Duration>, until_woken: bool },
}

impl Sender {
    pub(super) fn new(
        (key, to): (String, watch::Receiver<Addressee>),
        woken: Arc<Notify>,
        (ledger, clock): (Ledger, Clock),
        counts: Arc<AllCounts>,
    ) -> Self {
        Self { key, to, woken, ledger, clock, counts, backoff: first_wait(), is_down: false, delivered: None }
    }

    /// Delivers until nobody wants that any more.
    pub(super) async fn deliver(mut self) {
        // What an earlier daemon put off is tried at once: perhaps it can be delivered now.
        let mut is_asked = true;
        while self.to.has_changed().is_ok() {
            let next = self.step(is_asked).await.unwrap_or_else(|error| {
                tracing::warn!(error = chain(&error), "The outbox in the ledger cannot be used: {}", chain(&error));
                Next::Sleep { at_most: Some(LEDGER_WAIT), until_woken: false }
            });
            is_asked = match next {
                Next::Look => false,
                Next::Sleep { at_most, until_woken } => self.sleep(at_most, until_woken).await,
            };
        }
    }

    /// Sleeps. True if the destination may be another one now.
    async fn sleep(&mut self, at_most: Option<Duration>, until_woken: bool) -> bool {
        tokio::select! {
            changed = self.to.changed() => {
                self.backoff = first_wait();
                changed.is_ok()
            }
            () = self.woken.notified(), if until_woken => false,
            () = tokio::time::sleep(at_most.unwrap_or_default()), if at_most.is_some() => false,
        }
    }

    /// Tries the next message, if it is due or `is_asked` for.
    async fn step(&mut self, is_asked: bool) -> Result<Next, LedgerError> {
        let Some(message) = self.ledger.next_message(&self.key).await? else {
            return Ok(Next::Sleep { at_most: None, until_woken: true });
        };
        if self.delivered == Some(message.number) {
            self.ledger.take_message(message.number).await?;
            return Ok(Next::Look);
        }
        let now = self.clock.now();
        let early = message.try_at.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        // By a clock that was set back it would never be due.
        if let (Some(early), false) = (early.filter(|early| *early <= LONGEST_ASKED), is_asked) {
            return Ok(Next::Sleep { at_most: Some(early), until_woken: true });
        }
        let to = self.to.borrow_and_update().clone();
        let patience = to.timeout();
        let tried = tokio::time::timeout(patience + MARGIN, attempt(&to, &message.payload, now)).await;
        match tried.unwrap_or_else(|_| Attempt::timed_out(patience)) {
            Attempt::Delivered(_) => self.note_delivered(&message, &to).await,
            Attempt::Refused(why) => self.note_refused(&message, (&to, now), why).await,
            Attempt::Failed { why, retry_after } => self.note_failed(&message, &to, (why, retry_after)).await,
        }
    }

    async fn note_delivered(&mut self, message: &OutboxMessage, to: &Addressee) -> Result<Next, LedgerError> {
        self.delivered = Some(message.number);
        self.counts.change(&self.key, |counts| counts.delivered += 1);
        self.backoff = first_wait();
        self.ledger.take_message(message.number).await?;
        if std::mem::take(&mut self.is_down) {
            // Those that others went before are due.
            self.ledger.retry_all(&self.key).await?;
            tracing::info!(destination = self.key, "Notifications to {to} are delivered again");
        }
        Ok(Next::Look)
    }

    /// The destination works, and does not take this one: those behind it need not wait.
    async fn note_refused(
        &mut self,
        message: &OutboxMessage,
        (to, now): (&Addressee, Timestamp),
        why: String,
    ) -> Result<Next, LedgerError> {
        self.counts.change(&self.key, |counts| counts.failed += 1);
        if message.attempts + 1 >= REFUSALS {
            let tries = REFUSALS;
            tracing::error!(
                destination = self.key,
                error = why,
                "A notification to {to} is given up after {tries} tries, because it is refused: {why}"
            );
            self.counts.change(&self.key, |counts| counts.dropped += 1);
            self.ledger.give_up(message.number).await?;
            return Ok(Next::Look);
        }
        if message.attempts == 0 {
            tracing::warn!(destination = self.key, error = why, "{to} refuses a notification: {why}");
        }
        let wait = first_wait().after(message.attempts).next_wait();
        self.ledger.note_attempt(message.number, &why, now.checked_add(wait).ok()).await?;
        Ok(Next::Look)
    }

    async fn note_failed(
        &mut self,
        message: &OutboxMessage,
        to: &Addressee,
        (why, retry_after): (String, Option<Duration>),
    ) -> Result<Next, LedgerError> {
        self.counts.change(&self.key, |counts| counts.failed += 1);
        if !std::mem::replace(&mut self.is_down, true) {
            tracing::warn!(
                destination = self.key,
                error = why,
                "Notifications to {to} cannot be delivered: {why}. They wait, and are tried again"
            );
        }
        let wait = self.backoff.next_wait().max(retry_after.unwrap_or_default().min(LONGEST_ASKED));
        // It may be this message alone: those of other conditions go before it then.
        let is_tried_enough = message.attempts + 1 >= TRIES_AHEAD;
        let try_at = if is_tried_enough { self.clock.now().checked_add(wait).ok() } else { None };
        self.ledger.note_attempt(message.number, &why, try_at).await?;
        Ok(Next::Sleep { at_most: Some(wait), until_woken: false })
    }
}

fn first_wait() -> Backoff {
    Backoff::new(WAITS.0, WAITS.1)
}

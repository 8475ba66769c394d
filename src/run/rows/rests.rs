//! Rests of a deletion between two batches, and the size of the next one: what `decide::pace` says, from what is measured
//! here.

use std::time::{Duration, Instant};

use super::deleter::Deleter;
use super::ended::RowsEnd;
use crate::decide::pace::Taken;
use crate::outcome::Wait;
use crate::sources::{ErrorKind, SourceError};
use crate::text::chain;

/// Interval at which other sessions are looked for, while none has been seen.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Interval at which replicas and the load are asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);

impl Deleter<'_> {
    /// Ends a batch: how long it took says how large the next one is.
    pub(crate) async fn end_batch(&mut self) -> Result<(), RowsEnd> {
        let Some((rows, transaction)) = self.pacing.slowest.take() else { return Ok(()) };
        let others = self.others_at_work().await?;
        let taken = Taken { rows, transaction, since_last: self.pacing.last.elapsed() };
        self.pacing.pacer.took(taken, others);
        self.pacing.taken = Some(taken);
        Ok(())
    }

    /// True if other sessions are seen at work. Where that cannot be asked there are none.
    async fn others_at_work(&mut self) -> Result<bool, RowsEnd> {
        let pacing = &mut self.pacing;
        let is_due = pacing.looked.is_none_or(|looked| looked.elapsed() >= LOOK_EVERY) || pacing.pacer.is_yielding();
        if !pacing.pacer.yields() || !is_due {
            return Ok(false);
        }
        pacing.looked = Some(Instant::now());
        let session = self.sessions.get(&self.facts.target.source).await?;
        let canceller = session.canceller();
        let asked = self.stop.watch(canceller, session.others_at_work()).await;
        Ok(asked.unwrap_or_else(|error| {
            tracing::debug!(source = %error.source_name, error = chain(&error), "Other sessions cannot be seen");
            false
        }))
    }

    /// Looks for the first time: what is seen later is compared with it.
    pub(crate) async fn begin_pacing(&mut self) -> Result<(), RowsEnd> {
        self.others_at_work().await?;
        self.pacing.looked = None;
        self.pacing.last = Instant::now();
        Ok(())
    }

    /// Rests as long as the last batch and the world say; ends at once when the run is to stop.
    pub(crate) async fn rest(&mut self) -> Result<(), RowsEnd> {
        if let Some((wait, rest)) = self.pacing.taken.take().and_then(|taken| self.pacing.pacer.rest(taken)) {
            self.wait(wait, rest).await;
            self.may_go_on().await?;
        }
        let mut reported = None;
        while let Some(wait) = self.must_wait().await? {
            if reported != Some(wait) {
                let (policy, thing) = (self.name, wait.thing());
                tracing::info!(%policy, "Policy {policy} waits for {thing}");
                reported = Some(wait);
            }
            // A snapshot that waits along would hold up the server.
            self.snapshot = None;
            self.wait(wait, ASK_EVERY).await;
            self.may_go_on().await?;
        }
        self.pacing.last = Instant::now();
        Ok(())
    }

    async fn wait(&mut self, wait: Wait, rest: Duration) {
        let began = Instant::now();
        self.reporter.waits_for(Some(wait));
        let _ = self.stop.token().run_until_cancelled(tokio::time::sleep(rest)).await;
        self.reporter.waits_for(None);
        *self.account.waited.entry(wait).or_default() += began.elapsed();
    }

    /// Reason to wait before the next batch that is not the run's own doing.
    async fn must_wait(&mut self) -> Result<Option<Wait>, RowsEnd> {
        let pacing = &mut self.pacing;
        if pacing.asked.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            return Ok(None);
        }
        pacing.asked = Some(Instant::now());
        let wait = match pacing.pacer.is_overloaded(load) {
            true => Some(Wait::Load),
            false => self.replicas_are_behind().await?.then_some(Wait::Replica),
        };
        if wait.is_some() {
            self.pacing.asked = None;
        }
        Ok(wait)
    }

    async fn replicas_are_behind(&mut self) -> Result<bool, RowsEnd> {
        let Some(most) = self.pacing.pacer.max_replica_lag() else { return Ok(false) };
        let session = self.sessions.get(&self.facts.target.source).await?;
        let canceller = session.canceller();
        let (place, replicas) = match self.stop.watch(canceller, session.replicas()).await {
            Ok(answer) => answer,
            Err(error) if error.kind == ErrorKind::Cancelled => return Err(self.ended_by(error)),
            Err(error) => return Ok(self.cannot_tell(&error)),
        };
        let pacing = &mut self.pacing;
        Ok(pacing.places.lag(pacing.began.elapsed(), place, &replicas).is_none_or(|lag| lag > most))
    }

    fn cannot_tell(&self, error: &SourceError) -> bool {
        tracing::warn!(source = %error.source_name, error = chain(error), "It is not known how far replicas are behind");
        true
    }
}

/// Load of this machine over the last minute; none where the kernel does not say.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

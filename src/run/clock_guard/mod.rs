//! The guard of the machine's own clock (F28): one that leapt holds whatever no other clock vouches for.

pub(super) mod asked;
mod elsewhere;
mod system;

use std::time::{Duration, Instant};

use super::policy_run::PolicyRun;
use super::request::Fate;
use super::rows::facts::skew;
use super::runner::Runner;
use super::sessions::Sessions;
use crate::decide::blocked::Blocked;
use crate::decide::clock::{Leap, Plausibility, began_in_the_future, judge};
use crate::decide::guards::MAX_SKEW_SECS;
use crate::ledger::LedgerError;
use crate::outcome::RunMode;
use crate::policy::{ClockTrust, Name, Settings};
use crate::text::chain;
use asked::is_recent;

/// Time that one source may take to say what time it is.
const PATIENCE: Duration = Duration::from_secs(10);

impl Runner {
    /// Notes in the ledger what time it is, if the clock can be trusted; otherwise what was seen and is held for it.
    pub async fn note_clock(&self) -> Result<Option<String>, LedgerError> {
        let Some(leap) = self.judge_clock(true).await? else { return Ok(None) };
        if self.is_system_synchronised().await {
            self.correct_clock(true).await?;
            return Ok(None);
        }
        Ok(Some(leap.held(self.clock.now()).sentence()))
    }

    /// The leap of the clock, if it made one since it was last trusted and that is not to be believed anyhow.
    async fn judge_clock(&self, notes: bool) -> Result<Option<Leap>, LedgerError> {
        let Some(ledger) = &self.ledger else { return Ok(None) };
        if self.settings.daemon.clock == ClockTrust::Trust {
            self.correct_clock(notes).await?;
            return Ok(None);
        }
        let seen = ledger.seen_clock().await?;
        let now = self.clock.reading();
        match judge(seen.as_ref().map(|seen| &seen.reading), &now) {
            Plausibility::Plausible if notes => ledger.advance_clock(&now).await?,
            Plausibility::Plausible | Plausibility::Behind => {}
            Plausibility::Leapt(leap) => return Ok(Some(leap)),
        }
        Ok(None)
    }

    /// True if the clock made a leap that needs somebody to vouch for it; not known counts as none.
    pub(super) async fn has_clock_leapt(&self) -> bool {
        self.judge_clock(false).await.is_ok_and(|leap| leap.is_some())
    }

    /// Notes a clock that something else vouches for.
    async fn correct_clock(&self, notes: bool) -> Result<(), LedgerError> {
        match &self.ledger {
            Some(ledger) if notes => ledger.correct_clock(&self.clock.reading()).await,
            _ => Ok(()),
        }
    }

    /// True if the system says that its clock is synchronised.
    async fn is_system_synchronised(&self) -> bool {
        let mut asked = self.clock_guard.0.lock().await;
        if is_recent(asked.system) {
            return false;
        }
        let synchronised = system::is_synchronised().await;
        asked.system = (!synchronised).then(Instant::now);
        synchronised
    }

    /// True if the clock of a source on another machine agrees.
    async fn does_a_source_agree(&self, sessions: &mut Sessions) -> bool {
        let mut asked = self.clock_guard.0.lock().await;
        if is_recent(asked.sources) {
            return false;
        }
        for source in servers(&self.settings) {
            if tokio::time::timeout(PATIENCE, self.agrees(source, sessions)).await.unwrap_or(false) {
                return true;
            }
        }
        asked.sources = Some(Instant::now());
        false
    }

    async fn agrees(&self, source: &Name, sessions: &mut Sessions) -> bool {
        if !self.is_elsewhere(source).await {
            return false;
        }
        // One that is not to be had just now does not vouch for anything.
        let Some((mut session, _permit)) = sessions.spare(source).await else { return false };
        skew(&mut session, &self.clock).await.is_ok_and(|secs| secs <= MAX_SKEW_SECS)
    }

    async fn is_elsewhere(&self, source: &Name) -> bool {
        match self.settings.source(source).and_then(|source| source.endpoint.server()) {
            Some(server) => elsewhere::is_elsewhere(&server.host).await,
            None => false,
        }
    }
}

/// The sources that are servers.
fn servers(settings: &Settings) -> impl Iterator<Item = &Name> {
    let servers = settings.sources.iter().filter(|source| source.endpoint.server().is_some());
    servers.map(|source| &source.name)
}

impl PolicyRun<'_> {
    /// The reason that the policy waits because the machine's clock cannot be trusted. Of a policy of rows it is known
    /// how far the clock of its source is away, in seconds.
    pub(super) async fn held_by_clock(&self, sessions: &mut Sessions, source: Option<(&Name, f64)>) -> Option<Blocked> {
        if self.fate(None) != Fate::Enforce {
            return None;
        }
        match self.clock_in_doubt(sessions, source).await {
            Ok(Some(leap)) => Some(Blocked::Held(leap.held(self.runner.clock.now()))),
            // Asked last: the clock may have been set right while something was asked.
            Ok(None) => began_in_the_future(self.now, self.runner.clock.now()),
            Err(error) => Some(Blocked::ClockUnknown { why: chain(&error) }),
        }
    }

    async fn clock_in_doubt(
        &self,
        sessions: &mut Sessions,
        source: Option<(&Name, f64)>,
    ) -> Result<Option<Leap>, LedgerError> {
        let (runner, notes) = (self.runner, self.mode != RunMode::Plan);
        let Some(leap) = runner.judge_clock(notes).await? else { return Ok(None) };
        let own_source_agrees = match source {
            Some((source, skew_secs)) => skew_secs <= MAX_SKEW_SECS && runner.is_elsewhere(source).await,
            None => false,
        };
        if own_source_agrees || runner.is_system_synchronised().await || runner.does_a_source_agree(sessions).await {
            runner.correct_clock(notes).await?;
            return Ok(None);
        }
        Ok(Some(leap))
    }
}

//! Work beside a batch, over connections of its own: the next windows are found, and a second batch is taken.

use std::collections::VecDeque;
use std::time::Instant;

use futures_util::future::join;
use tokio::sync::OwnedSemaphorePermit;

use super::deleter::{Deleter, roll_back};
use super::ended::RowsEnd;
use crate::policy::Alive;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{Scope, Session, SourceError, Target, Walker, Window};
use crate::text::chain;

/// A second connection to the source of a deletion.
pub(crate) struct Lane {
    session: Session,
    _permit: OwnedSemaphorePermit,
}

/// Connections for work beside the batches of a deletion. They only make a run faster, so that one which cannot be had,
/// or is lost, is no failure.
#[derive(Default)]
pub(crate) struct Lanes {
    /// Finds the next windows.
    ahead: Option<Lane>,
    /// Takes a second batch at once.
    second: Option<Lane>,
    /// Windows that were found and not taken yet.
    found: VecDeque<Window>,
}

impl Lane {
    async fn open(sessions: &mut Sessions, target: &Target, relaxed: bool) -> Option<Self> {
        let (mut session, permit) = sessions.spare(&target.source).await?;
        session.relax_commits(relaxed);
        Some(Self { session, _permit: permit })
    }

    /// Finds so many windows; fewer where the walk ends or something fails, which its next step shows again.
    async fn find(&mut self, walker: &mut Walker, count: usize, stop: &Stop) -> (Vec<Window>, Result<(), SourceError>) {
        let mut found = Vec::new();
        while found.len() < count {
            match stop.watch(self.session.canceller(), walker.next(&mut self.session)).await {
                Ok(Some(window)) => found.push(window),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
        (found, Ok(()))
    }
}

impl Deleter<'_> {
    /// Opens the connections that pay for this deletion.
    pub(crate) async fn open_lanes(&mut self) -> Lanes {
        let relaxed = self.may_relax_commits();
        let target = &self.facts.target;
        let mut lanes = Lanes::default();
        if !target.has_many_writers() {
            return lanes;
        }
        let is_alone = target.is_one_statement(false) && !matches!(self.policy.alive, Some(Alive::Command(_)));
        if self.policy.parallel.get() > 1 && is_alone {
            lanes.second = Lane::open(self.sessions, target, relaxed).await;
        }
        lanes.ahead = Lane::open(self.sessions, target, false).await;
        lanes
    }

    /// Takes the next window, or the next two at once; false at the end of the walk.
    pub(crate) async fn take_next(&mut self, walker: &mut Walker, lanes: &mut Lanes) -> Result<bool, RowsEnd> {
        walker.fit(self.pacing.rows());
        let window = match lanes.found.pop_front() {
            None => self.next_window(walker).await?,
            found => found,
        };
        let Some(window) = window else { return Ok(false) };
        self.may_go_on().await?;
        let beside = if lanes.second.is_some() && self.has_room_for(2) { lanes.found.pop_front() } else { None };
        let looks_ahead = lanes.found.is_empty() && self.pacing.is_at_full_speed() && walker.may_look_ahead();
        let (second, ahead) = (&mut lanes.second, &mut lanes.ahead);
        let wanted = if second.is_some() { 2 } else { 1 };
        let stop = self.stop;
        let looking = async {
            match ahead {
                Some(lane) if looks_ahead => lane.find(walker, wanted, stop).await,
                _ => (Vec::new(), Ok(())),
            }
        };
        let taking = async {
            match (beside, second) {
                (Some(other), Some(lane)) => self.take_two(&window, &other, lane).await,
                _ => self.take_window(&window, false).await,
            }
        };
        let (taken, (found, looked)) = join(taking, looking).await;
        lanes.found.extend(found);
        if let Err(error) = looked {
            tracing::debug!(source = %error.source_name, error = chain(&error), "No window was found ahead");
            lanes.ahead = None;
        }
        if lanes.second.as_ref().is_some_and(|lane| !lane.session.is_open()) {
            lanes.second = None;
        }
        taken?;
        // Only now is no connection of this run in a statement.
        self.end_batch().await?;
        Ok(true)
    }

    /// Takes two windows at once. The transaction of the first has the table for this run until both are done; where
    /// one fails it is taken as any other is, by itself.
    async fn take_two(&mut self, window: &Window, other: &Window, lane: &mut Lane) -> Result<(), RowsEnd> {
        let target = &self.facts.target;
        if self.account.wants_details() && target.has_details() {
            self.take_window(window, false).await?;
            return self.take_window(other, false).await;
        }
        self.rest().await?;
        let at = self.facts.at;
        self.prepare_session().await?;
        let session = self.sessions.get(&target.source).await?;
        let began = Instant::now();
        if let Err(error) = session.begin().await {
            // By itself each waits for the table, or for the server.
            tracing::debug!(source = %error.source_name, error = chain(&error), "Two batches do not begin at once");
            self.take_window(window, false).await?;
            return self.take_window(other, false).await;
        }
        let mine = self.stop.watch(session.canceller(), target.change(session, at, Scope::window(window)));
        let canceller = lane.session.canceller();
        let theirs = self.stop.watch(canceller, target.change(&mut lane.session, at, Scope::window(other)));
        let (mine, theirs) = join(mine, theirs).await;
        let mine = match mine {
            Ok(rows) => session.commit().await.map(|()| rows),
            Err(error) => {
                roll_back(session).await;
                Err(error)
            }
        };
        let took = began.elapsed();
        let mark = session.last_relaxed_mark().or_else(|| lane.session.last_relaxed_mark());
        for rows in [&mine, &theirs].into_iter().flatten() {
            self.pacing.transaction(*rows, took);
            self.count(&self.sum(*rows), mark.clone());
            self.reporter.batch(took);
        }
        self.reporter.update(&self.account.tally);
        self.flush_sometimes().await?;
        for (result, window) in [(mine, window), (theirs, other)] {
            if let Err(error) = result {
                tracing::debug!(source = %error.source_name, error = chain(&error), "One of two batches failed");
                self.note_lost(error.kind);
                self.may_go_on().await?;
                self.take_window(window, false).await?;
            }
        }
        Ok(())
    }
}

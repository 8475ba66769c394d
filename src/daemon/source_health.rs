//! Health of the sources: each is tried once at start, after a reload and after a policy failed; again and again only while down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::report::{Report, Reports};
use crate::clock::Backoff;
use crate::policy::{Name, Settings, Source};
use crate::sources::{ErrorKind, Session, SourceError};
use crate::telemetry::Event;

/// The state of every source that a policy uses.
pub struct SourceWatch {
    sources: BTreeMap<Name, Watched>,
    /// Number of the configuration that the tries belong to.
    generation: u64,
    reports: Reports,
    cancel: CancellationToken,
}

struct Watched {
    source: Arc<Source>,
    health: Health,
    /// A try is under way, or waits for its time.
    trying: bool,
}

enum Health {
    Unknown,
    Up,
    Down { since: Instant, why: String, backoff: Backoff },
}

/// Sources of which there is something to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceStanding {
    /// Those that are down, each with its first error.
    pub down: Vec<(Name, String)>,
    /// Those that were not yet heard of.
    pub unknown: Vec<Name>,
}

/// Result of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    None,
    WentDown,
    CameUp,
}

impl SourceWatch {
    /// Watches nothing yet.
    pub fn new(reports: Reports, cancel: CancellationToken) -> Self {
        Self { sources: BTreeMap::new(), generation: 0, reports, cancel }
    }

    /// Watches the sources of a configuration, each of which is tried at once.
    pub fn follow(&mut self, settings: &Settings) {
        self.generation += 1;
        let mut before = std::mem::take(&mut self.sources);
        for source in used_sources(settings) {
            let health = before.remove(&source.name).map_or(Health::Unknown, |watched| watched.health);
            let watched = Watched { source: Arc::clone(source), health, trying: true };
            self.spawn_try(&watched.source, Duration::ZERO);
            self.sources.insert(source.name.clone(), watched);
        }
    }

    /// Tries sources on which a policy failed, unless they are known to be down.
    pub fn suspect(&mut self, names: &[Name]) {
        for name in names {
            let Some(watched) = self.sources.get_mut(name).filter(|watched| !watched.trying) else { continue };
            watched.trying = true;
            let source = Arc::clone(&watched.source);
            self.spawn_try(&source, Duration::ZERO);
        }
    }

    /// Takes the outcome of a try, and tells of a change.
    pub fn note(&mut self, name: &Name, generation: u64, outcome: Result<(), SourceError>) -> Change {
        if generation != self.generation {
            return Change::None;
        }
        let Some(watched) = self.sources.get_mut(name) else { return Change::None };
        let (change, again) = watched.note(name, outcome);
        watched.trying = again.is_some();
        if let Some(wait) = again {
            let source = Arc::clone(&watched.source);
            self.spawn_try(&source, wait);
        }
        change
    }

    /// The sources that are down, in order of name.
    pub fn down(&self) -> Vec<&Name> {
        let is_down = |watched: &Watched| matches!(watched.health, Health::Down { .. });
        self.sources.iter().filter(|(_, watched)| is_down(watched)).map(|(name, _)| name).collect()
    }

    /// Everything that is not well, or not known.
    pub fn standing(&self) -> SourceStanding {
        let mut standing = SourceStanding::default();
        for (name, watched) in &self.sources {
            match &watched.health {
                Health::Up => {}
                Health::Unknown => standing.unknown.push(name.clone()),
                Health::Down { why, .. } => standing.down.push((name.clone(), why.clone())),
            }
        }
        standing
    }

    /// True if some source was not yet heard of.
    pub fn is_unsure(&self) -> bool {
        self.sources.values().any(|watched| matches!(watched.health, Health::Unknown))
    }

    fn spawn_try(&self, source: &Arc<Source>, wait: Duration) {
        let (source, reports) = (Arc::clone(source), self.reports.clone());
        let (generation, cancel) = (self.generation, self.cancel.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let outcome = try_source(&source).await;
            // The main loop is gone only when the daemon ends.
            let _ = reports.send(Report::Tried { source: source.name.clone(), generation, outcome });
        });
    }
}

/// Connects, in a task of its own: an attempt that was begun is ended, and even a bug in it has an outcome.
async fn try_source(source: &Arc<Source>) -> Result<(), SourceError> {
    let opened = Arc::clone(source);
    let attempt = tokio::spawn(async move { Session::open(&opened).await.map(drop) });
    attempt.await.unwrap_or_else(|error| {
        Err(SourceError {
            source_name: source.name.clone(),
            operation: "connecting".to_owned(),
            kind: ErrorKind::Other,
            cause: Box::new(error),
        })
    })
}

impl Watched {
    /// The change, and after what time to try again.
    fn note(&mut self, name: &Name, outcome: Result<(), SourceError>) -> (Change, Option<Duration>) {
        match (&mut self.health, outcome) {
            (Health::Down { since, .. }, Ok(())) => {
                Event::SourceUp { source: name, down_for: since.elapsed() }.emit();
                self.health = Health::Up;
                (Change::CameUp, None)
            }
            (Health::Unknown | Health::Up, Ok(())) => {
                self.health = Health::Up;
                (Change::None, None)
            }
            (Health::Down { backoff, .. }, Err(error)) => {
                tracing::debug!(source = %name, error = crate::text::chain(&error), "Source {name} is still down");
                (Change::None, Some(backoff.next_wait()))
            }
            (Health::Unknown | Health::Up, Err(error)) => {
                Event::SourceDown { source: name, error: &error }.emit();
                let mut backoff = Backoff::default();
                let wait = backoff.next_wait();
                let why = crate::text::safe_chain(&error);
                self.health = Health::Down { since: Instant::now(), why, backoff };
                (Change::WentDown, Some(wait))
            }
        }
    }
}

/// The sources that a policy uses which is switched on.
fn used_sources(settings: &Settings) -> impl Iterator<Item = &Arc<Source>> {
    settings.sources.iter().filter(|source| {
        let mut enabled = settings.policies.iter().filter(|policy| policy.enabled);
        enabled.any(|policy| settings.sources_of(policy).contains(&&source.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Endpoint;

    fn watched() -> Watched {
        let source = Source {
            name: Name::parse("nvr").unwrap(),
            endpoint: Endpoint::Sqlite { path: "/nowhere".into() },
            lock_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            max_connections: std::num::NonZeroU32::MIN,
            timezone: jiff::tz::TimeZone::UTC,
            search_path: None,
            pace: Default::default(),
        };
        Watched { source: Arc::new(source), health: Health::Unknown, trying: true }
    }

    fn refused(name: &Name) -> Result<(), SourceError> {
        Err(SourceError {
            source_name: name.clone(),
            operation: "connecting".to_owned(),
            kind: ErrorKind::Connect,
            cause: "refused".into(),
        })
    }

    #[test]
    fn only_sources_down_are_retried_ever_more_rarely() {
        let (mut watched, name) = (watched(), Name::parse("nvr").unwrap());
        assert_eq!(watched.note(&name, Ok(())), (Change::None, None));
        let (change, first) = watched.note(&name, refused(&name));
        assert_eq!(change, Change::WentDown);
        let (change, second) = watched.note(&name, refused(&name));
        assert_eq!(change, Change::None);
        assert!(second > first && first.is_some());
        assert_eq!(watched.note(&name, Ok(())), (Change::CameUp, None));
    }
}

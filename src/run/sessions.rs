//! The connections of one run: opened when first needed, one for each source, opened again after a loss.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::meter::Metering;
use crate::policy::{Name, Settings, Source, TableName};
use crate::sources::{ErrorKind, Reader, Session, SourceError};

/// Time to wait before each further attempt to reach a source that was lost in the middle of a run.
const BACKOFF: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Connections that each source may have, over all runs of a configuration, and who measures what they are asked.
#[derive(Clone, Default)]
pub struct Connections {
    pub(super) metering: Metering,
    permits: Arc<HashMap<Name, Arc<Semaphore>>>,
}

impl Connections {
    /// As `max_connections` of each source says.
    pub fn new(settings: &Settings) -> Self {
        let permits = settings.sources.iter().map(|source| {
            let most = usize::try_from(source.max_connections.get()).unwrap_or(Semaphore::MAX_PERMITS);
            (source.name.clone(), Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))))
        });
        Self { metering: Metering::default(), permits: Arc::new(permits.collect()) }
    }

    /// Has their use measured.
    pub(super) fn measured_by(self, metering: Metering) -> Self {
        Self { metering, ..self }
    }

    async fn permit(&self, source: &Name) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so waiting for it cannot fail.
        self.permits.get(source)?.clone().acquire_owned().await.ok()
    }
}

/// The connections of one run.
pub(super) struct Sessions {
    settings: Arc<Settings>,
    connections: Connections,
    /// Ends the waiting for a source that was lost.
    stop: CancellationToken,
    /// The stop that ends whatever is asked, and the waiting for a connection: until something is changed, nothing is
    /// lost by that.
    heeds: Option<CancellationToken>,
    open: BTreeMap<Name, (Session, Option<OwnedSemaphorePermit>)>,
    /// The table that this run changes just now.
    claimed: Option<(Name, TableName)>,
}

impl Sessions {
    pub(super) fn new(settings: Arc<Settings>, connections: Connections, stop: CancellationToken) -> Self {
        Self { settings, connections, stop, heeds: None, open: BTreeMap::new(), claimed: None }
    }

    /// Ends, at a stop, whatever is asked from now on; with none, lets it come to its end.
    pub(super) fn heed(&mut self, stop: Option<&CancellationToken>) {
        self.heeds = stop.cloned();
        self.measure_all();
        self.open.values_mut().for_each(|(session, _)| session.heed(self.heeds.clone()));
    }

    /// The session of a source: opened if there is none, with patience if the last one broke.
    pub(super) async fn get(&mut self, name: &Name) -> Result<&mut Session, SourceError> {
        match self.open.get(name).map(|(session, _)| session.is_open()) {
            Some(true) => {}
            Some(false) => self.reopen(name).await?,
            None => self.connect(name).await?,
        }
        match self.open.get_mut(name) {
            Some((session, _)) => {
                self.connections.metering.source(name, &session.take_usage());
                Ok(session)
            }
            None => Err(unknown(name)),
        }
    }

    /// The collector of measurements, for what a source is asked beside its session.
    pub(super) fn metering(&self) -> Metering {
        self.connections.metering.clone()
    }

    fn measure_all(&mut self) {
        for (name, (session, _)) in &mut self.open {
            self.connections.metering.source(name, &session.take_usage());
        }
    }

    fn forget(&mut self, name: &Name) {
        if let Some((mut session, _)) = self.open.remove(name) {
            self.connections.metering.source(name, &session.take_usage());
        }
    }

    /// Takes a table of a source for this run alone, also over the connections to come.
    pub(super) async fn claim(&mut self, name: &Name, table: &TableName) -> Result<(), SourceError> {
        self.get(name).await?.claim(table).await?;
        self.claimed = Some((name.clone(), table.clone()));
        Ok(())
    }

    /// Gives the table back.
    pub(super) fn unclaim(&mut self) {
        self.claimed = None;
        self.open.values_mut().for_each(|(session, _)| session.unclaim());
    }

    /// Closes every connection; they are opened again when they are needed.
    pub(super) fn close(&mut self) {
        self.measure_all();
        self.open.clear();
    }

    /// The session of a source that is open already, for going on within its transaction.
    pub(super) fn held(&mut self, name: &Name) -> Result<&mut Session, SourceError> {
        match self.open.get_mut(name) {
            Some((session, _)) if session.is_open() => Ok(session),
            _ => {
                let cause = "the connection was lost";
                Err(SourceError::new(name, "going on with a transaction", ErrorKind::Lost, cause))
            }
        }
    }

    async fn connect(&mut self, name: &Name) -> Result<(), SourceError> {
        let source = self.source(name)?;
        let connections = &self.connections;
        let opening = Box::pin(async {
            let permit = connections.permit(name).await;
            Ok((permit, connections.metering.measure(name, Session::open(&source)).await?))
        });
        let (permit, mut session) = until(self.heeds.as_ref(), name, opening).await?;
        session.heed(self.heeds.clone());
        if let Some((_, table)) = self.claimed.as_ref().filter(|(of, _)| of == name) {
            session.claim(table).await?;
        }
        self.open.insert(name.clone(), (session, permit));
        Ok(())
    }

    /// Opens the session again, with patience, until the run is stopped.
    pub(super) async fn reopen(&mut self, name: &Name) -> Result<(), SourceError> {
        self.forget(name);
        let mut waits = BACKOFF.iter();
        loop {
            let Err(error) = self.connect(name).await else { return Ok(()) };
            match waits.next() {
                Some(wait) => self.stop.run_until_cancelled(tokio::time::sleep(*wait)).await.ok_or(error)?,
                None => return Err(error),
            }
        }
    }

    /// A second session of a source, if one more may be open just now and can be had.
    pub(super) async fn spare(&mut self, name: &Name) -> Option<(Session, OwnedSemaphorePermit)> {
        let permit = self.connections.permits.get(name)?.clone().try_acquire_owned().ok()?;
        let source = self.settings.source(name)?;
        let mut session = until(self.heeds.as_ref(), name, Box::pin(Session::open(source))).await.ok()?;
        session.heed(self.heeds.clone());
        Some((session, permit))
    }

    /// A reader of whole columns of a source, on a connection of its own that takes the place of the session's: a
    /// source may allow no more than one.
    pub(super) async fn reader(&mut self, name: &Name) -> Result<(Reader, Option<OwnedSemaphorePermit>), SourceError> {
        self.forget(name);
        let source = self.source(name)?;
        let connections = &self.connections;
        let opening = Box::pin(async {
            let permit = connections.permit(name).await;
            Ok((permit, connections.metering.measure(name, Reader::open(&source)).await?))
        });
        let (permit, reader) = until(self.heeds.as_ref(), name, opening).await?;
        Ok((reader.heeding(self.heeds.clone()), permit))
    }

    fn source(&self, name: &Name) -> Result<Arc<Source>, SourceError> {
        self.settings.source(name).cloned().ok_or_else(|| unknown(name))
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.measure_all();
    }
}

/// Opens something, which a stop ends. Boxed by who asks: it is a part of everything that asks a source.
async fn until<T>(
    stop: Option<&CancellationToken>,
    name: &Name,
    opening: impl Future<Output = Result<T, SourceError>>,
) -> Result<T, SourceError> {
    let Some(stop) = stop else { return opening.await };
    let stopped = || Err(SourceError::new(name, "connecting", ErrorKind::Cancelled, "stopped"));
    stop.run_until_cancelled(opening).await.unwrap_or_else(stopped)
}

fn unknown(name: &Name) -> SourceError {
    SourceError::new(name, "connecting", ErrorKind::Connect, "the configuration has no such source")
}

//! Measurements of runs while they go on, for whoever collects them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::policy::Name;
use crate::sources::{SourceError, Usage};

/// Collector of measurements of runs. A call returns at once.
pub trait Meter: Send + Sync {
    /// A batch was taken, with its files, in that time.
    fn batch(&self, policy: &Name, took: Duration);

    /// A batch, or the search for the next one, is tried once more.
    fn retry(&self, policy: &Name);

    /// Statements were sent to a source.
    fn source(&self, source: &Name, usage: &Usage);
}

/// The collector, where there is one. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Metering(Option<Arc<dyn Meter>>);

impl Metering {
    pub(super) fn by(meter: Arc<dyn Meter>) -> Self {
        Self(Some(meter))
    }

    pub(super) fn batch(&self, policy: &Name, took: Duration) {
        self.0.iter().for_each(|meter| meter.batch(policy, took));
    }

    pub(super) fn retry(&self, policy: &Name) {
        self.0.iter().for_each(|meter| meter.retry(policy));
    }

    /// Awaits an answer of a source and measures it.
    pub(super) async fn measure<T>(
        &self,
        source: &Name,
        asked: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, SourceError> {
        let began = Instant::now();
        let answer = asked.await;
        self.source(source, &Usage::of(began.elapsed(), answer.as_ref().err().map(|error| error.kind)));
        answer
    }

    /// Hands on what there is of statements.
    pub(super) fn source(&self, source: &Name, usage: &Usage) {
        if *usage != Usage::default() {
            self.0.iter().for_each(|meter| meter.source(source, usage));
        }
    }
}

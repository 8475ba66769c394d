//! Measurements of runs while they go on: what sources and batches take.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{OfPolicy, OfSource};
use crate::policy::Name;
use crate::run::Meter;
use crate::sources::Usage;

/// Upper bounds of times of batches, in seconds: rows alone, rows with files, a table without an index.
const BATCHES: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSourceAndKind {
    source: String,
    kind: &'static str,
}

/// Measurements since the start of the daemon.
pub(super) struct Measured {
    batches: Family<OfPolicy, Histogram>,
    retries: Family<OfPolicy, Counter>,
    statements: Family<OfSource, Counter>,
    seconds: Family<OfSource, Counter<f64, AtomicU64>>,
    errors: Family<OfSourceAndKind, Counter>,
}

impl Measured {
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BATCHES);
        let measured = Self {
            batches: Family::new_with_constructor(histogram),
            retries: Family::default(),
            statements: Family::default(),
            seconds: Family::default(),
            errors: Family::default(),
        };
        let about = "Time that a batch of rows took, with its files";
        registry.register("batch_duration_seconds", about, measured.batches.clone());
        registry.register("batch_retries", "Tries of batches beyond the first", measured.retries.clone());
        registry.register("source_statements", "Statements that runs sent", measured.statements.clone());
        registry.register("source_seconds", "Time that runs waited for answers", measured.seconds.clone());
        registry.register("source_errors", "Errors of statements, by kind", measured.errors.clone());
        measured
    }

    /// Shows as zero what has not happened to a policy.
    pub(super) fn begin_at_zero(&self, policy: &Name) {
        drop(self.retries.get_or_create(&OfPolicy::of(policy)));
    }
}

impl Meter for Measured {
    fn batch(&self, policy: &Name, took: Duration) {
        self.batches.get_or_create(&OfPolicy::of(policy)).observe(took.as_secs_f64());
    }

    fn retry(&self, policy: &Name) {
        self.retries.get_or_create(&OfPolicy::of(policy)).inc();
    }

    fn source(&self, source: &Name, usage: &Usage) {
        let of_source = OfSource::of(source);
        self.statements.get_or_create(&of_source).inc_by(usage.statements);
        self.seconds.get_or_create(&of_source).inc_by(usage.spent.as_secs_f64());
        for (kind, count) in &usage.errors {
            let labels = OfSourceAndKind { source: source.to_string(), kind: kind.word() };
            self.errors.get_or_create(&labels).inc_by(*count);
        }
    }
}

//! The runner of policies: a configuration, a ledger, a clock and connections.

use std::sync::Arc;

use super::clock_guard::asked::ClockGuard;
use super::meter::{Meter, Metering};
use super::sessions::Connections;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::policy::Settings;

/// Runs policies. Cheap to clone.
#[derive(Clone)]
pub struct Runner {
    pub(super) settings: Arc<Settings>,
    /// A plan needs none.
    pub(super) ledger: Option<Ledger>,
    pub(super) clock: Clock,
    pub(super) connections: Connections,
    pub(super) clock_guard: ClockGuard,
}

impl Runner {
    /// A runner for a configuration. Without a ledger it can only plan.
    pub fn new(settings: Arc<Settings>, ledger: Option<Ledger>, clock: Clock) -> Self {
        let connections = Connections::new(&settings);
        Self { settings, ledger, clock, connections, clock_guard: ClockGuard::default() }
    }

    /// Has its runs measured by `meter`.
    #[must_use]
    pub fn measured_by(self, meter: Arc<dyn Meter>) -> Self {
        Self { connections: self.connections.measured_by(Metering::by(meter)), ..self }
    }

    /// A runner under another configuration of the same sources: it shares their connections and the trust in the
    /// clock.
    #[must_use]
    pub fn under(&self, settings: Arc<Settings>) -> Self {
        Self { settings, ..self.clone() }
    }

    /// The configuration that it runs under.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

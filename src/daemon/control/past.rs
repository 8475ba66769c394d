//! Memory of the daemon as pages show it: days, stores, the audit.

use jiff::Timestamp;

use super::controller::{Controller, internal};
use crate::commands::stats;
use crate::outcome::DaySums;
use crate::report::{AuditEntry, StoreStats};
use crate::server::Problem;

impl Controller {
    pub(super) async fn sums_by_day(&self, since: Timestamp) -> Result<Vec<DaySums>, Problem> {
        self.runs.ledger().days(since).await.map_err(internal)
    }

    pub(super) async fn known_stores(&self) -> Result<Vec<StoreStats>, Problem> {
        let settings = self.settings();
        stats::known_stores(&settings, self.runs.ledger(), self.runs.clock()).await.map_err(internal)
    }

    pub(super) async fn newest_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, Problem> {
        self.runs.ledger().audit(limit).await.map_err(internal)
    }
}

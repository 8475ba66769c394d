//! The statistics that a recorder's own cleanup service keeps, as retaind's results and as the loss itself tell them.

use serde_json::Value;

use super::{Listing, number, sum};

/// What one night's cleanup did, field by field of the recorder's own table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    pub events_deleted: u64,
    pub detections_deleted: u64,
    pub gpu_stats_deleted: u64,
    pub logs_deleted: u64,
    pub thumbnails_deleted: u64,
    pub images_deleted: u64,
    /// In bytes.
    pub space_reclaimed: u64,
}

impl Statistics {
    /// From what `plan --json`, `run --json` and `runs ID --json` print. Policies that were not part of it count as
    /// nothing done.
    pub fn of_result(result: &Value) -> Self {
        let rows = |policy: &str| sum(result, Some(policy), "/rows_deleted");
        // Where nothing is done, children are told of as they were found.
        let cascaded = if result["mode"] == "report" { 0 } else { sum(result, Some("events"), "/children/detections") };
        Self {
            events_deleted: rows("events"),
            detections_deleted: rows("detections") + cascaded,
            gpu_stats_deleted: rows("gpu-stats"),
            logs_deleted: rows("logs"),
            thumbnails_deleted: sum(result, None, "/stores/thumbnails/files_deleted"),
            images_deleted: sum(result, None, "/stores/images/files_deleted"),
            space_reclaimed: number(result, "/totals/bytes_reclaimed"),
        }
    }

    /// From what is gone.
    pub fn of_loss(lost: &Listing) -> Self {
        let rows = |table: &str| lost.rows.iter().filter(|(of, _)| of == table).count() as u64;
        let files = |store: &str| lost.files.keys().filter(|(of, _)| of == store).count() as u64;
        Self {
            events_deleted: rows("events"),
            detections_deleted: rows("detections"),
            gpu_stats_deleted: rows("gpu_stats"),
            logs_deleted: rows("logs"),
            thumbnails_deleted: files("thumbnails"),
            images_deleted: files("images"),
            space_reclaimed: lost.files.values().sum(),
        }
    }

    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            events_deleted: self.events_deleted + other.events_deleted,
            detections_deleted: self.detections_deleted + other.detections_deleted,
            gpu_stats_deleted: self.gpu_stats_deleted + other.gpu_stats_deleted,
            logs_deleted: self.logs_deleted + other.logs_deleted,
            thumbnails_deleted: self.thumbnails_deleted + other.thumbnails_deleted,
            images_deleted: self.images_deleted + other.images_deleted,
            space_reclaimed: self.space_reclaimed + other.space_reclaimed,
        }
    }
}

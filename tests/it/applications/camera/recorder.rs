//! The recorder: the fixture, and a patrol that fills more than one batch.

use std::ops::{Deref, RangeInclusive};

use crate::applications::{Application, Layout, Table};
use crate::engines::Database;

pub const LAYOUT: Layout = Layout {
    name: "camera-nvr",
    source: "nvr",
    tables: &[
        Table { name: "cameras", key: "id", state: &[] },
        Table { name: "detections", key: "id", state: &["event_id"] },
        Table { name: "events", key: "id", state: &[] },
        Table { name: "gpu_stats", key: "id", state: &[] },
        Table { name: "logs", key: "id", state: &[] },
    ],
    stores: &["thumbnails", "images"],
    small_batches: &[],
};

/// Detections of a patrol, and GPU statistics beside them: all at one instant, and more than the example's batch of 1000.
/// Ten detections share a frame, which is an image and a thumbnail.
const PATROL: RangeInclusive<u64> = 1001..=2200;

/// The recorder.
pub struct Recorder(Application);

impl Deref for Recorder {
    type Target = Application;
    fn deref(&self) -> &Application {
        &self.0
    }
}

impl Recorder {
    /// As it is before the first night with retaind.
    pub fn new(db: Database) -> Self {
        Self::with_schema(db, |schema| schema)
    }

    /// The same, with a schema that differs from the fixture's.
    pub fn with_schema(db: Database, alter: impl FnOnce(String) -> String) -> Self {
        let recorder = Self(Application::with_schema(db, &LAYOUT, alter));
        recorder.patrol();
        recorder
    }

    fn patrol(&self) {
        let named = |directory: &str| match self.db.kind().is_mysql() {
            true => format!("CONCAT('{directory}/patrol/', n DIV 10, '.jpg')"),
            false => format!("'{directory}/patrol/' || (n / 10) || '.jpg'"),
        };
        let (image, thumbnail) = (named("{images}"), named("data/thumbnails"));
        let values = self.rendered(&format!("n, 'yard', ago(35), {image}, {thumbnail}"));
        self.db.insert_series("detections (id, camera_id, detected_at, file_path, thumbnail_path)", &values, PATROL);
        self.db.insert_series("gpu_stats (id, recorded_at)", &self.rendered("n, ago(35)"), PATROL);
        for frame in PATROL.start() / 10..=PATROL.end() / 10 {
            self.put("thumbnails", &format!("patrol/{frame}.jpg"), 64);
            self.put("images", &format!("patrol/{frame}.jpg"), 512);
        }
        self.let_files_settle();
    }
}

//! The file drop of `config/examples/file-drop.toml`.

use serde_json::{Value, json};

use super::*;
use crate::world::set;

pub const LAYOUT: Layout = Layout {
    name: "file-drop",
    source: "drop",
    tables: &[Table { name: "files", key: "id", state: &["status"] }],
    stores: &["uploads"],
    small_batches: &["expired-files", "old-downloads"],
};

const EVERY_SECOND: &str = "[tasks.cleanup]\nevery = \"1s\"\n";

fn expired() -> Value {
    json!({
        "rows_matched": 8, "rows_updated": 8, "error_count": 2,
        "files_matched": 7, "files_deleted": 6, "files_missing": 1, "files_referenced": 1,
        "bytes_reclaimed": 101 + 102 + 103 + 104 + 105 + 108,
    })
}

fn downloaded() -> Value {
    json!({
        "rows_matched": 3, "rows_deleted": 3, "error_count": 1,
        "files_matched": 3, "files_deleted": 1, "files_missing": 2,
        "bytes_reclaimed": 303,
    })
}

/// What stays wrong until somebody corrects the dates.
fn unreadable() -> [(&'static str, Value); 2] {
    [("expired-files", json!({ "error_count": 2 })), ("old-downloads", json!({ "error_count": 1 }))]
}

/// The keys of a policy's errors.
fn keys_of_errors(policy: &Value) -> Vec<&str> {
    let errors = policy["errors"].as_array().expect("errors").iter();
    let mut keys: Vec<_> = errors.map(|error| error["key"].as_str().expect("a key")).collect();
    keys.sort_unstable();
    keys
}

/// Asserts that what a cleanup leaves is there, and nothing else.
pub fn assert_left(left: &Holdings) {
    let expired = [1, 2, 3, 4, 5, 6, 7, 8, 111].map(|id| format!("files {id} expired"));
    let active = [101, 102, 103, 104, 105].map(|id| format!("files {id} active"));
    let downloaded = [106, 211, 212].map(|id| format!("files {id} downloaded"));
    let rows = expired.into_iter().chain(active).chain(downloaded).collect();
    assert_eq!(left.rows_written(), rows);
    assert_eq!(left.paths("uploads"), set(["i", "k", "l", "m", "shared", "stray"]));
}

for_each_engine! {
    fn the_example_fits_the_file_drop(db) {
        let parts = ["policy expired-files", "policy old-downloads", "source drop", "store uploads"];
        assert_fits(&Application::new(db, &LAYOUT), &parts);
    }

    fn expired_files_go_and_their_records_say_so(db) {
        let drop = Application::new(db, &LAYOUT);
        let orphans = [("orphan-uploads", json!({}))];
        let expected = [&[("expired-files", expired()), ("old-downloads", downloaded())], &orphans[..]].concat();
        let again = [&unreadable()[..], &orphans[..]].concat();
        let run = Night { arguments: &[], expected: &expected, again: &again, detached: &[] }.pass(&drop);
        assert_left(&drop.holdings());
        assert_eq!(keys_of_errors(&run["policies"][0]), ["104", "105"]);
        assert_eq!(keys_of_errors(&run["policies"][1]), ["212"]);
    }

    fn the_daemon_does_the_same_by_schedule(db) {
        let drop = Application::new(db, &LAYOUT);
        drop.fragment("20-now.toml", EVERY_SECOND);
        let daemon = Daemon::start(&drop);
        let runs = await_runs(&drop, &["cleanup"]);
        assert_eq!(daemon.stop(), Some(0));
        let first = runs.last().expect("a run");
        assert_counts(first, &[("expired-files", expired()), ("old-downloads", downloaded()), ("orphan-uploads", json!({}))]);
        assert_left(&drop.holdings());
    }

    fn a_text_without_zone_has_its_sources_zone(db) {
        let drop = Application::new(db, &LAYOUT);
        // Five hours ahead all year: what is written as half an hour from now was over four and a half hours ago.
        drop.fragment("20-zone.toml", "[sources.drop]\ntimezone = \"Asia/Tashkent\"\n");
        drop.db.execute(&drop.rendered("UPDATE files SET expiry_at = iso(-0.02) WHERE id = 103"));
        drop.db.execute(&drop.rendered("UPDATE files SET expiry_at = iso(-0.25) WHERE id = 101"));
        drop.json_of(3, &["run", "expired-files", "--json"]);
        let expired = drop.db.column("SELECT id FROM files WHERE status = 'expired' AND id > 100 ORDER BY id");
        assert_eq!(expired, ["103", "111"]);
    }

    fn the_next_run_uses_a_corrected_date(db) {
        let drop = Application::new(db, &LAYOUT);
        drop.json_of(3, &["run", "--json"]);
        drop.db.execute("UPDATE files SET expiry_at = '2024-02-29T12:00:00' WHERE id = 105");
        drop.db.execute("UPDATE files SET expiry_at = NULL WHERE id = 104");
        let run = drop.json(&["run", "expired-files", "--json"]);
        let one = json!({
            "rows_matched": 1, "rows_updated": 1, "files_matched": 1, "files_deleted": 1, "bytes_reclaimed": 205,
        });
        assert_counts(&run, &[("expired-files", one)]);
    }
}

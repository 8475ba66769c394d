//! A camera recorder on the machine: detections in SQLite, a thumbnail for each, and the operator's files about them.

use std::collections::BTreeSet;
use std::fs;
use std::ops::RangeInclusive;

use diesel::connection::SimpleConnection;
use diesel::sql_types::BigInt;
use diesel::{Connection, QueryableByName, RunQueryDsl, SqliteConnection, sql_query};
use serde_json::Value;

use super::machine::{Machine, SOON};

const DATABASE: &str = "/srv/nvr/db/nvr.db";
const THUMBNAILS: &str = "/srv/nvr/thumbnails";

/// The recorder, as its operator left it: owned by the group `nvr`, which the service joins by a drop-in.
pub struct Camera<'a> {
    machine: &'a Machine,
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    id: i64,
}

impl<'a> Camera<'a> {
    /// Sets the recorder up, without any detection, and lets the service reach it.
    pub fn set_up(machine: &'a Machine) -> Self {
        let camera = Self { machine };
        machine.sh("groupadd --system nvr && mkdir -p /srv/nvr/db /srv/nvr/thumbnails");
        let table = "CREATE TABLE detections (id INTEGER PRIMARY KEY, detected_at TIMESTAMP NOT NULL, \
                     thumbnail_path TEXT); CREATE INDEX detected ON detections (detected_at);";
        camera.execute(&format!("PRAGMA journal_mode = WAL; {table}"));
        machine.sh("chgrp -R nvr /srv/nvr && chmod 2770 /srv/nvr/* && chmod 660 /srv/nvr/db/nvr.db*");
        machine.write(
            "/etc/systemd/system/retaind.service.d/stores.conf",
            "[Service]\nReadWritePaths=/srv/nvr/thumbnails /srv/nvr/db\nSupplementaryGroups=nvr\n",
        );
        machine.ok(&["systemctl", "daemon-reload"]);
        camera
    }

    /// Writes the configuration: detections are kept for `keep`, a run is due every two seconds. Nothing waits for an
    /// approval.
    pub fn configure(&self, keep: &str, batch: u32) {
        self.write("[daemon]\napprove_changes = false\n", keep, batch);
    }

    /// The same, where what takes more than was agreed to waits.
    pub fn configure_carefully(&self, keep: &str, batch: u32) {
        self.write("", keep, batch);
    }

    fn write(&self, daemon: &str, keep: &str, batch: u32) {
        let text = format!(
            "{daemon}[sources.nvr]\nurl = \"sqlite:{DATABASE}\"\n\n[stores.thumbnails]\npath = \"{THUMBNAILS}\"\n\
             references = [{{ source = \"nvr\", table = \"detections\", column = \"thumbnail_path\" }}]\n\n\
             [tasks.retention]\nevery = \"2s\"\n\n[policies.detections]\nkind = \"rows\"\ntask = \"retention\"\n\
             source = \"nvr\"\ntable = \"detections\"\nage = \"detected_at\"\nkeep = \"{keep}\"\nbatch = {batch}\n\
             files = [{{ store = \"thumbnails\", column = \"thumbnail_path\" }}]\n"
        );
        // A new file in the place of the old one, as an editor saves: the owner and mode are those of the package.
        self.machine.sh(&format!("cat >/etc/retaind/retaind.toml <<'END'\n{text}\nEND"));
    }

    /// Records detections that are `days` old, each with its thumbnail.
    pub fn record(&self, ids: RangeInclusive<u32>, days: u32) {
        for id in ids.clone() {
            let path = self.machine.path(THUMBNAILS).join(format!("{id}.jpg"));
            fs::write(path, id.to_string()).expect("write a thumbnail");
        }
        // The row comes last, as a recorder would do it.
        self.execute(&format!(
            "WITH RECURSIVE new (id) AS (SELECT {} UNION ALL SELECT id + 1 FROM new WHERE id < {})
             INSERT INTO detections SELECT id, datetime('now', '-{days} days'), '{THUMBNAILS}/' || id || '.jpg' FROM new;",
            ids.start(),
            ids.end()
        ));
    }

    /// The detections that are still recorded.
    pub fn rows(&self) -> BTreeSet<u32> {
        let rows: Vec<Row> = sql_query("SELECT id FROM detections").load(&mut self.connect()).expect("a query");
        rows.into_iter().map(|row| u32::try_from(row.id).expect("an id")).collect()
    }

    /// The detections whose thumbnail is still there.
    pub fn thumbnails(&self) -> BTreeSet<u32> {
        let names = fs::read_dir(self.machine.path(THUMBNAILS)).expect("the directory of thumbnails");
        let id = |name: &str| name.strip_suffix(".jpg").and_then(|id| id.parse().ok()).expect("a thumbnail");
        names.map(|entry| id(entry.expect("an entry").file_name().to_str().expect("UTF-8"))).collect()
    }

    /// Waits until exactly these detections are left, rows and thumbnails both.
    pub fn await_left(&self, ids: &BTreeSet<u32>) {
        self.machine.poll(&format!("purge that leaves {} detections", ids.len()), SOON, || {
            (self.rows() == *ids && self.thumbnails() == *ids).then_some(())
        });
    }

    /// Waits until a purge is under way: some of `total` rows are gone, and many are not.
    pub fn await_purging(&self, total: usize) {
        self.machine.poll("purge under way", SOON, || {
            let left = self.rows().len();
            assert!(left > 0, "the purge was over before it was seen");
            (left < total).then_some(())
        });
    }

    fn connect(&self) -> SqliteConnection {
        let path = self.machine.path(DATABASE);
        let mut connection = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database opens");
        connection.batch_execute("PRAGMA busy_timeout = 30000").expect("a pragma");
        connection
    }

    fn execute(&self, sql: &str) {
        self.connect().batch_execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}

impl Machine {
    /// The runs in the ledger, newest first, as `retaind runs --json` prints them to the service's user.
    pub fn runs(&self) -> Vec<Value> {
        let printed = self.ok(&["runuser", "-u", "retaind", "--", "retaind", "runs", "--json", "-n", "1000"]);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// A sum over every run in the ledger.
    pub fn total(&self, field: &str) -> u64 {
        self.runs().iter().map(|run| run["totals"][field].as_u64().expect("a number")).sum()
    }
}

//! A camera recorder with its database and files, and retaind beside it with the shipped example, adapted by a fragment
//! alone. Says what is there; judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::engines::{Database, EngineKind, scratch_dir};

const RETAIND: &str = env!("CARGO_BIN_EXE_retaind");
const TABLES: [&str; 5] = ["cameras", "detections", "events", "gpu_stats", "logs"];
const STORES: [&str; 2] = ["thumbnails", "images"];

/// Detections of a patrol, and GPU statistics beside them: all at one instant, and more than the example's batch of 1000.
/// Ten detections share a frame, which is an image and a thumbnail.
const PATROL: RangeInclusive<u64> = 1001..=2200;

/// The recorder.
pub struct Recorder {
    db: Database,
    dir: PathBuf,
}

impl Recorder {
    /// As it is before the first night with retaind.
    pub fn new(db: Database) -> Self {
        let recorder = Self { db, dir: scratch_dir("camera") };
        for sub in ["etc/conf.d", "state", "thumbnails", "images"] {
            std::fs::create_dir_all(recorder.dir.join(sub)).expect("a directory is made");
        }
        recorder.fill_database();
        recorder.fill_stores();
        recorder.configure();
        recorder
    }

    fn fill_database(&self) {
        let engine = match self.db.kind() {
            EngineKind::Postgres => "postgres",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "mariadb",
            EngineKind::Sqlite => "sqlite",
        };
        self.db.execute(&fixture(&format!("schema.{engine}.sql")));
        self.db.execute(&self.with_paths(&self.with_instants(&fixture("data.sql"))));
        let named = |directory: &str| match self.db.kind().is_mysql() {
            true => format!("CONCAT('{directory}/patrol/', n DIV 10, '.jpg')"),
            false => format!("'{directory}/patrol/' || (n / 10) || '.jpg'"),
        };
        let (at, image, thumbnail) = (self.with_instants("ago(35)"), named("{images}"), named("data/thumbnails"));
        let values = self.with_paths(&format!("n, 'yard', {at}, {image}, {thumbnail}"));
        self.db.insert_series("detections (id, camera_id, detected_at, file_path, thumbnail_path)", &values, PATROL);
        self.db.insert_series("gpu_stats (id, recorded_at)", &format!("n, {at}"), PATROL);
    }

    fn fill_stores(&self) {
        let text = fixture("files.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [store, path, size] = words.as_slice() else { panic!("{line}") };
            self.put(store, path, size.parse().expect("a size"));
        }
        for frame in PATROL.start() / 10..=PATROL.end() / 10 {
            self.put("thumbnails", &format!("patrol/{frame}.jpg"), 64);
            self.put("images", &format!("patrol/{frame}.jpg"), 512);
        }
        // The kernel stamps files by a coarse clock; one that looks younger than the decision about it is kept.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    fn put(&self, store: &str, path: &str, size: usize) {
        let path = self.dir.join(store).join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory is made");
        std::fs::write(path, vec![b'x'; size]).expect("a file is written");
    }

    /// The example as it is shipped, and a fragment with what differs on this machine.
    fn configure(&self) {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples/camera-nvr.toml");
        std::fs::copy(example, self.config()).expect("the example is copied");
        let dir = self.dir.display();
        let here = format!(
            "[daemon]\nstate_dir = \"{dir}/state\"\n[sources.nvr]\nurl = \"{}\"\n\
             [stores.thumbnails]\npath = \"{dir}/thumbnails\"\n[stores.images]\npath = \"{dir}/images\"\n",
            self.db.url()
        );
        self.fragment("10-here.toml", &here);
    }

    /// Adds a fragment to the configuration.
    pub fn fragment(&self, name: &str, toml: &str) {
        std::fs::write(self.dir.join("etc/conf.d").join(name), toml).expect("a fragment is written");
    }

    fn config(&self) -> PathBuf {
        self.dir.join("etc/retaind.toml")
    }

    /// retaind with the recorder's configuration, and nothing of a service manager's about it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(RETAIND);
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        for variable in ["NOTIFY_SOCKET", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"] {
            command.env_remove(variable);
        }
        command
    }

    /// What a command that ends well writes to standard output.
    pub fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().expect("retaind starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{:?} {arguments:?}: {stdout}\n{stderr}", self.db.kind());
        stdout.into_owned()
    }

    /// The same, as the JSON that it is.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let stdout = self.stdout(arguments);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"))
    }

    /// Every row and file there is.
    pub fn holdings(&self) -> Holdings {
        let mut holdings = Holdings::default();
        for table in TABLES {
            let ids = self.db.column(&format!("SELECT id FROM {table}"));
            holdings.rows.extend(ids.into_iter().map(|id| (table.to_owned(), id)));
        }
        for store in STORES {
            let root = self.dir.join(store);
            collect(&root, &root, &mut |path, size| {
                holdings.files.insert((store.to_owned(), path), size);
            });
        }
        holdings
    }

    /// `ago(30)` replaced by the instant 30 days ago, as the recorder would have written it.
    fn with_instants(&self, sql: &str) -> String {
        let now = jiff::Timestamp::now();
        let zone = if self.db.kind() == EngineKind::Postgres { "+00" } else { "" };
        let mut pieces = sql.split("ago(");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (days, rest) = piece.split_once(')').expect("a closing parenthesis");
            let days: f64 = days.parse().expect("a number of days");
            let at = now - jiff::SignedDuration::from_secs((days * 86_400.0) as i64);
            out.push_str(&format!("'{}{zone}'{rest}", at.strftime("%Y-%m-%d %H:%M:%S%.6f")));
        }
        out
    }

    fn with_paths(&self, sql: &str) -> String {
        STORES.iter().fold(sql.to_owned(), |sql, store| {
            sql.replace(&format!("{{{store}}}"), &self.dir.join(store).display().to_string())
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Rows by table and key, files by store and path, with their sizes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Holdings {
    pub rows: BTreeSet<(String, String)>,
    pub files: BTreeMap<(String, String), u64>,
}

impl Holdings {
    /// What is no longer there afterwards.
    pub fn lost(&self, after: &Holdings) -> Holdings {
        let rows = self.rows.difference(&after.rows).cloned().collect();
        let is_lost = |name: &(String, String)| !after.files.contains_key(name);
        let files = self.files.iter().filter(|(name, _)| is_lost(name));
        Holdings { rows, files: files.map(|(name, size)| (name.clone(), *size)).collect() }
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/camera-nvr").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn collect(root: &Path, dir: &Path, found: &mut impl FnMut(String, u64)) {
    for entry in std::fs::read_dir(dir).expect("a directory is read") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("its metadata");
        if metadata.is_dir() {
            collect(root, &entry.path(), found);
        } else {
            let path = entry.path();
            let relative = path.strip_prefix(root).expect("beneath the root");
            found(relative.to_string_lossy().into_owned(), metadata.len());
        }
    }
}

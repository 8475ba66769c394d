//! An application with its database and files, and retaind beside it with the shipped example, adapted by a fragment
//! alone. Says what is there; judges nothing.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::Holdings;
use crate::binary::{self, RETAIND};
use crate::engines::{Database, EngineKind, scratch_dir};

/// What an application consists of.
pub struct Layout {
    /// Of its example in `config/examples/` and of its directory in `tests/fixtures/`.
    pub name: &'static str,
    /// What the example calls its database.
    pub source: &'static str,
    pub tables: &'static [Table],
    /// The stores of the example; here each root has the name of its store.
    pub stores: &'static [&'static str],
    /// The policies whose batches are two rows long here, so that little data takes several.
    pub small_batches: &'static [&'static str],
}

/// A table, and what of it matters.
pub struct Table {
    pub name: &'static str,
    /// The key.
    pub key: &'static str,
    /// The columns that a row must keep, as SQL; empty where its being there is all.
    pub state: &'static [&'static str],
}

/// The application.
pub struct Application {
    pub db: Database,
    pub dir: PathBuf,
    layout: &'static Layout,
}

impl Application {
    /// As it is before the first night with retaind.
    pub fn new(db: Database, layout: &'static Layout) -> Self {
        Self::with_schema(db, layout, |schema| schema)
    }

    /// The same, with a schema that differs from the fixture's.
    pub fn with_schema(db: Database, layout: &'static Layout, alter: impl FnOnce(String) -> String) -> Self {
        let application = Self { db, dir: scratch_dir(layout.name), layout };
        for sub in ["etc/conf.d", "state"].iter().chain(layout.stores) {
            std::fs::create_dir_all(application.dir.join(sub)).expect("a directory is made");
        }
        let engine = match application.db.kind() {
            EngineKind::Postgres => "postgres",
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "mariadb",
            EngineKind::Sqlite => "sqlite",
        };
        application.db.execute(&alter(application.fixture(&format!("schema.{engine}.sql"))));
        application.db.execute(&application.rendered(&application.fixture("data.sql")));
        application.fill_stores();
        application.configure();
        application.layout.stores.iter().for_each(|store| drop(application.stdout(&["adopt", store, "--yes"])));
        application
    }

    /// Makes every file look so many days older than it is: by the time of writing, which can be set.
    pub fn age_files(&self, days: u64) {
        let by_mtime = |store: &&str| format!("[stores.{store}]\nage_by = \"mtime\"\n");
        self.fragment("20-age.toml", &self.layout.stores.iter().map(by_mtime).collect::<String>());
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(days * 86_400);
        for (store, path) in self.holdings().files.into_keys() {
            let file = std::fs::File::options().write(true).open(self.root(&store).join(path)).expect("a file opens");
            file.set_modified(at).expect("its time is set");
        }
    }

    fn fill_stores(&self) {
        if self.layout.stores.is_empty() {
            return;
        }
        let text = self.fixture("files.txt");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [store, path, size] = words.as_slice() else { panic!("{line}") };
            self.put(store, path, size.parse().expect("a size"));
        }
        self.let_files_settle();
    }

    /// Puts a file of `size` bytes into a store.
    pub fn put(&self, store: &str, path: &str, size: usize) {
        let path = self.root(store).join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory is made");
        std::fs::write(path, vec![b'x'; size]).expect("a file is written");
    }

    /// The kernel stamps files by a coarse clock; one that looks younger than the decision about it is kept.
    pub fn let_files_settle(&self) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }

    /// The store of that name, or else the only one.
    pub fn store_of<'n>(&self, place: &'n str) -> &'n str {
        if self.layout.stores.contains(&place) { place } else { self.layout.stores[0] }
    }

    /// The root of a store.
    pub fn root(&self, store: &str) -> PathBuf {
        self.dir.join(store)
    }

    /// The example as it is shipped, and a fragment with what differs on this machine.
    fn configure(&self) {
        let Layout { name, source, stores, small_batches, .. } = self.layout;
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/examples/{name}.toml"));
        std::fs::copy(example, self.config()).expect("the example is copied");
        let (dir, url) = (self.dir.display(), self.db.url());
        let mut here = format!("[daemon]\nstate_dir = \"{dir}/state\"\n[sources.{source}]\nurl = \"{url}\"\n");
        for store in *stores {
            here.push_str(&format!("[stores.{store}]\npath = \"{dir}/{store}\"\n"));
        }
        for policy in *small_batches {
            here.push_str(&format!("[policies.{policy}]\nbatch = 2\n"));
        }
        self.fragment("10-here.toml", &here);
    }

    /// Adds a fragment to the configuration; `{NAME}` of a store stands for its root.
    pub fn fragment(&self, name: &str, toml: &str) {
        let path = self.dir.join("etc/conf.d").join(name);
        std::fs::write(path, self.with_paths(toml)).expect("a fragment is written");
    }

    fn config(&self) -> PathBuf {
        self.dir.join("etc/retaind.toml")
    }

    /// retaind with the application's configuration, and nothing of a service manager's about it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = binary::command(RETAIND);
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        for variable in ["NOTIFY_SOCKET", "STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "JOURNAL_STREAM"] {
            command.env_remove(variable);
        }
        command
    }

    /// What a command that ends with an exit code writes to standard output.
    pub fn stdout_of(&self, code: i32, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("retaind starts");
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!(status.code(), Some(code), "{:?} {arguments:?}: {stdout}\n{stderr}", self.db.kind());
        stdout.into_owned()
    }

    /// The same, as the JSON that it is.
    pub fn json_of(&self, code: i32, arguments: &[&str]) -> Value {
        let stdout = self.stdout_of(code, arguments);
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {stdout}"))
    }

    /// What a command that ends well writes to standard output.
    pub fn stdout(&self, arguments: &[&str]) -> String {
        self.stdout_of(0, arguments)
    }

    /// The same, as the JSON that it is.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.json_of(0, arguments)
    }

    /// Every row, file and directory there is.
    pub fn holdings(&self) -> Holdings {
        let rows = self.layout.tables.iter().flat_map(|table| self.rows(table)).collect();
        let mut holdings = Holdings { rows, ..Holdings::default() };
        for store in self.layout.stores {
            holdings.collect(store, &self.root(store));
        }
        holdings
    }

    fn rows(&self, table: &Table) -> Vec<((String, String), String)> {
        let Table { name, key, state } = table;
        let columns = [&[*key], *state].concat().join(", ");
        let rows = self.db.query(&format!("SELECT {columns} FROM {name}")).into_iter().map(|row| {
            let mut values = row.into_iter().map(|value| value.unwrap_or_else(|| "-".to_owned()));
            let key = values.next().expect("a key");
            ((name.to_string(), key), values.collect::<Vec<_>>().join(" "))
        });
        rows.collect()
    }

    /// SQL of a fixture with its instants and paths filled in: `ago(30)` is the instant 30 days ago as a column of
    /// instants takes it, `iso(30)` the same as a text without zone; `{NAME}` of a store is its root.
    pub fn rendered(&self, sql: &str) -> String {
        let zone = if self.db.kind() == EngineKind::Postgres { "+00" } else { "" };
        let sql = with_instants(sql, "ago(", &format!("%Y-%m-%d %H:%M:%S%.6f{zone}"));
        self.with_paths(&with_instants(&sql, "iso(", "%Y-%m-%dT%H:%M:%S%.6f"))
    }

    fn with_paths(&self, text: &str) -> String {
        self.layout.stores.iter().fold(text.to_owned(), |text, store| {
            text.replace(&format!("{{{store}}}"), &self.root(store).display().to_string())
        })
    }

    fn fixture(&self, name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(self.layout.name).join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Replaces each `opening` with a number of days and `)` by the instant so long ago, in UTC, quoted.
fn with_instants(sql: &str, opening: &str, format: &str) -> String {
    let now = jiff::Timestamp::now();
    let mut pieces = sql.split(opening);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (days, rest) = piece.split_once(')').expect("a closing parenthesis");
        let days: f64 = days.parse().expect("a number of days");
        let at = now - jiff::SignedDuration::from_secs((days * 86_400.0) as i64);
        out.push_str(&format!("'{}'{rest}", at.strftime(format)));
    }
    out
}

//! A source with its stores, a configuration over them, and runs through the library as the daemon and the CLI make
//! them.
#![allow(dead_code, reason = "the harness offers more than each suite takes")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use retaind::clock::Clock;
use retaind::config::Inputs;
use retaind::ledger::Ledger;
use retaind::outcome::{RunMode, RunResult, RunTrigger};
use retaind::policy::{Settings, compile};
use retaind::run::{Listed, Request, Runner};
use tokio::sync::mpsc;

use crate::engines::{Database, EngineKind, scratch_dir};

/// A world of one source `app`, two stores `thumbs` and `images`, and whatever policies a test declares.
pub struct World {
    pub db: Arc<Database>,
    pub dir: PathBuf,
    policies: String,
    daemon: String,
    /// The columns of `item` that are declared as references of `thumbs` and `images`.
    pub references: [&'static str; 2],
    /// More references: store, table, column.
    more_references: Vec<[String; 3]>,
    /// And those of other shapes: store, entry.
    pub reference_entries: Vec<[String; 2]>,
    /// Keys of both stores.
    pub store_keys: &'static str,
    pub clock: Clock,
    /// Another way to the database than its own.
    pub url: Option<String>,
    /// More keys of the source `app`, as TOML; `lock_timeout = "1s"` where there are none.
    pub source_keys: String,
    /// When a file was last put into a store.
    put_at: Cell<Option<Instant>>,
}

impl World {
    pub fn new(db: impl Into<Arc<Database>>) -> Self {
        let dir = scratch_dir("world");
        for sub in ["thumbs", "images", "state"] {
            std::fs::create_dir_all(dir.join(sub)).expect("a directory is made");
        }
        Self {
            db: db.into(),
            dir,
            policies: String::new(),
            daemon: String::new(),
            references: ["thumb", "image"],
            more_references: Vec::new(),
            reference_entries: Vec::new(),
            store_keys: "",
            clock: Clock::system(),
            url: None,
            source_keys: "lock_timeout = \"1s\"".to_owned(),
            put_at: Cell::new(None),
        }
    }

    /// One in whose stores the age of files goes by the time of writing, which a test can set.
    pub fn by_mtime(db: impl Into<Arc<Database>>) -> Self {
        let mut world = Self::new(db);
        world.store_keys = BY_MTIME;
        world
    }

    /// Adds TOML, usually a policy.
    pub fn declare(&mut self, toml: &str) -> &mut Self {
        self.policies.push_str(toml);
        self.policies.push('\n');
        self
    }

    /// Declares other things in place of all that was declared.
    pub fn redeclare(&mut self, toml: &str) -> &mut Self {
        self.policies.clear();
        self.declare(toml)
    }

    /// Declares that a column names files of a store.
    pub fn reference(&mut self, store: &str, table: &str, column: &str) -> &mut Self {
        self.more_references.push([store, table, column].map(str::to_owned));
        self
    }

    /// Adds an entry, as TOML, to the references of a store.
    pub fn reference_entry(&mut self, store: &str, entry: &str) -> &mut Self {
        self.reference_entries.push([store, entry].map(str::to_owned));
        self
    }

    /// Adds keys to `[daemon]`.
    pub fn daemon(&mut self, toml: &str) -> &mut Self {
        self.daemon.push_str(toml);
        self.daemon.push('\n');
        self
    }

    /// Adds a fragment of configuration.
    pub fn conf_d(&self, name: &str, toml: &str) -> &Self {
        let dir = self.dir.join("conf.d");
        std::fs::create_dir_all(&dir).expect("a directory is made");
        std::fs::write(dir.join(format!("{name}.toml")), toml).expect("a fragment is written");
        self
    }

    /// Writes the configuration; its path. Nothing runs without it, so this waits until the files are old enough.
    pub fn config_file(&self) -> PathBuf {
        self.let_files_settle();
        let reference = |store: &str, column: &str| {
            let item = [store, "item", column].map(str::to_owned);
            let of_items = self.policies.contains("table = \"item\"").then_some(&item);
            let all = of_items.into_iter().chain(&self.more_references).filter(|[of, ..]| of == store);
            let written = self.reference_entries.iter().filter(|[of, _]| of == store).map(|[_, entry]| entry.clone());
            let entries: Vec<_> = all
                .map(|[_, table, column]| format!("{{ source = \"app\", table = \"{table}\", column = \"{column}\" }}"))
                .chain(written)
                .collect();
            format!("references = [{}]\n{}", entries.join(", "), self.store_keys)
        };
        let dir = self.dir.display();
        let text = format!(
            "[daemon]\nstate_dir = \"{dir}/state\"\n{}\n[sources.app]\nurl = \"{}\"\n{}\n\
             [stores.thumbs]\npath = \"{dir}/thumbs\"\nstrip_prefix = \"data/thumbs/\"\n{}\n\
             [stores.images]\npath = \"{dir}/images\"\n{}\n{}",
            self.daemon,
            self.url.clone().unwrap_or_else(|| self.db.url()),
            self.source_keys,
            reference("thumbs", self.references[0]),
            reference("images", self.references[1]),
            self.policies
        );
        let path = self.dir.join("retaind.toml");
        std::fs::write(&path, text).expect("the configuration is written");
        path
    }

    pub fn settings(&self) -> Arc<Settings> {
        let path = self.config_file();
        Arc::new(compile::load(&Inputs::of_file(path)).unwrap_or_else(|errors| panic!("{errors}")))
    }

    pub async fn ledger(&self) -> Ledger {
        Ledger::open(&self.dir.join("state/ledger.db")).await.expect("the ledger opens")
    }

    pub async fn runner(&self) -> Runner {
        Runner::new(self.settings(), Some(self.ledger().await), self.clock.clone())
    }

    pub async fn plan(&self) -> (RunResult, Vec<Listed>) {
        let (sender, mut receiver) = mpsc::channel(16);
        let listing = tokio::spawn(async move {
            let mut listed = Vec::new();
            while let Some(line) = receiver.recv().await {
                listed.push(line);
            }
            listed
        });
        let mut request = self.request(RunMode::Plan);
        request.list = Some(sender);
        let result = self.runner().await.run(request).await.expect("a plan is made");
        (result, listing.await.expect("the listing ends"))
    }

    pub async fn run(&self) -> RunResult {
        self.runner().await.run(self.request(RunMode::Enforce)).await.expect("a run is made")
    }

    pub fn request(&self, mode: RunMode) -> Request {
        let policies = self.settings().policies.iter().filter(|policy| policy.enabled).cloned().collect();
        Request::new(mode, RunTrigger::Cli, policies)
    }

    pub fn root(&self, store: &str) -> PathBuf {
        self.dir.join(store)
    }

    /// Puts a file of `size` bytes into a store.
    pub fn put(&self, store: &str, path: &str, size: usize) {
        self.put_named(store, path.as_ref(), size);
    }

    /// The same with a name that need not be a text.
    pub fn put_named(&self, store: &str, path: &OsStr, size: usize) {
        let path = self.root(store).join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory is made");
        std::fs::write(path, vec![b'x'; size]).expect("a file is written");
        self.put_at.set(Some(Instant::now()));
    }

    /// The kernel stamps files by a coarse clock, so one that was written a moment ago may pass for written after a
    /// decision, and be kept. Waits until no file of this test can.
    fn let_files_settle(&self) {
        if let Some(put_at) = self.put_at.take() {
            std::thread::sleep(Duration::from_millis(25).saturating_sub(put_at.elapsed()));
        }
    }

    /// Every file of a store, by relative path.
    pub fn files(&self, store: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        collect(&self.root(store), &self.root(store), &mut found);
        found
    }

    /// The ids of `item` that are left.
    pub fn ids(&self) -> BTreeSet<u64> {
        let ids = self.db.column("SELECT id FROM item");
        ids.into_iter().map(|id| id.parse().expect("an id")).collect()
    }

    /// Makes the table `item`: id, age column `at` (indexed), note, thumb, image.
    pub fn create_items(&self) {
        let at = self.db.timestamp_type();
        self.db.execute(&format!(
            "CREATE TABLE item (id INTEGER PRIMARY KEY, at {at} NULL, note VARCHAR(50), thumb VARCHAR(200), \
             image VARCHAR(200))"
        ));
        self.db.execute("CREATE INDEX item_at ON item (at)");
    }

    /// SQL for the instant `days` ago.
    pub fn days_ago(&self, days: f64) -> String {
        let secs = self.clock.now().as_second() - (days * 86_400.0) as i64;
        self.db.instant(&secs.to_string())
    }

    /// Inserts an item; `thumb` and `image` are written as given.
    pub fn item(&self, id: u64, days: f64, thumb: Option<&str>, image: Option<&str>) {
        let text = |value: Option<&str>| match value {
            None => "NULL".to_owned(),
            Some(value) => format!("'{}'", value.replace('\'', "''")),
        };
        self.db.execute(&format!(
            "INSERT INTO item (id, at, note, thumb, image) VALUES ({id}, {}, 'n', {}, {})",
            self.days_ago(days),
            text(thumb),
            text(image)
        ));
    }

    pub fn is(&self, kind: EngineKind) -> bool {
        self.db.kind() == kind
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn collect(root: &Path, dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).expect("a directory is read").flatten() {
        let kind = entry.file_type().expect("a type");
        if kind.is_dir() {
            collect(root, &entry.path(), found);
        } else {
            let path = entry.path();
            let relative = path.strip_prefix(root).expect("beneath the root");
            found.insert(relative.to_string_lossy().into_owned());
        }
    }
}

/// Lets the age of files go by the time of writing, which a test can set.
pub const BY_MTIME: &str = "age_by = \"mtime\"";

/// A set, written shortly.
pub fn set<T: Ord, const N: usize>(items: [T; N]) -> BTreeSet<T> {
    BTreeSet::from(items)
}

/// A set of paths.
pub fn paths<const N: usize>(items: [&str; N]) -> BTreeSet<String> {
    items.into_iter().map(str::to_owned).collect()
}

/// Number of kills, operations or generated cases that a test takes: as many as suit every day, so many times more as
/// `RETAIND_EFFORT` says, or a fraction of them where only the quick tests are asked for.
pub fn effort<N>(usual: N) -> N
where
    N: TryFrom<u32> + std::ops::Mul<Output = N> + std::ops::Div<Output = N> + Ord,
{
    let number = |number: u32| N::try_from(number).ok().expect("a number that is not too large");
    if crate::needs::is_quick() {
        return (usual / number(5)).max(number(1));
    }
    let asked = std::env::var("RETAIND_EFFORT").ok().map(|text| text.parse().expect("RETAIND_EFFORT is a number"));
    usual * number(asked.unwrap_or(1))
}

/// What makes worlds for a property: the same ones each time, so that a failure is one of the code, and others on every
/// run with `RETAIND_RANDOM=1`, to look for more. A failure shows the number that makes its worlds again.
pub fn generated_cases(config: proptest::test_runner::Config) -> proptest::test_runner::TestRunner {
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    let Ok(asked) = std::env::var("RETAIND_RANDOM") else {
        return TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    };
    let seed = match asked.parse::<u64>() {
        Ok(seed) if seed > 1 => seed,
        _ => uuid::Uuid::now_v7().as_u64_pair().1,
    };
    println!("RETAIND_RANDOM={seed} makes these worlds again");
    let bytes: Vec<u8> = seed.to_le_bytes().repeat(4);
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

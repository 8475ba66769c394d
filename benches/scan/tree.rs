//! Trees of files and the tables that name them; what is made goes again when it is dropped.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use retaind::decide::file::FileKind;
use retaind::policy::{Name, Store};
use retaind::stores::{OpenStore, Visitor, Want};
use tokio_util::sync::CancellationToken;

use crate::engines::{Database, scratch_dir};

const DIRECTORIES: u64 = 1024;
/// One file in so many has no row.
const ORPHAN_EVERY: u64 = 100;

/// How files lie in a tree.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// In 1,024 directories.
    Spread,
    /// In a single one.
    Flat,
}

impl Tree {
    fn path(self, file: u64) -> String {
        match self {
            Tree::Spread => format!("d{}/{file:012}.jpg", file % DIRECTORIES),
            Tree::Flat => format!("all/{file:012}.jpg"),
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Tree::Spread => "'d' || (n % 1024) || '/' || lpad(n::text, 12, '0') || '.jpg'",
            Tree::Flat => "'all/' || lpad(n::text, 12, '0') || '.jpg'",
        }
    }

    fn make(self, root: &Path) -> anyhow::Result<()> {
        match self {
            Tree::Spread => (0..DIRECTORIES).try_for_each(|at| std::fs::create_dir_all(root.join(format!("d{at}"))))?,
            Tree::Flat => std::fs::create_dir_all(root.join("all"))?,
        }
        Ok(())
    }
}

/// A store and a table that names all but a hundredth of its files.
pub struct World {
    pub dir: PathBuf,
    pub root: PathBuf,
    pub config: PathBuf,
    pub references: u64,
    database: Database,
}

impl World {
    pub fn fill(database: Database, tree: Tree, files: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("scan");
        let root = dir.join("store");
        tree.make(&root)?;
        for file in 1..=files {
            make_old(&root.join(tree.path(file)))?;
        }
        database.execute("CREATE TABLE files (id BIGINT PRIMARY KEY, path TEXT NOT NULL)");
        let named =
            format!("SELECT n, {} FROM generate_series(1, {files}) n WHERE n % {ORPHAN_EVERY} <> 0", tree.sql());
        database.execute(&format!("INSERT INTO files (id, path) {named}"));
        database.execute("CREATE INDEX files_path ON files (path)");
        database.query("VACUUM ANALYZE files");
        let config = dir.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[sources.bench]
url = "{url}"

[stores.files]
path = "{dir}/store"
# The files are made for the bench, and their times of writing set.
age_by = "mtime"
references = [{{ source = "bench", table = "files", column = "path" }}]

[policies.orphans]
kind = "orphans"
store = "files"
keep = "1d"
"#,
            dir = dir.display(),
            url = database.url()
        );
        std::fs::write(&config, text)?;
        Ok(Self { dir, root, config, references: files - files / ORPHAN_EVERY, database })
    }

    /// How psql is called for the database.
    pub fn psql(&self) -> String {
        format!("psql '{}'", self.database.url())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Log files, all of which are old.
pub struct Logs {
    dir: PathBuf,
    pub root: PathBuf,
    pub config: PathBuf,
}

impl Logs {
    pub fn fill(files: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("logs");
        let root = dir.join("logs");
        for directory in 0..DIRECTORIES {
            std::fs::create_dir_all(root.join(format!("d{directory}")))?;
        }
        for file in 0..files {
            make_old(&root.join(format!("d{}/{file}.log", file % DIRECTORIES)))?;
        }
        std::fs::create_dir(dir.join("state"))?;
        let config = dir.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[stores.logs]
path = "{dir}/logs"
age_by = "mtime"

[policies.logs]
kind = "files"
store = "logs"
match = "**/*.log"
keep = "1d"
"#,
            dir = dir.display()
        );
        std::fs::write(&config, text)?;
        let adopt = crate::process::retaind(&config).args(["adopt", "logs", "--yes"]).output()?;
        ensure!(adopt.status.success(), "adopt: {}", String::from_utf8_lossy(&adopt.stderr));
        // What was just made is written out, so that neither side pays for it.
        ensure!(std::process::Command::new("sync").status()?.success(), "sync");
        Ok(Self { dir, root, config })
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn make_old(path: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(path)?;
    let old = SystemTime::now().checked_sub(Duration::from_secs(3 * 24 * 60 * 60)).context("a time in the past")?;
    Ok(file.set_modified(old)?)
}

/// Counts files, and wants to know nothing of them.
#[derive(Default)]
struct Counter(u64);

impl Visitor for Counter {
    fn file(&mut self, _path: &[u8], _kind: FileKind) -> Want {
        self.0 += 1;
        Want::Nothing
    }
}

/// A walk alone; fails unless it meets all files.
pub fn walk(root: &Path, files: u64) -> anyhow::Result<Duration> {
    let store = Store {
        name: Name::parse("files").map_err(anyhow::Error::msg)?,
        root: root.to_owned(),
        strip_prefix: None,
        references: Vec::new(),
        trash: None,
        age_by: Default::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let started = Instant::now();
    let open = OpenStore::open(&store)?;
    let walked = runtime.block_on(open.walk(Counter::default, &CancellationToken::new()))?;
    let duration = started.elapsed();
    let met: u64 = walked.visitors.iter().map(|visitor| visitor.0).sum();
    ensure!(met == files, "the walk met {met} of {files} files");
    Ok(duration)
}

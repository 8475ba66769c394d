//! The ledger's file: how it is created, opened, migrated and called. Knows no table; never recreates what it can't read.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use diesel::connection::DefaultLoadingMode;
use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::query_dsl::LoadQuery;
use diesel::sql_types::{BigInt, Integer};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::locks::{self, Lock, LockDir};
use super::reserve::Reserve;
use super::{Fault, FileId, LedgerError};
use crate::outcome::RunId;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/ledger");

/// `application_id` of the file, "rtnd": tells a ledger from another program's database.
const APPLICATION_ID: i32 = 0x7274_6e64;

/// Number of tries of the change to WAL while another process opens the same new file.
const WAL_ATTEMPTS: u32 = 50;
const WAL_PAUSE: Duration = Duration::from_millis(100);

/// An open ledger. Cheap to clone; every call is one short transaction on a blocking thread, and a call once begun ends
/// even if its future is dropped. Several processes may have the same file open.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    path: PathBuf,
    /// Device and inode of the file that is open.
    opened: FileId,
    connection: Mutex<SqliteConnection>,
    /// Another connection, for whoever only looks while that one is in use; opened when it is needed first.
    looking: Mutex<Option<SqliteConnection>>,
    reserve: Reserve,
    pub(super) locks: LockDir,
    /// The lock files of this ledger's own runs: while one is held, its run counts as alive.
    seats: Mutex<HashMap<RunId, Lock>>,
}

impl Ledger {
    /// Opens the file (0600, owned like its directory), creating and migrating it as needed.
    pub async fn open(path: &Path) -> Result<Self, LedgerError> {
        let opened = path.to_owned();
        let task = tokio::task::spawn_blocking(move || Inner::open(&opened));
        let inner = task.await.map_err(|error| failed(path, "opening the file", error.into()))?;
        Ok(Self { inner: Arc::new(inner?) })
    }

    /// The ledger's file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Device and inode of the file that is open.
    pub fn opened(&self) -> FileId {
        self.inner.opened
    }

    /// True if the file that is open is still the one at its path.
    pub fn is_in_place(&self) -> bool {
        self.inner.check_in_place().is_ok()
    }

    /// True if the disk was so full that the reserve is spent, and still is.
    pub fn is_reserve_spent(&self) -> bool {
        self.inner.reserve.is_spent()
    }

    /// Takes the reserve again, where it was given up and there is room.
    pub(super) async fn fill_reserve(&self) {
        let inner = Arc::clone(&self.inner);
        // It reports no failure, and a panic in it harms nothing.
        let _ = tokio::task::spawn_blocking(move || inner.reserve.fill()).await;
    }

    /// Does `work` with the connection, on a thread that may block; once more where the disk was full and the reserve
    /// could be given up.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        mut work: impl FnMut(&mut SqliteConnection, &Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on_thread(operation, move |inner| inner.attempt(&mut work)).await
    }

    /// Looks at something without waiting for the end of what is being written: a commit waits for the disk.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        self.on_thread(operation, move |inner| inner.look(work)).await
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(done) => done.map_err(|fault| failed(&self.inner.path, operation, fault)),
            Err(error) => Err(failed(&self.inner.path, operation, error.into())),
        }
    }
}

impl Inner {
    fn open(path: &Path) -> Result<Self, LedgerError> {
        let fail = |operation, fault| failed(path, operation, fault);
        let path = std::path::absolute(path).map_err(|error| fail("finding the file", error.into()))?;
        let reserve = Reserve::beside(&path);
        let (connection, opened) = match prepare(&path) {
            Err((_, fault)) if is_full(&fault, &reserve) && reserve.give_up() => prepare(&path),
            prepared => prepared,
        }
        .map_err(|(operation, fault)| fail(operation, fault))?;
        reserve.fill();
        let locks = LockDir::beside(&path);
        Ok(Self {
            path,
            opened,
            connection: Mutex::new(connection),
            looking: Mutex::default(),
            reserve,
            locks,
            seats: Mutex::default(),
        })
    }

    fn attempt<T>(&self, work: &mut impl FnMut(&mut SqliteConnection, &Inner) -> Result<T, Fault>) -> Result<T, Fault> {
        self.check_in_place()?;
        let mut connection = self.connection();
        match work(&mut connection, self) {
            Err(fault) if is_full(&fault, &self.reserve) && self.reserve.give_up() => {
                // The transaction that failed may have left the old one in any state.
                *connection = connect(&self.path)?;
                work(&mut connection, self)
            }
            done => done,
        }
    }

    fn look<T>(&self, work: impl FnOnce(&mut SqliteConnection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.check_in_place()?;
        if let Ok(mut connection) = self.connection.try_lock() {
            return work(&mut connection);
        }
        let mut looking = self.looking.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match looking.take().map_or_else(|| connect(&self.path), Ok) {
            Ok(connection) => work(looking.insert(connection)),
            // There are files for one only.
            Err(_) => work(&mut self.connection()),
        }
    }

    /// Refuses a file that was removed or replaced: what is written to the open one, nobody would find again.
    fn check_in_place(&self) -> Result<(), Fault> {
        match file_at(&self.path) {
            Ok(found) if found == self.opened => Ok(()),
            Ok(_) => Err(LedgerError::Replaced { path: self.path.clone() }.into()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(LedgerError::Removed { path: self.path.clone() }.into())
            }
            // It cannot be told; where it is gone for good, the next call says so.
            Err(_) => Ok(()),
        }
    }

    fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The seats that this ledger's own runs hold.
    pub(super) fn seats(&self) -> MutexGuard<'_, HashMap<RunId, Lock>> {
        self.seats.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The first row that a query finds. It goes without `LIMIT ?`, for which SQLite plans a statement anew each time.
pub(super) fn first<'c, 'q: 'c, T: 'c>(
    query: impl LoadQuery<'q, SqliteConnection, T, DefaultLoadingMode> + 'c,
    connection: &'c mut SqliteConnection,
) -> QueryResult<Option<T>> {
    query.internal_load(connection)?.next().transpose()
}

/// Gives up what a ledger keeps for a full disk, before it can be opened; false where there was nothing to give.
pub fn give_up_reserve(ledger: &Path) -> bool {
    Reserve::beside(ledger).give_up()
}

/// Failure while a file was prepared.
type Unprepared = (&'static str, Fault);

/// Creates and opens the file, and brings its schema up to date; or which of these failed.
fn prepare(path: &Path) -> Result<(SqliteConnection, FileId), Unprepared> {
    create(path).map_err(|error| ("creating the file", error.into()))?;
    let before = file_at(path).map_err(|error| ("opening the file", error.into()))?;
    let mut connection = connect(path).map_err(|fault| ("opening the file", fault))?;
    migrate(&mut connection, path).map_err(|fault| ("bringing the schema up to date", fault))?;
    Ok((connection, before))
}

/// Device and inode of the file at a path.
fn file_at(path: &Path) -> std::io::Result<FileId> {
    let stat = rustix::fs::stat(path)?;
    Ok((stat.st_dev, stat.st_ino))
}

/// Creates an empty file where there is none, readable by its owner alone. SQLite gives `-wal` and `-shm` the mode of
/// the file, and its owner too where it runs as root.
fn create(path: &Path) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file: OwnedFd = match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::EXIST) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = rustix::fs::open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    locks::own_like(&file, &directory)?;
    rustix::fs::fsync(&directory)?;
    Ok(())
}

/// Connects, and sets the connection up: an intent must survive a power cut.
fn connect(path: &Path) -> Result<SqliteConnection, Fault> {
    let text = path.to_str().ok_or("the path is not UTF-8")?;
    let mut connection = SqliteConnection::establish(text)?;
    diesel::sql_query("PRAGMA busy_timeout = 10000").execute(&mut connection)?;
    // Before anything is set: a foreign or damaged file stays as it is.
    refuse_foreign(&mut connection, path)?;
    set_wal(&mut connection)?;
    for pragma in ["PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"] {
        diesel::sql_query(pragma).execute(&mut connection)?;
    }
    Ok(connection)
}

#[derive(QueryableByName)]
struct ApplicationId {
    #[diesel(sql_type = Integer)]
    application_id: i32,
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn application_id(connection: &mut SqliteConnection) -> QueryResult<i32> {
    let id: ApplicationId = diesel::sql_query("PRAGMA application_id").get_result(connection)?;
    Ok(id.application_id)
}

fn refuse_foreign(connection: &mut SqliteConnection, path: &Path) -> Result<(), Fault> {
    // In one transaction: another process may be making the new ledger this moment.
    connection.transaction(|connection| {
        let tables: Count = diesel::sql_query("SELECT count(*) AS count FROM sqlite_schema").get_result(connection)?;
        if tables.count > 0 && application_id(connection)? != APPLICATION_ID {
            return Err(LedgerError::Foreign { path: path.to_owned() }.into());
        }
        Ok(())
    })
}

/// The change to WAL needs the file alone for a moment, and SQLite does not always wait for that.
fn set_wal(connection: &mut SqliteConnection) -> Result<(), Fault> {
    let mut attempt = 1;
    loop {
        match diesel::sql_query("PRAGMA journal_mode = WAL").execute(connection) {
            Ok(_) => return Ok(()),
            Err(error) if attempt < WAL_ATTEMPTS && error.to_string().contains("locked") => {
                attempt += 1;
                std::thread::sleep(WAL_PAUSE);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Applies what is missing, in one transaction, so that two processes never apply it twice and a crash leaves no half.
fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), Fault> {
    // Asking a new file for its migrations would already write to it.
    if application_id(connection)? == APPLICATION_ID {
        refuse_newer(connection, path)?;
        if !connection.has_pending_migration(MIGRATIONS)? {
            return Ok(());
        }
    }
    connection.immediate_transaction(|connection| {
        refuse_newer(connection, path)?;
        connection.run_pending_migrations(MIGRATIONS)?;
        diesel::sql_query(format!("PRAGMA application_id = {APPLICATION_ID}")).execute(connection)?;
        Ok(())
    })
}

fn refuse_newer(connection: &mut SqliteConnection, path: &Path) -> Result<(), Fault> {
    let known = MigrationSource::<Sqlite>::migrations(&MIGRATIONS)?;
    let known: Vec<String> = known.iter().map(|migration| migration.name().version().to_string()).collect();
    let applied = connection.applied_migrations()?;
    let unknown = applied.iter().map(ToString::to_string).filter(|version| !known.contains(version)).max();
    match unknown {
        None => Ok(()),
        Some(found) => Err(Box::new(LedgerError::Newer {
            path: path.to_owned(),
            found,
            known: known.into_iter().max().unwrap_or_default(),
        })),
    }
}

/// An error of ours passes; SQLite's words for a damaged file become [`LedgerError::Damaged`].
fn failed(path: &Path, operation: &'static str, fault: Fault) -> LedgerError {
    match fault.downcast::<LedgerError>() {
        Ok(error) => *error,
        Err(cause) if is_damage(&cause) => LedgerError::Damaged { path: path.to_owned(), cause },
        Err(cause) if is_full(&cause, &Reserve::beside(path)) => LedgerError::Full { path: path.to_owned(), cause },
        Err(cause) => LedgerError::Failed { path: path.to_owned(), operation, cause },
    }
}

/// True if a fault says, or comes from, a full disk: no room, no room for more files, or a quota that is used up.
fn is_full(fault: &Fault, reserve: &Reserve) -> bool {
    let mut text = fault.to_string();
    let mut source = fault.source();
    while let Some(cause) = source {
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    // SQLite's words for a full disk, and the numbers of ENOSPC and EDQUOT.
    let says_so = ["database or disk is full", "os error 28)", "os error 122)"];
    // What it says where a file cannot be made or extended, for this reason or for others.
    let may_come_of_it = ["disk I/O error", "unable to open database file", "no transaction is active"];
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    says(&says_so) || (says(&may_come_of_it) && reserve.is_short())
}

/// diesel hides SQLite's codes; these two messages are fixed in SQLite's source.
fn is_damage(fault: &Fault) -> bool {
    let text = fault.to_string();
    text.contains("file is not a database") || text.contains("database disk image is malformed")
}

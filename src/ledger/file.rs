//! The ledger's file: how it is created, opened, migrated and called. Knows no table; never recreates what it can't read.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::locks::{self, Lock, LockDir};
use super::{Fault, LedgerError, RunId};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/ledger");

/// `application_id` of the file, "rtnd": tells a ledger from another program's database.
const APPLICATION_ID: i32 = 0x7274_6e64;

/// How often the change to WAL is tried while another process opens the same new file.
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
    connection: Mutex<SqliteConnection>,
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

    /// Does `work` with the connection, on a thread that may block.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut SqliteConnection, &Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || work(&mut inner.connection(), &inner));
        match task.await {
            Ok(done) => done.map_err(|fault| failed(&self.inner.path, operation, fault)),
            Err(error) => Err(failed(&self.inner.path, operation, error.into())),
        }
    }
}

impl Inner {
    fn open(path: &Path) -> Result<Self, LedgerError> {
        let fail = |operation, fault| failed(path, operation, fault);
        let path = std::path::absolute(path).map_err(|error| fail("finding the file", error.into()))?;
        create(&path).map_err(|error| fail("creating the file", error.into()))?;
        let mut connection = connect(&path).map_err(|fault| fail("opening the file", fault))?;
        migrate(&mut connection, &path).map_err(|fault| fail("bringing the schema up to date", fault))?;
        let locks = LockDir::beside(&path);
        Ok(Self { path, connection: Mutex::new(connection), locks, seats: Mutex::default() })
    }

    fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The seats that this ledger's own runs hold.
    pub(super) fn seats(&self) -> MutexGuard<'_, HashMap<RunId, Lock>> {
        self.seats.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
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
        Err(cause) => LedgerError::Failed { path: path.to_owned(), operation, cause },
    }
}

/// diesel hides SQLite's codes; these two messages are fixed in SQLite's source.
fn is_damage(fault: &Fault) -> bool {
    let text = fault.to_string();
    text.contains("file is not a database") || text.contains("database disk image is malformed")
}

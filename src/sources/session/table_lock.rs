//! The right to change the rows of a table, which only one run in the world has at a time: whoever else works on the
//! same database, with a ledger of its own, waits for it.
//!
//! PostgreSQL and MySQL are asked for a lock with each batch, so that nothing is left on a connection between batches
//! and a run that died locks nobody out. SQLite has no such locks: a file beside the database is locked for the run.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FlockOperation, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::policy::{Endpoint, Engine, TableName};
use crate::sources::sql::dialect::dialect;

/// A table that the session has, or takes with each batch.
pub(super) struct Claim {
    pub table: TableName,
    key: u64,
    /// Locked as long as it is open.
    _file: Option<OwnedFd>,
}

/// Why a table cannot be had.
pub(super) enum Refusal {
    InUse,
    Failed(std::io::Error),
}

impl Claim {
    /// Of a table as the catalog resolved it. On SQLite it is had now or refused.
    pub fn new(endpoint: &Endpoint, table: &TableName) -> Result<Self, Refusal> {
        let database = endpoint.server().map_or("", |server| &server.database);
        let file = endpoint.path().map(|path| lock_file(path, table)).transpose()?.flatten();
        let schema = table.schema.as_ref().map(ToString::to_string).unwrap_or_default();
        let key = fingerprint([database, &schema, table.table.as_str()]);
        Ok(Self { table: table.clone(), key, _file: file })
    }

    /// The statement that asks for the lock: it returns '1' when it is had; empty where the file is the lock.
    pub fn taking(&self, engine: Engine) -> String {
        self.of(dialect(engine).traits().table_lock)
    }

    /// The statement that gives the lock back.
    pub fn giving_back(&self, engine: Engine) -> String {
        self.of(dialect(engine).traits().table_unlock)
    }

    fn of(&self, text: &str) -> String {
        let signed = self.key.cast_signed().to_string();
        text.replace("@signed", &signed).replace("@hex", &format!("{:016x}", self.key))
    }
}

/// Number of a table, the same in every version of retaind: 64 bits of FNV-1a.
fn fingerprint(parts: [&str; 3]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Locks the file of a table beside its database. Where none can be made the run goes by its ledger alone; `check` says
/// so.
fn lock_file(database: &Path, table: &TableName) -> Result<Option<OwnedFd>, Refusal> {
    let Some(path) = lock_path(database, table) else { return Ok(None) };
    // Whoever may use the database may lock the file, and nobody else.
    let Ok(of_database) = std::fs::metadata(database) else { return Ok(None) };
    let mode = Mode::from_raw_mode(of_database.mode() & 0o666);
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::open(&path, flags, mode) {
        Ok(file) => file,
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::NOSPC | Errno::DQUOT | Errno::NAMETOOLONG) => {
            return Ok(None);
        }
        Err(error) => return Err(Refusal::Failed(error.into())),
    };
    if rustix::process::geteuid().is_root() {
        let owner = (Uid::from_raw(of_database.uid()), Gid::from_raw(of_database.gid()));
        // Where that cannot be, others go by their ledgers.
        let _ = rustix::fs::fchown(&file, Some(owner.0), Some(owner.1));
    }
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::WOULDBLOCK) => Err(Refusal::InUse),
        // A file system without locks.
        Err(Errno::NOLCK | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(Refusal::Failed(error.into())),
    }
}

/// `.DATABASE-retaind-TABLE-NUMBER.lock` in the directory of the database, which is looked for behind links.
fn lock_path(database: &Path, table: &TableName) -> Option<std::path::PathBuf> {
    let database = std::fs::canonicalize(database).ok()?;
    let plain = |character: char| if character.is_ascii_alphanumeric() { character } else { '_' };
    // SQLite knows no case in names.
    let table = table.table.as_str().to_ascii_lowercase();
    let shown: String = table.chars().map(plain).take(32).collect();
    let mut name = std::ffi::OsString::from(".");
    name.push(database.file_name()?);
    name.push(format!("-retaind-{shown}-{:08x}.lock", fingerprint([&table, "", ""]) & 0xffff_ffff));
    Some(database.with_file_name(name))
}

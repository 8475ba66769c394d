//! The file: rights, owner, durability, versions, damage.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;

use super::*;

fn raw(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

fn raw_execute(path: &Path, sql: &str) {
    diesel::sql_query(sql).execute(&mut raw(path)).unwrap();
}

#[derive(QueryableByName)]
struct Value {
    #[diesel(sql_type = Text)]
    value: String,
}

#[tokio::test]
async fn it_is_private_to_its_owner_and_durable() {
    let (directory, ledger) = ledger().await;
    begun(&ledger).await;
    for file in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
        let mode = std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let pragmas = ledger
        .call("reading settings", |connection, _| {
            let mut values = Vec::new();
            for pragma in ["journal_mode", "synchronous", "foreign_keys"] {
                let sql = format!("SELECT CAST({pragma} AS TEXT) AS value FROM pragma_{pragma}");
                values.push(diesel::sql_query(sql).get_result::<Value>(connection)?.value);
            }
            let sql = "SELECT CAST(timeout AS TEXT) AS value FROM pragma_busy_timeout";
            values.push(diesel::sql_query(sql).get_result::<Value>(connection)?.value);
            Ok(values)
        })
        .await
        .unwrap();
    assert_eq!(pragmas, ["wal", "2", "1", "10000"]);
}

#[tokio::test]
async fn what_root_creates_belongs_to_the_directory_owner() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    chown(directory.path(), Some(12345), Some(23456)).unwrap();
    let ledger = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    let run = begun(&ledger).await;
    assert!(matches!(ledger.acquire_lease(&name("events"), run, at(0)).await.unwrap(), LeaseOutcome::Granted(_)));
    let _state = lock_state_dir(directory.path(), at(0)).unwrap();
    for file in [
        "ledger.db",
        "ledger.db-wal",
        "ledger.db-shm",
        "locks",
        "locks/run-0.lock",
        "locks/policy-events.lock",
        "daemon.lock",
    ] {
        let owner = std::fs::metadata(directory.path().join(file)).unwrap();
        assert_eq!((owner.uid(), owner.gid()), (12345, 23456), "{file}");
    }
}

#[tokio::test]
async fn an_existing_ledger_opens_with_its_contents() {
    let (directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    drop(ledger);
    let again = Ledger::open(&directory.path().join("ledger.db")).await.unwrap();
    assert_eq!(again.runs(10).await.unwrap()[0].run_id, run);
}

#[tokio::test]
async fn files_left_empty_by_a_crash_become_ledgers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    std::fs::write(&path, b"").unwrap();
    begun(&Ledger::open(&path).await.unwrap()).await;
}

#[tokio::test]
async fn a_migration_that_fails_changes_nothing() {
    let (directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    drop(ledger);
    let path = directory.path().join("ledger.db");
    // The first migration seems to be missing, and fails because its tables are there.
    raw_execute(&path, "DELETE FROM __diesel_schema_migrations WHERE version = '0001'");
    let error = Ledger::open(&path).await.err().unwrap();
    assert!(matches!(error, LedgerError::Failed { .. }), "{error:?}");
    raw_execute(&path, "INSERT INTO __diesel_schema_migrations (version) VALUES ('0001')");
    assert_eq!(Ledger::open(&path).await.unwrap().runs(1).await.unwrap()[0].run_id, run);
}

#[tokio::test]
async fn a_lock_file_without_permission_is_named() {
    let (directory, ledger) = ledger().await;
    let run = begun(&ledger).await;
    std::os::unix::fs::symlink("/dev/null", directory.path().join("locks/policy-events.lock")).unwrap();
    let error = ledger.acquire_lease(&name("events"), run, at(0)).await.err().unwrap();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("locks/policy-events.lock"), "{cause}");
}

#[tokio::test]
async fn a_newer_ledger_is_refused_and_left_alone() {
    let (directory, ledger) = ledger().await;
    drop(ledger);
    let path = directory.path().join("ledger.db");
    raw_execute(&path, "INSERT INTO __diesel_schema_migrations (version) VALUES ('9999')");
    let error = Ledger::open(&path).await.err().unwrap();
    assert!(matches!(&error, LedgerError::Newer { found, .. } if found == "9999"), "{error:?}");
    assert!(error.to_string().contains("newer retaind"), "{error}");
    raw_execute(&path, "DELETE FROM __diesel_schema_migrations WHERE version = '9999'");
    Ledger::open(&path).await.unwrap();
}

#[tokio::test]
async fn another_programs_database_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    raw_execute(&path, "CREATE TABLE images (id INTEGER PRIMARY KEY)");
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Ledger::open(&path).await, Err(LedgerError::Foreign { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_never_recreated() {
    let (directory, ledger) = ledger().await;
    drop(ledger);
    let path = directory.path().join("ledger.db");
    let whole = std::fs::read(&path).unwrap();
    let no_database = b"these bytes are no database, and there are more than sixteen of them".repeat(100);
    let mut torn = whole.clone();
    torn[100..whole.len().min(8192)].fill(0x5a);
    for damage in [no_database, torn] {
        std::fs::write(&path, &damage).unwrap();
        let error = Ledger::open(&path).await.err().unwrap();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), damage);
    }
}

#[tokio::test]
async fn a_missing_directory_is_named_in_the_error() {
    let directory = tempfile::tempdir().unwrap();
    let error = Ledger::open(&directory.path().join("absent/ledger.db")).await.err().unwrap();
    assert!(error.to_string().contains("absent/ledger.db"), "{error}");
    assert!(!directory.path().join("absent").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_create_the_same_ledger_at_once() {
    for _ in 0..5 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        let opening = (0..8).map(|_| {
            let path = path.clone();
            tokio::spawn(async move { Ledger::open(&path).await })
        });
        for opened in futures_util::future::join_all(opening).await {
            begun(&opened.unwrap().unwrap()).await;
        }
        assert_eq!(Ledger::open(&path).await.unwrap().runs(100).await.unwrap().len(), 8);
    }
}

#[test]
fn a_second_daemon_learns_of_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let first = lock_state_dir(directory.path(), at(0)).unwrap();
    let error = lock_state_dir(directory.path(), at(9)).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, StateLockError::Held { pid: Some(held), since: Some(since), .. }
        if held == pid && since == at(0)));
    let text = error.to_string();
    assert!(text.contains(&format!("process {pid}, since 2025-10-09T08:53:20Z")), "{text}");
    drop(first);
    lock_state_dir(directory.path(), at(9)).unwrap();
}

#[test]
fn a_removed_lock_file_locks_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let locks = super::super::locks::LockDir::beside(&directory.path().join("ledger.db"));
    let first = locks.try_lock("policy-events.lock").unwrap().unwrap();
    assert!(locks.try_lock("policy-events.lock").unwrap().is_none());
    let named = directory.path().join("locks/policy-events.lock");
    std::fs::rename(&named, directory.path().join("away")).unwrap();
    let second = locks.try_lock("policy-events.lock").unwrap().unwrap();
    drop(first);
    assert!(locks.try_lock("policy-events.lock").unwrap().is_none(), "only the file of that name counts");
    drop(second);
    assert!(locks.try_lock("policy-events.lock").unwrap().is_some());
}

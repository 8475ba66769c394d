//! A session on each engine: values, transactions, locks, timeouts, cancellation, loss.

use std::time::{Duration, Instant};

use retaind::policy::{Endpoint, Engine, Source};
use retaind::sources::{ErrorKind, Returning, Session, TransactionOutcome};

use super::{SERVERS, execute, open, plain, query};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

fn text_type(db: &Database) -> &'static str {
    if db.kind().is_mysql() { "CHAR" } else { "TEXT" }
}

for_each_engine! {
    async fn hostile_values_travel_as_values(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(200))");
        let values = [
            Some("it's \"quoted\" `and` \\escaped\\"),
            Some("{} ? ?? $1 $2::text :now -- # /* ; DROP TABLE t"),
            Some("ünï€😀\u{202e}\nline\ttab\r"),
            Some(""),
            Some("NULL"),
            None,
        ];
        let mut session = open(&db).await;
        // Thrice, so that the kept statement is used as well as the first one.
        for round in 0..3 {
            for (id, value) in values.iter().enumerate() {
                let mut sql = session.sql();
                sql.push("INSERT INTO t (id, name) VALUES (CAST(")
                    .bind((round * 100 + id).to_string())
                    .push(if db.kind().is_mysql() { " AS UNSIGNED), " } else { " AS INTEGER), " })
                    .bind(value.map(str::to_owned))
                    .push(")");
                assert_eq!(session.execute("an insert", &sql).await.unwrap(), 1);
            }
        }
        let mut sql = session.sql();
        let integer = if db.kind().is_mysql() { "UNSIGNED" } else { "INTEGER" };
        sql.push("SELECT name, '{} ? $1', ").bind("x?".to_owned()).push(" FROM t WHERE id >= CAST(");
        sql.bind("200".to_owned()).push(&format!(" AS {integer}) ORDER BY id"));
        let rows = session.query("a select", &sql).await.unwrap();
        let expected: Vec<Vec<Option<String>>> =
            values.iter().map(|value| vec![value.map(str::to_owned), Some("{} ? $1".into()), Some("x?".into())]).collect();
        assert_eq!(rows.into_iter().map(|row| row.0).collect::<Vec<_>>(), expected);
    }

    async fn an_unknown_column_is_never_a_constant(db) {
        db.execute("CREATE TABLE t (id INTEGER)");
        db.execute("INSERT INTO t VALUES (1)");
        let mut session = open(&db).await;
        let mut sql = session.sql();
        sql.push("SELECT 'x' FROM t WHERE ").ident(&retaind::policy::Ident::parse("missing").unwrap()).push(" <> 'y'");
        let error = session.query("a select", &sql).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Other);
        assert!(error.cause.to_string().contains("missing"), "{}", error.cause);
        assert_eq!(error.to_string(), "source nvr: a select failed");
    }

    async fn a_transaction_is_there_only_after_commit(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let mut session = open(&db).await;
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap();
        session.rollback().await.unwrap();
        assert_eq!(db.column("SELECT id FROM t"), Vec::<String>::new());
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (2)").await.unwrap();
        assert_eq!(db.column("SELECT id FROM t"), Vec::<String>::new());
        session.commit().await.unwrap();
        assert_eq!(db.column("SELECT id FROM t"), ["2"]);
        assert_eq!(session.commit().await.unwrap_err().kind, ErrorKind::Other);
        session.rollback().await.unwrap();
        assert!(session.is_open());
    }

    async fn a_transaction_with_an_error_never_commits(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let mut session = open(&db).await;
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap();
        let error = execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Constraint);
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Other);
        session.rollback().await.unwrap();
        assert_eq!(db.column("SELECT id FROM t"), Vec::<String>::new());
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (3)").await.unwrap();
        session.commit().await.unwrap();
        assert_eq!(db.column("SELECT id FROM t"), ["3"]);
    }

    async fn a_snapshot_does_not_see_what_comes_after(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        db.execute("INSERT INTO t VALUES (1)");
        let mut session = open(&db).await;
        session.begin_snapshot().await.unwrap();
        let ids = format!("SELECT CAST(id AS {}) FROM t ORDER BY id", text_type(&db));
        assert_eq!(query(&mut session, &ids).await.unwrap(), [[Some("1".to_owned())]]);
        db.execute("INSERT INTO t VALUES (2)");
        assert_eq!(query(&mut session, &ids).await.unwrap(), [[Some("1".to_owned())]]);
        session.commit().await.unwrap();
        assert_eq!(query(&mut session, &ids).await.unwrap().len(), 2);
        // The next transaction writes again, at the usual level.
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (3)").await.unwrap();
        session.commit().await.unwrap();
    }

    async fn a_foreign_key_that_forbids_is_a_constraint(db) {
        db.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
        db.execute("CREATE TABLE child (id INTEGER, parent_id INTEGER, FOREIGN KEY (parent_id) REFERENCES parent (id))");
        db.execute("INSERT INTO parent VALUES (1)");
        db.execute("INSERT INTO child VALUES (1, 1)");
        let mut session = open(&db).await;
        let error = execute(&mut session, "DELETE FROM parent").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Constraint, "{}", error.cause);
    }

    async fn a_lock_not_had_in_time_is_busy(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        db.execute("INSERT INTO t VALUES (1)");
        let mut holder = db.connect();
        holder.execute(if db.kind() == EngineKind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).unwrap();
        holder.execute("UPDATE t SET id = 2").unwrap();
        let mut session = open(&db).await;
        let began = Instant::now();
        let error = match session.begin().await {
            Err(error) => error,
            Ok(()) => execute(&mut session, "DELETE FROM t").await.unwrap_err(),
        };
        assert_eq!(error.kind, ErrorKind::Busy, "{}", error.cause);
        assert!(error.is_retryable());
        let waited = began.elapsed();
        assert!(waited > Duration::from_millis(900) && waited < Duration::from_secs(4), "{waited:?}");
        holder.execute("COMMIT").unwrap();
        session.rollback().await.unwrap();
        session.begin().await.unwrap();
        assert_eq!(execute(&mut session, "DELETE FROM t").await.unwrap(), 1);
        session.commit().await.unwrap();
    }

    async fn a_lock_released_in_time_is_waited_for(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let mut holder = db.connect();
        holder.execute(if db.kind() == EngineKind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).unwrap();
        holder.execute("INSERT INTO t VALUES (1)").unwrap();
        let release = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            holder.execute("COMMIT").unwrap();
        });
        let mut session = open(&db).await;
        session.begin().await.unwrap();
        let insert = execute(&mut session, "INSERT INTO t VALUES (1)").await;
        assert_eq!(insert.unwrap_err().kind, ErrorKind::Constraint);
        release.join().unwrap();
    }

    async fn a_dropped_call_makes_the_session_unusable(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let mut session = open(&db).await;
        {
            let takes_a_while = match db.kind() {
                EngineKind::Postgres => "SELECT pg_sleep(1)::text",
                EngineKind::MariaDb | EngineKind::MariaDbNoReturning => "SELECT CAST(SLEEP(1) AS CHAR)",
                EngineKind::Sqlite => {
                    "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300000) \
                     SELECT CAST(COUNT(*) AS TEXT) FROM s"
                }
            };
            let sql = plain(&session, takes_a_while);
            let call = session.query("a dropped query", &sql);
            // One poll: sent, not yet answered.
            tokio::select! {
                biased;
                _ = call => panic!("the query was answered at once"),
                () = std::future::ready(()) => {}
            }
        }
        let error = execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Lost);
        assert!(!session.is_open());
        assert_eq!(session.begin().await.unwrap_err().kind, ErrorKind::Lost);
        assert_eq!(db.column("SELECT id FROM t"), Vec::<String>::new());
    }

    async fn the_server_tells_the_time(db) {
        let mut session = open(&db).await;
        let skew = session.server_time().await.unwrap().duration_since(jiff::Timestamp::now());
        assert!(skew.as_secs().abs() < 5, "{skew:?}");
    }

    async fn what_the_engine_is_and_can(db) {
        let session = open(&db).await;
        let (engine, returning) = match db.kind() {
            EngineKind::Postgres => (Engine::Postgres, Returning::Yes),
            EngineKind::MariaDb => (Engine::MySql, Returning::Yes),
            EngineKind::MariaDbNoReturning => (Engine::MySql, Returning::No),
            EngineKind::Sqlite => (Engine::Sqlite, Returning::Yes),
        };
        assert_eq!((session.engine(), session.returning()), (engine, returning));
        // Calls can be spawned, as they must be.
        let mut session = session;
        tokio::spawn(async move { session.begin().await.unwrap() }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_is_busy_and_commits_nothing() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)");
        db.execute("INSERT INTO t VALUES (1, 0), (2, 0)");
        let source = Source { lock_timeout: Duration::from_secs(8), ..db.source() };
        let (mut first, mut second) = (Session::open(&source).await.unwrap(), Session::open(&source).await.unwrap());
        first.begin().await.unwrap();
        second.begin().await.unwrap();
        execute(&mut first, "UPDATE t SET n = 1 WHERE id = 1").await.unwrap();
        execute(&mut second, "UPDATE t SET n = 2 WHERE id = 2").await.unwrap();
        let (one, two) = tokio::join!(
            execute(&mut first, "UPDATE t SET n = 1 WHERE id = 2"),
            execute(&mut second, "UPDATE t SET n = 2 WHERE id = 1")
        );
        let (mut victim, error, mut winner, n) = match (one, two) {
            (Err(error), Ok(_)) => (first, error, second, "2"),
            (Ok(_), Err(error)) => (second, error, first, "1"),
            both => panic!("one must lose: {both:?}"),
        };
        assert_eq!(error.kind, ErrorKind::Busy, "{}", error.cause);
        assert_eq!(victim.commit().await.unwrap_err().kind, ErrorKind::Other);
        victim.rollback().await.unwrap();
        winner.commit().await.unwrap();
        assert_eq!(db.column("SELECT n FROM t ORDER BY id"), [n, n]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transactions_outcome_can_be_asked_for() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let (mut session, mut other) = (open(&db).await, open(&db).await);
    let mut id = String::new();
    for (commit, outcome) in [(true, TransactionOutcome::Committed), (false, TransactionOutcome::Aborted)] {
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap();
        id = session.transaction_mark().await.unwrap().unwrap();
        assert_eq!(other.transaction_outcome(&id).await.unwrap(), TransactionOutcome::InProgress);
        if commit {
            session.commit().await.unwrap()
        } else {
            session.rollback().await.unwrap()
        }
        assert_eq!(other.transaction_outcome(&id).await.unwrap(), outcome);
        db.execute("DELETE FROM t");
    }
    let incarnation = id.split_once('@').unwrap().1.to_owned();
    for never_given in ["99999999999", "9223372036854775807", "99999999999999999999", "not an id", "-1", "0", ""] {
        for id in [never_given.to_owned(), format!("{never_given}@{incarnation}")] {
            assert_eq!(other.transaction_outcome(&id).await.unwrap(), TransactionOutcome::Unknown, "{id}");
        }
    }
    let lite = Database::create(EngineKind::Sqlite);
    let mut session = open(&lite).await;
    assert_eq!(session.transaction_mark().await.unwrap(), None);
    assert_eq!(session.transaction_outcome("1").await.unwrap(), TransactionOutcome::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_constraint_refuses_the_commit_for_certain() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::Sqlite] {
        let db = Database::create(kind);
        db.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)");
        db.execute("CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)");
        db.execute("INSERT INTO parent VALUES (1)");
        db.execute("INSERT INTO child VALUES (1)");
        let mut session = open(&db).await;
        session.begin().await.unwrap();
        execute(&mut session, "DELETE FROM parent").await.unwrap();
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Constraint, "{}", error.cause);
        session.rollback().await.unwrap();
        assert!(session.is_open());
        assert_eq!(db.column("SELECT id FROM parent"), ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_durable_whatever_the_server_prefers() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    db.execute(&format!("ALTER DATABASE {} SET synchronous_commit = off", db.name()));
    let mut session = open(&db).await;
    assert_eq!(query(&mut session, "SHOW synchronous_commit").await.unwrap(), [[Some("on".to_owned())]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn d1_a_missing_sqlite_file_is_not_created() {
    let db = Database::create(EngineKind::Sqlite);
    let dir = db.path().parent().unwrap().to_owned();
    for name in ["missing.db", "odd ?mode=rwc#%20.db"] {
        let path = dir.join(name);
        let source = Source { endpoint: Endpoint::Sqlite { path: path.clone() }, ..db.source() };
        let Err(error) = Session::open(&source).await else { panic!("there is no such file") };
        assert_eq!(error.kind, ErrorKind::Connect);
        assert!(!path.exists());
        // The same name works once the file is there, so it was not refused for its looks.
        std::fs::copy(db.path(), &path).unwrap();
        Session::open(&source).await.unwrap();
    }
    for (name, content) in [("text.db", "this is no database, however long it may be made to look ".repeat(50))] {
        let path = dir.join(name);
        std::fs::write(&path, content).unwrap();
        let source = Source { endpoint: Endpoint::Sqlite { path }, ..db.source() };
        let Err(error) = Session::open(&source).await else { panic!("this is no database") };
        assert_eq!(error.kind, ErrorKind::Connect);
    }
    let source = Source { endpoint: Endpoint::Sqlite { path: dir }, ..db.source() };
    assert!(Session::open(&source).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_is_set_up_without_changing_journal_mode() {
    for mode in ["wal", "delete"] {
        let db = Database::create(EngineKind::Sqlite);
        db.execute(&format!("PRAGMA journal_mode = {mode}"));
        let mut session = open(&db).await;
        for (pragma, value) in
            [("journal_mode", mode), ("foreign_keys", "1"), ("synchronous", "2"), ("busy_timeout", "1000")]
        {
            let sql = if pragma == "busy_timeout" {
                "SELECT timeout FROM pragma_busy_timeout".to_owned()
            } else {
                format!("SELECT * FROM pragma_{pragma}")
            };
            assert_eq!(query(&mut session, &sql).await.unwrap(), [[Some(value.to_owned())]], "{pragma}");
        }
    }
}

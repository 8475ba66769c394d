//! How statements and connections end before their time: timeouts, cancellation, servers that die or hang.

use std::time::{Duration, Instant};

use retaind::policy::Source;
use retaind::sources::{ErrorKind, Session, TransactionOutcome};

use super::{SERVERS, execute, open, query};
use crate::engines::{Database, EngineKind, Server, ServerOptions};
use crate::needs::Need;

/// What keeps a statement busy for so many seconds.
fn slow(db: &Database, secs: u32) -> String {
    match db.kind() {
        EngineKind::Postgres => format!("SELECT pg_sleep({secs})::text"),
        // SLEEP would answer that it was interrupted; a scan fails, as a real statement does.
        _ => format!("SELECT CAST(COUNT(*) AS CHAR) FROM seq_1_to_1000000000 AS s WHERE seq % 7 = {secs}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_takes_too_long_times_out() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        let source = Source { statement_timeout: Duration::from_millis(300), ..db.source() };
        let mut session = Session::open(&source).await.unwrap();
        let began = Instant::now();
        let error = query(&mut session, &slow(&db, 10)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout, "{}", error.cause);
        assert!(began.elapsed() < Duration::from_secs(2));
        assert_eq!(query(&mut session, "SELECT 'next'").await.unwrap(), [[Some("next".to_owned())]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_a_cancelled_statement_ends_and_its_session_lives() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        let mut session = open(&db).await;
        let canceller = session.canceller();
        canceller.cancel().await;
        for round in 0..5 {
            let slow = slow(&db, 10);
            let call = tokio::spawn(async move {
                let result = query(&mut session, &slow).await;
                (session, result)
            });
            tokio::time::sleep(Duration::from_millis(100)).await;
            let began = Instant::now();
            canceller.cancel().await;
            let (back, result) = call.await.unwrap();
            session = back;
            let error = result.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.cause);
            assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
            let answer = query(&mut session, &format!("SELECT 'round {round}'")).await.unwrap();
            assert_eq!(answer, [[Some(format!("round {round}"))]]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_never_hits_the_statement_after() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        let mut session = open(&db).await;
        let canceller = session.canceller();
        let stop = tokio_util::sync::CancellationToken::new();
        let attacker = tokio::spawn({
            let stop = stop.clone();
            async move {
                while !stop.is_cancelled() {
                    canceller.cancel().await;
                    tokio::time::sleep(Duration::from_micros(300)).await;
                }
            }
        });
        let mut cancelled = 0;
        for round in 0..300 {
            match query(&mut session, &format!("SELECT 'round {round}'")).await {
                Ok(rows) => assert_eq!(rows, [[Some(format!("round {round}"))]]),
                Err(error) => {
                    assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.cause);
                    cancelled += 1;
                }
            }
        }
        stop.cancel();
        attacker.await.unwrap();
        assert!(cancelled < 300);
        for _ in 0..20 {
            query(&mut session, "SELECT 'calm'").await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_lost_then_found() {
    needs!(Need::Server);
    for kind in SERVERS {
        let server = Server::start(kind, ServerOptions::default());
        let db = Database::on(&server);
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let mut session = open(&db).await;
        session.begin().await.unwrap();
        execute(&mut session, "INSERT INTO t VALUES (1)").await.unwrap();
        let id = session.transaction_mark().await.unwrap();
        server.kill();
        let error = session.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Lost, "{}", error.cause);
        assert!(!session.is_open());
        let Err(error) = Session::open(&db.source()).await else { panic!("nobody listens") };
        assert_eq!(error.kind, ErrorKind::Connect);
        assert!(error.to_string().contains("user retaind"), "{error}");
        server.restart();
        let mut session = open(&db).await;
        assert_eq!(db.column("SELECT id FROM t"), Vec::<String>::new());
        if let Some(id) = id.filter(|_| kind == EngineKind::Postgres) {
            // Ids that were not written to disk before the crash are given out again: their status is another's.
            assert_eq!(session.transaction_outcome(&id).await.unwrap(), TransactionOutcome::Unknown);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_connection_is_lost() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        let mut session = open(&db).await;
        let own_id =
            if kind == EngineKind::Postgres { "pg_backend_pid()::text" } else { "CAST(CONNECTION_ID() AS CHAR)" };
        let id = query(&mut session, &format!("SELECT {own_id}")).await.unwrap()[0][0].clone().unwrap();
        session.begin().await.unwrap();
        let kill = if kind == EngineKind::Postgres {
            format!("SELECT pg_terminate_backend({id})")
        } else {
            format!("KILL {id}")
        };
        db.connect_as_superuser().execute(&kill).unwrap();
        let error = execute(&mut session, "SELECT 1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Lost, "{}", error.cause);
        assert_eq!(session.commit().await.unwrap_err().kind, ErrorKind::Other);
    }
}

async fn a_server_that_hangs_is_given_up(kind: EngineKind) {
    let server = Server::start(kind, ServerOptions::default());
    let db = Database::on(&server);
    let source = Source {
        statement_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_millis(500),
        ..db.source()
    };
    let mut session = Session::open(&source).await.unwrap();
    server.freeze();
    let Err(error) = Session::open(&source).await else { panic!("it hangs") };
    assert_eq!(error.kind, ErrorKind::Connect);
    let began = Instant::now();
    let error = query(&mut session, "SELECT 'x'").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Lost, "{}", error.cause);
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    server.thaw();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_server_is_given_up_on_postgres() {
    needs!(Need::Server);
    a_server_that_hangs_is_given_up(EngineKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_server_is_given_up_on_mariadb() {
    needs!(Need::Server);
    a_server_that_hangs_is_given_up(EngineKind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_cancelled_elsewhere_is_an_error() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        let mut session = open(&db).await;
        let (own_id, kill) = match kind {
            EngineKind::Postgres => ("pg_backend_pid()::text", "SELECT pg_cancel_backend("),
            _ => ("CAST(CONNECTION_ID() AS CHAR)", "SELECT 0; KILL QUERY ("),
        };
        let id = query(&mut session, &format!("SELECT {own_id}")).await.unwrap()[0][0].clone().unwrap();
        let slow = slow(&db, 10);
        let call = tokio::spawn(async move { query(&mut session, &slow).await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        db.connect_as_superuser().execute(&format!("{kill}{id})")).unwrap();
        let error = call.await.unwrap().unwrap_err();
        assert_eq!(error.kind, ErrorKind::Other, "{}", error.cause);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_locked_sqlite_file_is_busy() {
    let db = Database::create(EngineKind::Sqlite);
    db.execute("PRAGMA journal_mode = delete");
    let mut holder = db.connect();
    holder.execute("BEGIN EXCLUSIVE").unwrap();
    let Err(error) = Session::open(&db.source()).await else { panic!("it is locked") };
    assert_eq!(error.kind, ErrorKind::Busy, "{}", error.cause);
    holder.execute("COMMIT").unwrap();
    open(&db).await;
}

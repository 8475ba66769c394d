//! TLS to the servers: who is trusted, and who is not.

use std::path::PathBuf;

use retaind::policy::{Engine, Tls, TlsMode};
use retaind::sources::{ErrorKind, Session, SourceError};

use crate::engines::{Authority, Database, EngineKind, Server, ServerOptions};
use crate::needs::Need;

struct Secured {
    authority: Authority,
    /// Its certificate is for "localhost".
    db: Database,
}

fn start(kind: EngineKind) -> Secured {
    let authority = Authority::create();
    let options = ServerOptions { tls: Some((authority.clone(), "localhost".to_owned())), ..Default::default() };
    let db = Database::on(&Server::start(kind, options));
    Secured { authority, db }
}

impl Secured {
    async fn open(&self, host: &str, mode: TlsMode, root_cert: Option<PathBuf>) -> Result<Session, SourceError> {
        Session::open(&self.db.source_over_tcp(host, Tls { mode, root_cert })).await
    }

    async fn refused(&self, host: &str, mode: TlsMode, root_cert: Option<PathBuf>, why: &str) {
        let Err(error) = self.open(host, mode, root_cert).await else { panic!("{mode:?} to {host} was let through") };
        assert_eq!(error.kind, ErrorKind::Connect);
        let chain = chain(&error);
        assert!(chain.to_lowercase().contains(why), "{mode:?} to {host}: {chain}");
        assert!(!chain.contains("secret"), "{chain}");
    }
}

/// The error with all its causes.
fn chain(error: &SourceError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn cipher(session: &mut Session) -> String {
    let mut sql = session.sql();
    sql.push(match session.engine() {
        Engine::Postgres => "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
        _ => "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'",
    });
    let rows = session.query("asking for the cipher", &sql).await.unwrap();
    rows[0].0[0].clone().unwrap_or_default()
}

async fn tls_is_as_strict_as_asked(kind: EngineKind) {
    let secured = start(kind);
    let own = Some(secured.authority.root_cert());
    let stranger = Some(Authority::create().root_cert());
    for mode in [TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let mut session =
            secured.open("localhost", mode, own.clone()).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_ne!(cipher(&mut session).await, "", "{mode:?}");
    }
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        secured.refused("localhost", mode, stranger.clone(), "invalid peer certificate").await;
        secured.refused("localhost", mode, None, "").await;
        let missing = Some(PathBuf::from("/nonexistent/ca.pem"));
        secured.refused("localhost", mode, missing, "cannot be read").await;
    }
    secured.refused("127.0.0.1", TlsMode::VerifyFull, own.clone(), "not valid for name").await;
    if kind == EngineKind::Postgres {
        secured.open("127.0.0.1", TlsMode::VerifyCa, own).await.unwrap();
        // pg_hba.conf has no line for a connection without TLS.
        secured.refused("127.0.0.1", TlsMode::Disable, None, "pg_hba.conf").await;
    } else {
        let mut session = secured.open("127.0.0.1", TlsMode::Disable, None).await.unwrap();
        assert_eq!(cipher(&mut session).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_as_strict_as_asked_on_postgres() {
    needs!(Need::Server);
    tls_is_as_strict_as_asked(EngineKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_as_strict_as_asked_on_mariadb() {
    needs!(Need::Server);
    tls_is_as_strict_as_asked(EngineKind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_through_tls() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let secured = start(kind);
        let mut session =
            secured.open("localhost", TlsMode::VerifyFull, Some(secured.authority.root_cert())).await.unwrap();
        let canceller = session.canceller();
        let call = tokio::spawn(async move {
            let mut sql = session.sql();
            sql.push(match session.engine() {
                Engine::Postgres => "SELECT pg_sleep(10)::text",
                _ => "SELECT CAST(COUNT(*) AS CHAR) FROM seq_1_to_1000000000 AS s WHERE seq % 7 = 9",
            });
            let error = session.query("a long query", &sql).await.unwrap_err();
            (session, error)
        });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let began = std::time::Instant::now();
        canceller.cancel().await;
        let (mut session, error) = call.await.unwrap();
        assert_eq!(error.kind, ErrorKind::Cancelled, "{}", error.cause);
        assert!(began.elapsed() < std::time::Duration::from_secs(1));
        assert_ne!(cipher(&mut session).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_serves_only_prefer() {
    needs!(Need::Server);
    let authority = Authority::create();
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let off = if kind == EngineKind::Postgres { "ssl=off" } else { "skip-ssl" };
        let options = ServerOptions {
            tls: Some((authority.clone(), "localhost".to_owned())),
            settings: vec![off.to_owned()],
            ..Default::default()
        };
        let secured = Secured { authority: authority.clone(), db: Database::on(&Server::start(kind, options)) };
        if kind == EngineKind::MariaDb {
            let mut session = secured.open("localhost", TlsMode::Prefer, None).await.unwrap();
            assert_eq!(cipher(&mut session).await, "");
        }
        secured
            .refused("localhost", TlsMode::Require, None, if kind == EngineKind::Postgres { "tls" } else { "ssl" })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_not_repeated() {
    needs!(Need::Server);
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
        let secured = start(kind);
        let mut source = secured.db.source_over_tcp("localhost", Tls::default());
        match &mut source.endpoint {
            retaind::policy::Endpoint::Postgres(server) | retaind::policy::Endpoint::MySql(server) => {
                server.password = Some(retaind::policy::Secret::new("hunter2".to_owned()));
            }
            retaind::policy::Endpoint::Sqlite { .. } => unreachable!(),
        }
        let Err(error) = Session::open(&source).await else { panic!("the password is wrong") };
        assert_eq!(error.kind, ErrorKind::Connect);
        let told = format!("{} {error:?} {source:?}", chain(&error));
        assert!(told.contains("password") && !told.contains("hunter2"), "{told}");
    }
}

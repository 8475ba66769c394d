//! What a login may do, and what is said to the one who may not.

use retaind::sources::{ErrorKind, Privilege, Privileges, Session};

use super::catalog::{facts, schema};
use super::{SERVERS, open};
use crate::engines::{Client, Database, EngineKind};
use crate::needs::Need;

for_each_engine! {
    async fn the_owner_may_do_everything(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        db.execute("INSERT INTO t VALUES (1)");
        let mut session = open(&db).await;
        let facts = facts(&mut session, "t").await;
        let privileges = Privileges::load(&mut session, &facts).await.unwrap();
        assert_eq!(privileges, Privileges { select: true, delete: true, update: true, schema: true });
        // Asking has changed nothing.
        assert_eq!(db.column("SELECT id FROM t"), ["1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_login_is_told_what_it_lacks() {
    needs!(Need::Server);
    for kind in SERVERS {
        let db = Database::create(kind);
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        let user = format!("limited_{}", db.name());
        let (mut superuser, login) = (db.connect_as_superuser(), login(&db, &user));
        let run =
            |superuser: &mut Client, sql: &str| superuser.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        if kind == EngineKind::Postgres {
            run(&mut superuser, &format!("CREATE ROLE {user} LOGIN"));
            run(&mut superuser, "REVOKE ALL ON SCHEMA public FROM PUBLIC");
            run(&mut superuser, &format!("GRANT SELECT ON t TO {login}"));
        } else {
            run(&mut superuser, &format!("CREATE USER {login}"));
            run(&mut superuser, &format!("GRANT SELECT ON {}.t TO {login}", db.name()));
        }
        let mut source = db.source();
        match &mut source.endpoint {
            retaind::policy::Endpoint::Postgres(server) | retaind::policy::Endpoint::MySql(server) => {
                server.user = user.clone()
            }
            retaind::policy::Endpoint::Sqlite { .. } => unreachable!(),
        }
        let mut session = Session::open(&source).await.unwrap();
        let facts = facts(&mut session, &format!("{}.t", schema(&db))).await;
        let needs = [Privilege::Select, Privilege::Delete];
        let before = Privileges::load(&mut session, &facts).await.unwrap();
        assert!(!before.missing(&needs).is_empty() && !before.update, "{before:?}");
        let mut sql = session.sql();
        sql.push("DELETE FROM ").table(&facts.name);
        let error = session.execute("a delete", &sql).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Permission, "{}", error.cause);
        // The hint, run as it stands, mends it.
        let who = session.user().unwrap();
        assert_eq!(who, login);
        let hint = before.grant_hint(session.engine(), &facts.name, who, &needs).unwrap();
        run(&mut superuser, &hint);
        let mut session = Session::open(&source).await.unwrap();
        let after = Privileges::load(&mut session, &facts).await.unwrap();
        assert_eq!((after.missing(&needs), after.missing(&[Privilege::Update])), (vec![], vec![Privilege::Update]));
        assert_eq!(session.execute("a delete", &sql).await.unwrap(), 0);
        drop(session);
        if kind == EngineKind::Postgres {
            run(&mut superuser, &format!("DROP OWNED BY {user}; DROP ROLE {user}"));
        } else {
            run(&mut superuser, &format!("DROP USER {login}"));
        }
    }
}

fn login(db: &Database, user: &str) -> String {
    if db.kind() == EngineKind::Postgres { user.to_owned() } else { format!("{user}@localhost") }
}

#[tokio::test(flavor = "multi_thread")]
async fn d7_hidden_rows_are_an_error_not_absent() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    db.execute(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY a_few ON t USING (id = 1)",
    );
    let mut session = open(&db).await;
    let mut sql = session.sql();
    sql.push("SELECT id::text FROM t");
    let error = session.query("a select", &sql).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permission, "{}", error.cause);
}

/// Names a file on a read-only mount, for the test that runs itself again in a namespace that has one.
const READ_ONLY: &str = "RETAIND_TEST_READ_ONLY_FILE";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_from_a_read_only_sqlite_file() {
    needs!(Need::Root);
    match std::env::var_os(READ_ONLY) {
        None => run_again_on_a_read_only_mount(),
        Some(path) => nothing_can_be_deleted_from(path.into()).await,
    }
}

/// Permissions do not bind root, a read-only mount does; in a namespace of its own nobody else sees it.
fn run_again_on_a_read_only_mount() {
    let db = Database::create(EngineKind::Sqlite);
    db.execute("PRAGMA journal_mode = delete; CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let dir = db.path().parent().unwrap();
    let mount = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && exec \"$2\" --exact \"$3\"";
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mount])
        .args(["sh".as_ref(), dir.as_os_str(), std::env::current_exe().unwrap().as_os_str()])
        .arg("sources::privileges::nothing_goes_from_a_read_only_sqlite_file")
        .env(READ_ONLY, db.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

async fn nothing_can_be_deleted_from(path: std::path::PathBuf) {
    let endpoint = retaind::policy::Endpoint::Sqlite { path };
    let source = retaind::policy::Source { endpoint, ..Database::create(EngineKind::Sqlite).source() };
    let mut session = Session::open(&source).await.unwrap();
    let facts = facts(&mut session, "t").await;
    let privileges = Privileges::load(&mut session, &facts).await.unwrap();
    assert_eq!(privileges.missing(&[Privilege::Select, Privilege::Delete]), [Privilege::Delete]);
    let mut sql = session.sql();
    sql.push("DELETE FROM t");
    let error = session.execute("a delete", &sql).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ReadOnly, "{}", error.cause);
}

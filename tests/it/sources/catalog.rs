//! The catalog's facts, and the login's privileges.

use retaind::policy::{Ident, TableName};
use retaind::sources::{
    Column, ColumnType, ErrorKind, InboundForeignKey, IndexFacts, OnDelete, Privilege, Privileges, Session, TableFacts,
};

use super::open;
use crate::engines::{Client, Database, EngineKind};

fn table(text: &str) -> TableName {
    TableName::parse(text).unwrap()
}

fn ident(text: &str) -> Ident {
    Ident::parse(text).unwrap()
}

async fn facts(session: &mut Session, name: &str) -> TableFacts {
    TableFacts::load(session, &table(name)).await.unwrap().unwrap_or_else(|| panic!("there is a {name}"))
}

fn column<'a>(facts: &'a TableFacts, name: &str) -> &'a Column {
    facts.columns.iter().find(|column| column.name.as_str() == name).unwrap_or_else(|| panic!("there is a {name}"))
}

fn names(idents: &[Ident]) -> Vec<&str> {
    idents.iter().map(Ident::as_str).collect()
}

fn index<'a>(facts: &'a TableFacts, name: &str) -> Option<&'a IndexFacts> {
    facts.indexes.iter().find(|index| index.name == name)
}

/// The schema that an unqualified name resolves to.
fn schema(db: &Database) -> String {
    if db.kind() == EngineKind::Postgres { "public".to_owned() } else { db.name().to_owned() }
}

for_each_engine! {
    async fn hostile_names_are_found_exactly(db) {
        let quote = |name: &str| match db.kind() {
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => format!("`{}`", name.replace('`', "``")),
            _ => format!("\"{}\"", name.replace('"', "\"\"")),
        };
        for name in ["order", "MixedCase", "a b.c", "qu\"o`te's", "ünï"] {
            db.execute(&format!(
                "CREATE TABLE {} ({} INTEGER NOT NULL PRIMARY KEY, {} VARCHAR(20))",
                quote(name), quote("select"), quote("Col\"umn`")
            ));
            let mut session = open(&db).await;
            let wanted = TableName { schema: None, table: ident(name) };
            let facts = TableFacts::load(&mut session, &wanted).await.unwrap().unwrap();
            assert_eq!(facts.name, TableName { schema: Some(ident(&schema(&db))), table: ident(name) });
            assert_eq!(facts.relation, "table");
            assert_eq!(names(&facts.key), ["select"]);
            assert!(!column(&facts, "select").nullable && column(&facts, "Col\"umn`").nullable);
            // What the catalog resolved can be used as it is.
            let again = TableFacts::load(&mut session, &facts.name).await.unwrap().unwrap();
            assert_eq!(again.name, facts.name);
            let mut sql = session.sql();
            sql.push("DELETE FROM ").table(&facts.name).push(" WHERE ").ident(&facts.key[0]).push(" = 1");
            assert_eq!(session.execute("a delete", &sql).await.unwrap(), 0);
        }
    }

    async fn what_is_not_there_is_none(db) {
        db.execute("CREATE TABLE events (id INTEGER PRIMARY KEY)");
        let mut session = open(&db).await;
        for missing in ["event", "nowhere.events", "\"events \"", "\"e' OR '1'='1\""] {
            assert!(TableFacts::load(&mut session, &table(missing)).await.unwrap().is_none(), "{missing}");
        }
        let other_case = TableFacts::load(&mut session, &table("EVENTS")).await.unwrap();
        assert_eq!(other_case.map(|facts| facts.name.table), (db.kind() == EngineKind::Sqlite).then(|| ident("events")));
    }

    async fn a_view_is_told_from_a_table(db) {
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)");
        db.execute("CREATE VIEW v AS SELECT id FROM t");
        let mut session = open(&db).await;
        let view = facts(&mut session, "v").await;
        assert_eq!(view.relation, "view");
        assert!(view.key.is_empty() && view.indexes.is_empty() && !view.has_rowid);
        assert_eq!(facts(&mut session, "t").await.has_rowid, db.kind() == EngineKind::Sqlite);
    }

    async fn d14_the_key_is_the_primary_one_or_certainly_unique(db) {
        db.execute("CREATE TABLE pair (a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER UNIQUE, PRIMARY KEY (b, a))");
        db.execute("CREATE TABLE uni (a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, d INTEGER, \
                    UNIQUE (a, b), UNIQUE (c), UNIQUE (d))");
        db.execute("CREATE TABLE nullable (a INTEGER, b INTEGER NOT NULL, UNIQUE (a), UNIQUE (a, b))");
        db.execute("CREATE TABLE keyless (a INTEGER NOT NULL)");
        db.execute("CREATE INDEX keyless_a ON keyless (a)");
        let mut session = open(&db).await;
        for (name, key) in [("pair", vec!["b", "a"]), ("uni", vec!["c"]), ("nullable", vec![]), ("keyless", vec![])] {
            assert_eq!(names(&facts(&mut session, name).await.key), key, "{name}");
        }
    }

    async fn indexes_count_where_a_range_can_use_them(db) {
        db.execute("CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY, at TIMESTAMP NOT NULL, name VARCHAR(50), n INTEGER)");
        db.execute("CREATE INDEX by_at ON t (at, n)");
        db.execute("CREATE INDEX backwards ON t (at DESC)");
        db.execute("CREATE UNIQUE INDEX by_name ON t (name, id)");
        match db.kind() {
            EngineKind::Postgres => {
                db.execute("CREATE INDEX partial ON t (n) WHERE n > 3");
                db.execute("CREATE INDEX expression ON t (lower(name))");
                db.execute("CREATE INDEX hashed ON t USING hash (n)");
                db.execute("CREATE INDEX pattern ON t (name text_pattern_ops)");
                db.execute("CREATE INDEX covering ON t (n) INCLUDE (name)");
                db.execute("CREATE INDEX mixed ON t (n, at DESC)");
            }
            EngineKind::Sqlite => {
                db.execute("CREATE INDEX partial ON t (n) WHERE n > 3");
                db.execute("CREATE INDEX expression ON t (lower(name))");
                db.execute("CREATE INDEX pattern ON t (name COLLATE NOCASE)");
                db.execute("CREATE INDEX mixed ON t (n, at DESC)");
            }
            EngineKind::MariaDb | EngineKind::MariaDbNoReturning => {
                db.execute("CREATE INDEX pattern ON t (name(5))");
                db.execute("CREATE FULLTEXT INDEX expression ON t (name)");
            }
        }
        let mut session = open(&db).await;
        let facts = facts(&mut session, "t").await;
        let columns = |name: &str| index(&facts, name).map(|index| names(&index.columns));
        assert_eq!(columns("by_at"), Some(vec!["at", "n"]));
        assert_eq!(columns("backwards"), Some(vec!["at"]));
        assert!(index(&facts, "by_name").unwrap().unique && !index(&facts, "by_at").unwrap().unique);
        assert!(facts.indexes.iter().any(|index| names(&index.columns) == ["id"] && index.unique));
        for unfit in ["partial", "expression", "hashed", "pattern"] {
            assert_eq!(index(&facts, unfit), None, "{unfit}");
        }
        if db.kind() == EngineKind::Postgres {
            assert_eq!(columns("covering"), Some(vec!["n"]));
        }
        if matches!(db.kind(), EngineKind::Postgres | EngineKind::Sqlite) {
            assert_eq!(columns("mixed"), Some(vec!["n"]));
        }
    }

    async fn generated_columns_are_marked(db) {
        db.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER DEFAULT 3, \
             twice INTEGER GENERATED ALWAYS AS (n * 2) STORED)",
        );
        let mut session = open(&db).await;
        let facts = facts(&mut session, "t").await;
        let generated: Vec<_> = facts.columns.iter().map(|column| (column.name.as_str(), column.generated)).collect();
        assert_eq!(generated, [("id", false), ("n", false), ("twice", true)]);
    }

    async fn what_points_to_a_table_is_known(db) {
        db.execute("CREATE TABLE events (id INTEGER NOT NULL, site INTEGER NOT NULL, PRIMARY KEY (site, id))");
        db.execute("CREATE TABLE cameras (id INTEGER NOT NULL PRIMARY KEY)");
        db.execute("CREATE TABLE a (event INTEGER, site INTEGER, FOREIGN KEY (site, event) REFERENCES events (site, id) ON DELETE CASCADE)");
        db.execute("CREATE TABLE b (event INTEGER, site INTEGER, FOREIGN KEY (site, event) REFERENCES events (site, id) ON DELETE SET NULL)");
        db.execute("CREATE TABLE c (camera INTEGER, FOREIGN KEY (camera) REFERENCES cameras (id))");
        let mut session = open(&db).await;
        let expected = |name: &str, on_delete| InboundForeignKey {
            table: TableName { schema: Some(ident(&schema(&db))), table: ident(name) },
            columns: vec![ident("site"), ident("event")],
            referenced: vec![ident("site"), ident("id")],
            on_delete,
        };
        let events = facts(&mut session, "events").await;
        assert_eq!(
            InboundForeignKey::load(&mut session, &events).await.unwrap(),
            [expected("a", OnDelete::Cascade), expected("b", OnDelete::SetNull)]
        );
        let cameras = facts(&mut session, "cameras").await;
        let inbound = InboundForeignKey::load(&mut session, &cameras).await.unwrap();
        assert_eq!(inbound.len(), 1);
        assert_eq!((names(&inbound[0].referenced), inbound[0].on_delete), (vec!["id"], OnDelete::Forbid));
        let unreferenced = facts(&mut session, "a").await;
        assert_eq!(InboundForeignKey::load(&mut session, &unreferenced).await.unwrap(), []);
    }

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

fn kinds(facts: &TableFacts) -> Vec<(&str, &str, ColumnType)> {
    facts.columns.iter().map(|column| (column.name.as_str(), column.declared.as_str(), column.kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_told_apart_on_postgres() {
    let db = Database::create(EngineKind::Postgres);
    db.execute("CREATE DOMAIN moment AS timestamptz NOT NULL");
    db.execute("CREATE DOMAIN instant AS moment");
    db.execute("CREATE TYPE mood AS ENUM ('ok')");
    db.execute(
        "CREATE TABLE t (a timestamptz, b timestamp(3), c date, d bigserial, e varchar(9), f uuid, g bytea, h instant, \
         i mood, j smallint, k text[], l numeric(5,2))",
    );
    db.execute("ALTER TABLE t DROP COLUMN l");
    let mut session = open(&db).await;
    let facts = facts(&mut session, "t").await;
    assert_eq!(
        kinds(&facts),
        [
            ("a", "timestamp with time zone", ColumnType::TimestampTz),
            ("b", "timestamp(3) without time zone", ColumnType::Timestamp),
            ("c", "date", ColumnType::Date),
            ("d", "bigint", ColumnType::Integer),
            ("e", "character varying(9)", ColumnType::Text),
            ("f", "uuid", ColumnType::Uuid),
            ("g", "bytea", ColumnType::Binary),
            ("h", "instant", ColumnType::TimestampTz),
            ("i", "mood", ColumnType::Other),
            ("j", "smallint", ColumnType::Integer),
            ("k", "text[]", ColumnType::Other),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_told_apart_on_mariadb() {
    let db = Database::create(EngineKind::MariaDb);
    db.execute(
        "CREATE TABLE t (a TIMESTAMP(6) NULL, b DATETIME(3), c DATE, d BIGINT UNSIGNED, e VARCHAR(9), f UUID, \
         g VARBINARY(16), h ENUM('x'), i MEDIUMTEXT, j DECIMAL(5,2))",
    );
    let mut session = open(&db).await;
    let facts = facts(&mut session, "t").await;
    assert_eq!(
        kinds(&facts),
        [
            ("a", "timestamp(6)", ColumnType::TimestampTz),
            ("b", "datetime(3)", ColumnType::Timestamp),
            ("c", "date", ColumnType::Date),
            ("d", "bigint(20) unsigned", ColumnType::Integer),
            ("e", "varchar(9)", ColumnType::Text),
            ("f", "uuid", ColumnType::Uuid),
            ("g", "varbinary(16)", ColumnType::Binary),
            ("h", "enum('x')", ColumnType::Other),
            ("i", "mediumtext", ColumnType::Text),
            ("j", "decimal(5,2)", ColumnType::Other),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_the_search_path_decide_on_postgres() {
    let db = Database::create(EngineKind::Postgres);
    db.execute("CREATE SCHEMA \"Old Data\"; CREATE TABLE \"Old Data\".t (x int PRIMARY KEY); CREATE TABLE t (y int)");
    let mut session = open(&db).await;
    let qualified = facts(&mut session, "\"Old Data\".t").await;
    assert_eq!((qualified.name.to_string().as_str(), names(&qualified.key)), ("Old Data.t", vec!["x"]));
    assert_eq!(facts(&mut session, "t").await.name.to_string(), "public.t");
    db.execute(&format!("ALTER DATABASE {} SET search_path = \"Old Data\", public", db.name()));
    let mut session = open(&db).await;
    assert_eq!(facts(&mut session, "t").await.name.to_string(), "Old Data.t");
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_of_every_kind_are_named_on_postgres() {
    let db = Database::create(EngineKind::Postgres);
    db.execute(
        "CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
         CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); \
         CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE heir () INHERITS (parent); \
         CREATE MATERIALIZED VIEW mat AS SELECT 1 AS one; CREATE SEQUENCE seq; \
         CREATE TABLE pointing (id int, at date, FOREIGN KEY (id, at) REFERENCES parts ON DELETE SET DEFAULT)",
    );
    let mut superuser = db.connect_as_superuser();
    superuser
        .execute(
            "CREATE EXTENSION IF NOT EXISTS file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; \
             CREATE FOREIGN TABLE outside (id int) SERVER files OPTIONS (filename '/dev/null')",
        )
        .unwrap();
    let mut session = open(&db).await;
    for (name, relation, key) in [
        ("parts", "partitioned table", vec!["id", "at"]),
        ("part1", "table", vec!["id", "at"]),
        ("parent", "table that others inherit from", vec!["id"]),
        ("heir", "table", vec![]),
        ("mat", "materialized view", vec![]),
        ("seq", "sequence", vec![]),
        ("outside", "foreign table", vec![]),
    ] {
        let facts = facts(&mut session, name).await;
        assert_eq!((facts.relation.as_str(), names(&facts.key)), (relation, key), "{name}");
    }
    let parts = facts(&mut session, "parts").await;
    let inbound = InboundForeignKey::load(&mut session, &parts).await.unwrap();
    assert_eq!(
        inbound.iter().map(|key| (key.table.to_string(), key.on_delete)).collect::<Vec<_>>(),
        [("public.pointing".to_owned(), OnDelete::SetDefault)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_be_violated_for_a_while_is_none_on_postgres() {
    let db = Database::create(EngineKind::Postgres);
    db.execute("CREATE TABLE t (id int NOT NULL, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)");
    let mut session = open(&db).await;
    assert!(facts(&mut session, "t").await.key.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_of_every_kind_are_named_on_mariadb() {
    let db = Database::create(EngineKind::MariaDb);
    db.execute("CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY HASH (id) PARTITIONS 2");
    db.execute("CREATE TABLE old (id INT PRIMARY KEY) ENGINE = MyISAM");
    db.execute("CREATE TABLE versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING");
    db.execute("CREATE TABLE cased (id INT); CREATE TABLE Cased (id INT PRIMARY KEY, n INT)");
    let other = Database::create(EngineKind::MariaDb);
    other.execute("CREATE TABLE parts (id INT PRIMARY KEY)");
    let mut session = open(&db).await;
    for (name, relation) in [
        ("parts", "partitioned table"),
        ("old", "MyISAM table without transactions"),
        ("versioned", "system-versioned table"),
        (&format!("{}.parts", other.name()), "table"),
    ] {
        assert_eq!(facts(&mut session, name).await.relation, relation, "{name}");
    }
    let (lower, upper) = (facts(&mut session, "cased").await, facts(&mut session, "Cased").await);
    assert_eq!((lower.columns.len(), lower.key.len()), (1, 0));
    assert_eq!((upper.columns.len(), names(&upper.key)), (2, vec!["id"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_kinds_of_sqlite() {
    let db = Database::create(EngineKind::Sqlite);
    db.execute(
        "CREATE TABLE alias (id INTEGER PRIMARY KEY, at TIMESTAMP, day DATE, path TEXT, loose); \
         CREATE TABLE named (id VARCHAR(20) PRIMARY KEY, n INTEGER); \
         CREATE TABLE descending (id INTEGER PRIMARY KEY DESC); \
         CREATE TABLE bare (id TEXT, site TEXT, PRIMARY KEY (site, id)) WITHOUT ROWID; \
         CREATE VIRTUAL TABLE search USING fts5(body); \
         CREATE TABLE points (named TEXT REFERENCES named ON DELETE CASCADE)",
    );
    let mut session = open(&db).await;
    let alias = facts(&mut session, "main.ALIAS").await;
    assert_eq!(alias.name.to_string(), "main.alias");
    assert!(
        !column(&alias, "id").nullable && index(&alias, "rowid").is_some_and(|index| names(&index.columns) == ["id"])
    );
    let found: Vec<_> = kinds(&alias).into_iter().map(|(.., kind)| kind).collect();
    let instant = ColumnType::SqliteDateTime;
    assert_eq!(found, [ColumnType::Integer, instant, instant, ColumnType::Text, ColumnType::Other]);
    for (name, key, has_rowid, rowid_index) in [
        ("alias", vec!["id"], true, true),
        ("named", vec!["id"], true, false),
        ("descending", vec!["id"], true, false),
        ("bare", vec!["site", "id"], false, false),
    ] {
        let facts = facts(&mut session, name).await;
        let found = (names(&facts.key), facts.has_rowid, index(&facts, "rowid").is_some());
        assert_eq!(found, (key, has_rowid, rowid_index), "{name}");
    }
    let search = facts(&mut session, "search").await;
    assert!(!search.relation.ends_with("table") && !search.has_rowid, "{}", search.relation);
    let named = facts(&mut session, "named").await;
    let inbound = InboundForeignKey::load(&mut session, &named).await.unwrap();
    assert_eq!((names(&inbound[0].referenced), inbound[0].on_delete), (vec!["id"], OnDelete::Cascade));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_login_is_told_what_it_lacks() {
    for kind in [EngineKind::Postgres, EngineKind::MariaDb] {
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
        let who = if kind == EngineKind::Postgres { user.clone() } else { format!("{user}@localhost") };
        let hint = before.grant_hint(session.engine(), &facts.name, &who, &needs).unwrap();
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
async fn d7_rows_hidden_by_row_security_are_an_error_and_not_absent() {
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

/// Names a file that the process under test finds on a read-only mount.
const READ_ONLY: &str = "RETAIND_TEST_READ_ONLY_FILE";

#[test]
fn a_read_only_sqlite_file_is_no_file_to_delete_from() {
    let db = Database::create(EngineKind::Sqlite);
    db.execute("PRAGMA journal_mode = delete; CREATE TABLE t (id INTEGER PRIMARY KEY)");
    let dir = db.path().parent().unwrap();
    // Permissions do not bind root, a read-only mount does; in a namespace of its own nobody else sees it.
    let output = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c"])
        .arg("mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && exec \"$2\" --ignored --exact \"$3\"")
        .args(["sh".as_ref(), dir.as_os_str(), std::env::current_exe().unwrap().as_os_str()])
        .arg("sources::catalog::on_a_read_only_mount")
        .env(READ_ONLY, db.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by a_read_only_sqlite_file_is_no_file_to_delete_from, in a namespace of its own"]
async fn on_a_read_only_mount() {
    let Some(path) = std::env::var_os(READ_ONLY) else { return };
    let endpoint = retaind::policy::Endpoint::Sqlite { path: path.into() };
    let source = retaind::policy::Source { endpoint, ..Database::create(EngineKind::Sqlite).source() };
    let mut session = Session::open(&source).await.unwrap();
    let facts = facts(&mut session, "t").await;
    let privileges = Privileges::load(&mut session, &facts).await.unwrap();
    assert_eq!(privileges.missing(&[Privilege::Select, Privilege::Delete]), [Privilege::Delete]);
    let mut sql = session.sql();
    sql.push("DELETE FROM t");
    let error = session.execute("a delete", &sql).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Permission, "{}", error.cause);
}

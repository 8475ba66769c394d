//! What kinds of relations there are on each engine, how their names resolve, and what their keys are.

use retaind::sources::{ColumnType, ForeignKeyAction, InboundForeignKey};

use super::catalog::{column, facts, index, kinds, names};
use super::open;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

#[tokio::test(flavor = "multi_thread")]
async fn schemas_and_the_search_path_decide_on_postgres() {
    needs!(Need::Server);
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
    needs!(Need::Server);
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
        [("public.pointing".to_owned(), ForeignKeyAction::SetDefault)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferrable_key_does_not_count_on_postgres() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    db.execute("CREATE TABLE t (id int NOT NULL, UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)");
    let mut session = open(&db).await;
    assert!(facts(&mut session, "t").await.key.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn relations_of_every_kind_are_named_on_mariadb() {
    needs!(Need::Server);
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
    assert_eq!((names(&inbound[0].referenced), inbound[0].on_delete), (vec!["id"], ForeignKeyAction::Cascade));
}

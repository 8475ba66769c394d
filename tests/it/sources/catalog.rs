//! The catalog's facts of a table: columns, keys, indexes, and what points to it.

use retaind::policy::{Ident, TableName};
use retaind::sources::{Column, ColumnType, ForeignKeyAction, InboundForeignKey, IndexFacts, Session, TableFacts};

use super::open;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

fn table(text: &str) -> TableName {
    TableName::parse(text).unwrap()
}

fn ident(text: &str) -> Ident {
    Ident::parse(text).unwrap()
}

pub async fn facts(session: &mut Session, name: &str) -> TableFacts {
    TableFacts::load(session, &table(name)).await.unwrap().unwrap_or_else(|| panic!("there is a {name}"))
}

pub fn column<'a>(facts: &'a TableFacts, name: &str) -> &'a Column {
    facts.columns.iter().find(|column| column.name.as_str() == name).unwrap_or_else(|| panic!("there is a {name}"))
}

pub fn names(idents: &[Ident]) -> Vec<&str> {
    idents.iter().map(Ident::as_str).collect()
}

pub fn index<'a>(facts: &'a TableFacts, name: &str) -> Option<&'a IndexFacts> {
    facts.indexes.iter().find(|index| index.name == name)
}

/// The schema that an unqualified name resolves to.
pub fn schema(db: &Database) -> String {
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

    async fn d14_the_key_is_primary_or_certainly_unique(db) {
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
            partition_of: None,
            on_delete,
        };
        let events = facts(&mut session, "events").await;
        assert_eq!(
            InboundForeignKey::load(&mut session, &events).await.unwrap(),
            [expected("a", ForeignKeyAction::Cascade), expected("b", ForeignKeyAction::SetNull)]
        );
        let cameras = facts(&mut session, "cameras").await;
        let inbound = InboundForeignKey::load(&mut session, &cameras).await.unwrap();
        assert_eq!(inbound.len(), 1);
        assert_eq!((names(&inbound[0].referenced), inbound[0].on_delete), (vec!["id"], ForeignKeyAction::Forbid));
        let unreferenced = facts(&mut session, "a").await;
        assert_eq!(InboundForeignKey::load(&mut session, &unreferenced).await.unwrap(), []);
    }
}

pub fn kinds(facts: &TableFacts) -> Vec<(&str, &str, ColumnType)> {
    facts.columns.iter().map(|column| (column.name.as_str(), column.declared.as_str(), column.kind)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_told_apart_on_postgres() {
    needs!(Need::Server);
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
            ("k", "text[]", ColumnType::Compound),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn types_are_told_apart_on_mariadb() {
    needs!(Need::Server);
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
            ("j", "decimal(5,2)", ColumnType::Real),
        ]
    );
}

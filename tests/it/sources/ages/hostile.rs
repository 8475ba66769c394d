//! Columns that make it hard: character sets, collations, padding, indexes, constants, and many rows.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use retaind::sources::Sql;

use super::{Aged, at};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

/// The only rows of a table that are older than March 2026 are the first three.
const VALUES: [&str; 8] = [
    "2026-01-01",
    "2026-01-01T12:00:00Z",
    "2026-01-01 12:00:00.123456789-03:30",
    "2026-05-01T12:00:00Z",
    "2026-02-30",
    "soon",
    "2026-01-01T12:00:00 UTC",
    "März",
];

async fn judge(db: &Database, kind: &str) {
    db.execute("DROP TABLE IF EXISTS aged");
    let mut aged = Aged::create(db, kind, "UTC", None).await;
    db.insert(
        "aged",
        &["id", "at"],
        (1..).zip(VALUES).map(|(id, text): (usize, _)| vec![Some(id.to_string()), Some(text.to_owned())]),
    );
    assert_eq!(aged.older(at("2026-03-01T00:00:00Z")).await, BTreeSet::from([1, 2, 3]), "{kind}");
    assert_eq!(aged.unreadable().await, BTreeSet::from([5, 6, 7, 8]), "{kind}");
    let readable: Vec<bool> = aged.read().await.iter().map(Option::is_some).collect();
    assert_eq!(readable, [true, true, true, true, false, false, false, false], "{kind}");
    let mut delete = aged.session.sql();
    delete.push("DELETE FROM aged WHERE ").append(&aged.older_than(at("2026-03-01T00:00:00Z")));
    let deleted =
        aged.session.execute("a deletion", &delete).await.unwrap_or_else(|error| panic!("{kind}: {}", error.cause));
    assert_eq!(deleted, 3, "{kind}");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_every_type_of_postgres() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    db.execute(
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false); \
         CREATE DOMAIN moment AS varchar(60)",
    );
    for kind in ["text", "varchar(60)", "char(60)", "name", "moment", "text COLLATE loose", "char(60) COLLATE loose"] {
        judge(&db, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_every_character_set_of_mariadb() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::MariaDb);
    for kind in [
        "CHAR(60)",
        "VARCHAR(60) CHARACTER SET latin1 COLLATE latin1_german2_ci",
        "VARCHAR(60) CHARACTER SET utf8mb3",
        "VARCHAR(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_nopad_ci",
        "CHAR(60) CHARACTER SET ucs2",
        "VARCHAR(60) CHARACTER SET utf16",
        "VARCHAR(60) CHARACTER SET utf16le",
        "LONGTEXT CHARACTER SET utf32",
        "TINYTEXT CHARACTER SET cp1250 COLLATE cp1250_czech_cs",
    ] {
        judge(&db, kind).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_outside_unicode_ends_no_statement() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::MariaDb);
    let mut aged = Aged::create(&db, "VARCHAR(60) CHARACTER SET cp1250", "UTC", None).await;
    db.execute("SET sql_mode = ''; INSERT INTO aged (id, at) VALUES (1, x'81'), (2, x'323032302D30312D303183'), (3, '2020-01-01')");
    assert_eq!(db.value("SELECT COUNT(*) FROM aged WHERE HEX(at) LIKE '%8%'").as_deref(), Some("2"));
    assert_eq!(aged.unreadable().await, BTreeSet::from([1, 2]));
    let mut delete = aged.session.sql();
    delete.push("DELETE FROM aged WHERE ").append(&aged.older_than(at("2026-03-01T00:00:00Z")));
    assert_eq!(aged.session.execute("a deletion", &delete).await.unwrap(), 1);
    assert_eq!(aged.read().await, [None, None]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_stores_instead_of_text_is_undated() {
    let db = Database::create(EngineKind::Sqlite);
    for kind in ["TEXT", "VARCHAR(60)", "TIMESTAMP", "DATETIME", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"] {
        judge(&db, kind).await;
        db.execute("DROP TABLE aged");
        let mut aged = Aged::create(&db, kind, "UTC", None).await;
        db.execute(
            "INSERT INTO aged (id, at) VALUES (1, x'323032302d30312d3031'), (2, CAST(x'323032302d30312d303100' AS TEXT)), \
             (3, 20200101), (4, 1600000000.5), (5, CAST(x'ff' AS TEXT)), (6, x''), (7, '2020-01-01'), (8, '')",
        );
        assert_eq!(aged.unreadable().await, (1..=6).collect(), "{kind}");
        assert_eq!(aged.older(at("2026-03-01T00:00:00Z")).await, BTreeSet::from([7]), "{kind}");
        let date = Some(at("2020-01-01T23:59:59.999999999Z"));
        assert_eq!(aged.read().await, [None, None, None, None, None, None, date, None], "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_utf16_database_is_read_like_others() {
    let db = Database::create(EngineKind::Sqlite);
    // An empty database takes any encoding.
    db.connect().execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE other (id INTEGER)").unwrap();
    judge(&db, "TEXT").await;
    let encoding = db.connect().query("PRAGMA encoding").unwrap();
    assert_eq!(encoding, [[Some("UTF-16le".to_owned())]]);
}

for_each_engine! {
    async fn nothing_is_cast_before_its_turn(db) {
        let kind = if db.kind().is_mysql() { "VARCHAR(60)" } else { "TEXT" };
        let mut aged = Aged::create(&db, kind, "UTC", None).await;
        db.execute("CREATE INDEX aged_at ON aged (at)");
        let cutoff = at("2026-03-01T00:00:00Z");
        for (id, value) in (1..).zip(VALUES) {
            db.insert("aged", &["id", "at"], [vec![Some(id.to_string()), Some(value.to_owned())]]);
            // A planner that knows the value may put it in the column's place, and compute what is constant.
            for bound in [true, false] {
                let mut delete = Sql::new(aged.engine);
                delete.push("DELETE FROM aged WHERE at = ");
                match bound {
                    true => delete.bind(value.to_owned()),
                    false => delete.push(&format!("'{value}'")),
                };
                delete.push(" AND id > 0 AND ").append(&aged.older_than(cutoff));
                let mut odd = Sql::new(aged.engine);
                odd.push(&format!("UPDATE aged SET note = 'odd' WHERE id = {id} AND at = '{value}' AND "));
                assert!(aged.age.push_unreadable(&mut odd));
                for sql in [odd, delete] {
                    let done = aged.session.execute("a test statement", &sql).await;
                    done.unwrap_or_else(|error| panic!("{value}: {}", error.cause));
                }
            }
        }
        assert_eq!(db.column("SELECT id FROM aged ORDER BY id"), ["4", "5", "6", "7", "8"]);
        assert_eq!(db.column("SELECT id FROM aged WHERE note = 'odd' ORDER BY id"), ["5", "6", "7", "8"]);
    }

    async fn a_hundred_thousand_texts_are_judged_soon(db) {
        let mut aged = Aged::create(&db, "TEXT", "Europe/Berlin", None).await;
        // By turns old, old with an offset, young, and no date.
        let choice = "CASE n % 4 WHEN 0 THEN '2025-07-01T12:30:45.123456Z' WHEN 1 THEN '2025-07-01 12:30:45+02:00' \
                      WHEN 2 THEN '2026-07-01 12:30:45' ELSE 'July the first' END";
        db.insert_series("aged (id, at)", &format!("n, {choice}"), 1..=100_000);
        let began = Instant::now();
        assert_eq!(aged.older(at("2026-03-01T00:00:00Z")).await.len(), 50_000);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(aged.unreadable().await.len(), 25_000);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

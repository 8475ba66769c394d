//! Ages of types that the server knows.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Aged, at};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

/// Values as SQL, and the instants that they are.
async fn judge(db: &Database, kind: &str, values: &[(&str, Option<&str>)]) {
    db.execute("DROP TABLE IF EXISTS aged");
    let mut aged = Aged::create(db, kind, "Europe/Berlin", None).await;
    for (id, (value, _)) in (1..).zip(values) {
        db.execute(&format!("INSERT INTO aged (id, at) VALUES ({id}, {value})"));
    }
    let instants: Vec<_> = values.iter().map(|(_, instant)| instant.map(at)).collect();
    assert_eq!(aged.read().await, instants, "{kind}");
    assert_eq!(aged.unreadable().await, BTreeSet::new(), "{kind}");
    let without = (1..).zip(&instants).filter(|(_, at)| at.is_none()).map(|(id, _)| id).collect::<BTreeSet<usize>>();
    assert_eq!(aged.without_time().await, without, "{kind}");
    aged.judge(&instants).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_of_postgres() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    judge(
        &db,
        "timestamptz",
        &[
            ("'2026-03-01 12:00:00+01'", Some("2026-03-01T11:00:00Z")),
            ("'2026-03-01 12:00:00.123456+00'", Some("2026-03-01T12:00:00.123456Z")),
            ("'1980-01-02 00:00:00+00'", Some("1980-01-02T00:00:00Z")),
            ("'1980-01-01 23:59:59.999999+00'", None),
            ("'1969-12-31 23:59:59+00'", None),
            ("'0001-01-01 00:00:00+00'", None),
            ("'0044-03-15 12:00:00+00 BC'", None),
            ("'8999-12-31 23:59:59.999999+00'", Some("8999-12-31T23:59:59.999999Z")),
            ("'9000-01-01 00:00:00+00'", None),
            ("'12026-03-01 12:00:00+01'", None),
            ("'infinity'", None),
            ("'-infinity'", None),
            ("NULL", None),
        ],
    )
    .await;
    judge(
        &db,
        "timestamp",
        &[
            ("'2026-03-01 12:00:00'", Some("2026-03-01T11:00:00Z")),
            ("'2026-03-29 02:30:00'", Some("2026-03-29T01:00:00Z")),
            ("'2026-10-25 02:30:00.5'", Some("2026-10-25T01:30:00.5Z")),
            ("'1980-01-02 01:00:00'", Some("1980-01-02T00:00:00Z")),
            ("'1980-01-02 00:59:59'", None),
            ("'0044-03-15 12:00:00 BC'", None),
            ("'9999-12-31 00:00:00'", None),
            ("'infinity'", None),
            ("NULL", None),
        ],
    )
    .await;
    judge(
        &db,
        "date",
        &[
            ("'1980-01-02'", Some("1980-01-02T22:59:59.999999999Z")),
            ("'1980-01-01'", None),
            ("'0001-01-01'", None),
            ("'9999-12-31'", None),
            ("'2026-03-01'", Some("2026-03-01T22:59:59.999999999Z")),
            ("'2026-10-25'", Some("2026-10-25T22:59:59.999999999Z")),
            ("'-infinity'", None),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instants_of_mariadb() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::MariaDb);
    // What a strict server would not store may still be there from other days.
    db.execute("SET sql_mode = ''");
    judge(
        &db,
        "TIMESTAMP(6) NULL",
        &[
            ("'2026-03-01 12:00:00.5'", Some("2026-03-01T12:00:00.5Z")),
            ("'1980-01-02 00:00:00'", Some("1980-01-02T00:00:00Z")),
            ("'1970-01-02 00:00:00'", None),
            ("'0000-00-00 00:00:00'", None),
            ("NULL", None),
        ],
    )
    .await;
    judge(
        &db,
        "DATETIME(3)",
        &[
            ("'2026-03-01 12:00:00.5'", Some("2026-03-01T11:00:00.5Z")),
            ("'2026-03-29 02:30:00'", Some("2026-03-29T01:00:00Z")),
            ("'2026-10-25 02:30:00'", Some("2026-10-25T01:30:00Z")),
            ("'1980-01-02 00:59:59'", None),
            ("'9999-12-31 23:59:59'", None),
            ("'0000-00-00 00:00:00'", None),
            ("'0020-01-01 00:00:00'", None),
        ],
    )
    .await;
    let march = ("'2026-03-01'", Some("2026-03-01T22:59:59.999999999Z"));
    judge(&db, "DATE", &[march, ("'0000-00-00'", None), ("'1970-01-01'", None), ("'9999-12-31'", None)]).await;
}

for_each_engine! {
    async fn no_cutoff_is_too_far(db) {
        let kinds: &[&str] = match db.kind() {
            EngineKind::Postgres => &["timestamptz", "timestamp", "date", "text"],
            EngineKind::Sqlite => &["TIMESTAMP", "TEXT"],
            _ => &["TIMESTAMP NULL", "DATETIME", "DATE", "TEXT"],
        };
        for kind in kinds {
            db.execute("DROP TABLE IF EXISTS aged");
            let mut aged = Aged::create(&db, kind, "Pacific/Apia", None).await;
            db.execute("INSERT INTO aged (id, at) VALUES (1, '2020-01-02')");
            for cutoff in [Timestamp::MIN, at("-000001-01-01T00:00:00Z"), at("0999-12-31T23:59:59Z"), at("1000-01-02T00:00:00Z")] {
                assert_eq!(aged.older(cutoff).await, BTreeSet::new(), "{kind} {cutoff}");
                assert_eq!(aged.within_bounds(cutoff).await, BTreeSet::new(), "{kind} {cutoff}");
            }
            for cutoff in [at("9000-01-01T00:00:00Z"), Timestamp::MAX] {
                assert_eq!(aged.older(cutoff).await, BTreeSet::from([1]), "{kind}");
            }
        }
    }
}

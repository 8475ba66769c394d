//! Ages in numbers: exact at every boundary, and never of another unit.

use std::collections::BTreeSet;

use jiff::Timestamp;
use retaind::policy::AgeFormat;

use super::{Aged, at};
use crate::engines::{Database, EngineKind};
use crate::needs::Need;

fn insert(db: &Database, numbers: &[&str]) {
    for (id, number) in (1..).zip(numbers) {
        db.execute(&format!("INSERT INTO aged (id, at) VALUES ({id}, {number})"));
    }
}

fn of_unit(format: AgeFormat, number: i128) -> Timestamp {
    Timestamp::from_nanosecond(number * format.nanos()).unwrap()
}

/// Holds numbers that are times, and others that are beyond them, to what statements and the library make of them.
async fn judge(db: &Database, kind: &str, format: AgeFormat, timed: &[i128], beyond: &[&str]) {
    db.execute("DROP TABLE IF EXISTS aged");
    let mut aged = Aged::create(db, kind, "Europe/Berlin", Some(format)).await;
    if !kind.contains("TEXT") {
        db.execute("CREATE INDEX aged_at ON aged (at)");
    }
    let texts: Vec<String> = timed.iter().map(i128::to_string).collect();
    let quoted =
        |text: &str| if kind.contains("CHAR") || kind.contains("TEXT") { format!("'{text}'") } else { text.to_owned() };
    let all = texts.iter().map(String::as_str).chain(beyond.iter().copied()).map(quoted).chain(["NULL".to_owned()]);
    let all: Vec<String> = all.collect();
    insert(db, &all.iter().map(String::as_str).collect::<Vec<_>>());
    let times = timed.iter().map(|number| Some(of_unit(format, *number)));
    let instants: Vec<_> = times.chain(beyond.iter().map(|_| None)).chain([None]).collect();
    assert_eq!(aged.read().await, instants, "{kind} {format:?}");
    assert_eq!(aged.unreadable().await, BTreeSet::new(), "{kind} {format:?}");
    let without: BTreeSet<usize> = (timed.len() + 1..=timed.len() + beyond.len() + 1).collect();
    assert_eq!(aged.without_time().await, without, "{kind} {format:?}");
    aged.judge(&instants).await;
    if aged.age.is_ordered(aged.engine) {
        for cutoff in [at("1970-01-01T00:00:00Z"), at("2026-03-01T12:00:00.9Z"), Timestamp::MAX] {
            assert_eq!(aged.older(cutoff).await, aged.within_bounds(cutoff).await, "{kind} {format:?} {cutoff}");
        }
    }
}

/// A type for numbers with a fraction that are exact, one that are not, and texts.
fn kinds(db: &Database) -> [&'static str; 3] {
    match db.kind() {
        EngineKind::Postgres => ["NUMERIC(30, 6)", "DOUBLE PRECISION", "VARCHAR(60)"],
        EngineKind::Sqlite => ["NUMERIC", "REAL", "TEXT"],
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => ["DECIMAL(30, 6)", "DOUBLE", "VARCHAR(60)"],
    }
}

for_each_engine! {
    async fn f6_numbers_of_every_unit_share_floor_and_ceiling(db) {
        let first: i128 = 315_619_200;
        let last: i128 = 221_845_392_000;
        for (format, scale) in
            [(AgeFormat::Unix, 1), (AgeFormat::UnixMs, 1_000), (AgeFormat::UnixUs, 1_000_000)]
        {
            let timed = [first * scale, 1_700_000_000 * scale, 4_102_444_800 * scale, last * scale - 1];
            let (before, after) = ((first * scale - 1).to_string(), (last * scale).to_string());
            let beyond = ["0", "-1", "1", before.as_str(), after.as_str(), "9223372036854775807"];
            judge(&db, "BIGINT", format, &timed, &beyond).await;
        }
        let timed = [first * 1_000_000_000, 1_700_000_000_123_456_789];
        judge(&db, "BIGINT", AgeFormat::UnixNs, &timed, &["0", "-1", "1700000000", "1700000000000000"]).await;
    }

    async fn f1_ages_may_be_floats_decimals_and_texts(db) {
        let timed = [315_619_200, 1_700_000_000, 1_772_366_400, 221_845_391_999];
        let beyond = ["0", "-1", "315619199", "221845392000", "1700000000000"];
        for kind in kinds(&db) {
            judge(&db, kind, AgeFormat::Unix, &timed, &beyond).await;
            let timed = timed.map(|secs| secs * 1_000);
            judge(&db, kind, AgeFormat::UnixMs, &timed, &["0", "1700000000", "221845392000000"]).await;
            db.execute("DROP TABLE IF EXISTS aged");
            let mut aged = Aged::create(&db, kind, "UTC", Some(AgeFormat::Unix)).await;
            insert(&db, &["'1772366399.5'", "'1772366400.5'"].map(|number| if kind.contains("CHAR") || kind == "TEXT" { number } else { number.trim_matches('\'') }));
            assert_eq!(aged.older(at("2026-03-01T12:00:00.9Z")).await, BTreeSet::from([1]), "{kind}");
            let halves = [at("2026-03-01T11:59:59.5Z"), at("2026-03-01T12:00:00.5Z")].map(Some);
            assert_eq!(aged.read().await, halves, "{kind}");
        }
    }

    async fn f6_a_text_without_number_is_unreadable(db) {
        let kind = if db.kind().is_mysql() { "VARCHAR(60)" } else { "TEXT" };
        let mut aged = Aged::create(&db, kind, "UTC", Some(AgeFormat::Unix)).await;
        let odd = ["soon", "2026-01-01", " 1700000000", "1700000000 ", "1.7e9", "0x10", "1.2.3", "-", ".", "--1", "1-1"];
        insert(&db, &odd.map(|text| format!("'{text}'")).iter().map(String::as_str).chain(["''"]).collect::<Vec<_>>());
        assert_eq!(aged.unreadable().await, (1..=odd.len()).collect());
        assert_eq!(aged.without_time().await, BTreeSet::from([odd.len() + 1]));
        assert_eq!(aged.older(at("2026-03-01T12:00:00Z")).await, BTreeSet::new());
    }

    async fn narrow_columns_are_compared_with_wide_bounds(db) {
        judge(&db, "INTEGER", AgeFormat::Unix, &[1_700_000_000, 2_147_483_647], &["0", "1", "-2147483648"]).await;
        judge(&db, "SMALLINT", AgeFormat::Unix, &[], &["0", "-5", "32767"]).await;
        let narrow = if db.kind() == EngineKind::Sqlite { &["1700000000"][..] } else { &["2147483647", "-1"] };
        judge(&db, "INTEGER", AgeFormat::UnixMs, &[], narrow).await;
    }

    async fn numbers_in_the_cutoffs_second_are_too_young(db) {
        let mut aged = Aged::create(&db, "BIGINT", "UTC", Some(AgeFormat::Unix)).await;
        insert(&db, &["1772366399", "1772366400", "1772366401"]);
        assert_eq!(aged.older(at("2026-03-01T12:00:00.999999Z")).await, BTreeSet::from([1]));
        assert_eq!(aged.older(at("2026-03-01T12:00:01Z")).await, BTreeSet::from([1, 2]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_numbers_of_mariadb_are_compared_as_numbers() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::MariaDb);
    let beyond = ["0", "18446744073709551615", "221845392000"];
    judge(&db, "BIGINT UNSIGNED", AgeFormat::Unix, &[1_700_000_000], &beyond).await;
    judge(&db, "INT UNSIGNED", AgeFormat::Unix, &[1_700_000_000, 4_294_967_295], &["0"]).await;
    judge(&db, "INT(10) UNSIGNED ZEROFILL", AgeFormat::Unix, &[1_700_000_000], &["0"]).await;
    // A FLOAT holds seconds in steps of 128; each is what it is.
    judge(&db, "FLOAT", AgeFormat::Unix, &[1_700_000_000, 1_772_366_464], &["0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_postgres_may_be_infinite_or_none() {
    needs!(Need::Server);
    let db = Database::create(EngineKind::Postgres);
    for kind in ["numeric", "double precision", "real"] {
        db.execute("DROP TABLE IF EXISTS aged");
        let mut aged = Aged::create(&db, kind, "UTC", Some(AgeFormat::Unix)).await;
        insert(&db, &["'Infinity'", "'-Infinity'", "'NaN'", "1700000000", "NULL"]);
        assert_eq!(aged.unreadable().await, BTreeSet::from([3]), "{kind}");
        assert_eq!(aged.without_time().await, BTreeSet::from([1, 2, 5]), "{kind}");
        assert_eq!(aged.older(at("2026-03-01T12:00:00Z")).await, BTreeSet::from([4]), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_judges_each_number_by_its_own_type() {
    let db = Database::create(EngineKind::Sqlite);
    for kind in ["INTEGER", "TIMESTAMP", "DATETIME", "REAL", "NUMERIC"] {
        db.execute("DROP TABLE IF EXISTS aged");
        let mut aged = Aged::create(&db, kind, "UTC", Some(AgeFormat::Unix)).await;
        let odd = ["'2020-01-01'", "'soon'", "x'31'", "0.5", "9e999", "-9e999"];
        insert(&db, &[&["1700000000", "'1700000000'", "1700000000.5"][..], &odd].concat());
        let (whole, half) = (Some(at("2023-11-14T22:13:20Z")), Some(at("2023-11-14T22:13:20.5Z")));
        // A text of digits becomes a number when it is stored in such a column.
        assert_eq!(aged.read().await, [whole, whole, half, None, None, None, None, None, None], "{kind}");
        assert_eq!(aged.unreadable().await, (4..=6).collect(), "{kind}");
        assert_eq!(aged.without_time().await, (7..=9).collect(), "{kind}");
        assert_eq!(aged.older(at("2023-11-14T22:13:21Z")).await, BTreeSet::from([1, 2, 3]), "{kind}");
        assert_eq!(aged.older(at("2023-11-14T22:13:20Z")).await, BTreeSet::new(), "{kind}");
    }
}

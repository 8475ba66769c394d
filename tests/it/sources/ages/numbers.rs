//! Ages in whole numbers: exact at every boundary, and never of the other unit.

use std::collections::BTreeSet;

use jiff::Timestamp;
use retaind::policy::AgeFormat;

use super::{Aged, at};
use crate::engines::{Database, EngineKind};

fn insert(db: &Database, numbers: &[&str]) {
    for (id, number) in (1..).zip(numbers) {
        db.execute(&format!("INSERT INTO aged (id, at) VALUES ({id}, {number})"));
    }
}

fn of_unit(format: AgeFormat, number: i64) -> Timestamp {
    match format {
        AgeFormat::Unix => Timestamp::from_second(number).unwrap(),
        AgeFormat::UnixMs => Timestamp::from_millisecond(number).unwrap(),
    }
}

async fn judge(db: &Database, kind: &str, format: AgeFormat, readable: &[i64], odd: &[&str]) {
    db.execute("DROP TABLE IF EXISTS aged");
    let mut aged = Aged::create(db, kind, "Europe/Berlin", Some(format)).await;
    let on = "CREATE INDEX aged_at ON aged (at)";
    db.execute(on);
    let texts: Vec<String> = readable.iter().map(i64::to_string).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).chain(odd.iter().copied()).chain(["NULL"]).collect();
    insert(db, &all);
    let instants: Vec<_> = readable
        .iter()
        .map(|number| Some(of_unit(format, *number)))
        .chain(odd.iter().map(|_| None))
        .chain([None])
        .collect();
    assert_eq!(aged.read().await, instants, "{kind} {format:?}");
    let expected: BTreeSet<usize> = (readable.len() + 1..=readable.len() + odd.len()).collect();
    assert_eq!(aged.unreadable().await, expected, "{kind} {format:?}");
    aged.judge(&instants).await;
    // The bounds are the predicate itself, and nothing that cannot be read lies between them.
    for cutoff in [at("1970-01-01T00:00:00Z"), at("2026-03-01T12:00:00.9Z"), Timestamp::MAX] {
        assert_eq!(aged.older(cutoff).await, aged.within_bounds(cutoff).await, "{kind} {format:?} {cutoff}");
    }
}

for_each_engine! {
    async fn g5_seconds_are_told_from_milliseconds(db) {
        let readable = [1, 2, 1_700_000_000, 1_772_366_400, 4_102_444_800, 99_999_999_999, 100_000_000_000];
        let odd = ["0", "-1", "-1700000000", "100000000001", "1700000000000", "9223372036854775807", "-9223372036854775808"];
        judge(&db, "BIGINT", AgeFormat::Unix, &readable, &odd).await;
        let readable = [100_000_000_000, 100_000_000_001, 1_700_000_000_123, 1_772_366_400_000, 253_402_207_200_000];
        let odd = ["0", "-1", "1", "1700000000", "99999999999", "1700000000000000", "9223372036854775807"];
        judge(&db, "BIGINT", AgeFormat::UnixMs, &readable, &odd).await;
    }

    async fn narrow_columns_are_compared_with_wide_bounds(db) {
        judge(&db, "INTEGER", AgeFormat::Unix, &[1, 1_700_000_000, 2_147_483_647], &["0", "-2147483648"]).await;
        judge(&db, "SMALLINT", AgeFormat::Unix, &[1, 32_767], &["0", "-5"]).await;
        let narrow = if db.kind() == EngineKind::Sqlite { &["1700000000"][..] } else { &["2147483647", "-1"] };
        judge(&db, "INTEGER", AgeFormat::UnixMs, &[], narrow).await;
    }

    async fn a_number_of_the_cutoffs_own_second_is_not_over_yet(db) {
        let mut aged = Aged::create(&db, "BIGINT", "UTC", Some(AgeFormat::Unix)).await;
        insert(&db, &["1772366399", "1772366400", "1772366401"]);
        assert_eq!(aged.older(at("2026-03-01T12:00:00.999999Z")).await, BTreeSet::from([1]));
        assert_eq!(aged.older(at("2026-03-01T12:00:01Z")).await, BTreeSet::from([1, 2]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_numbers_of_mariadb_are_compared_as_numbers() {
    let db = Database::create(EngineKind::MariaDb);
    let odd = ["0", "18446744073709551615", "100000000001"];
    judge(&db, "BIGINT UNSIGNED", AgeFormat::Unix, &[1, 1_700_000_000], &odd).await;
    judge(&db, "INT UNSIGNED", AgeFormat::Unix, &[1, 4_294_967_295], &["0"]).await;
    judge(&db, "INT(10) UNSIGNED ZEROFILL", AgeFormat::Unix, &[1, 1_700_000_000], &["0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_stores_among_whole_numbers_is_judged_by_its_own_type() {
    let db = Database::create(EngineKind::Sqlite);
    for kind in ["INTEGER", "TIMESTAMP", "DATETIME"] {
        db.execute("DROP TABLE IF EXISTS aged");
        let mut aged = Aged::create(&db, kind, "UTC", Some(AgeFormat::Unix)).await;
        insert(
            &db,
            &[
                "1700000000",
                "'1700000000'",
                "1700000000.5",
                "'2020-01-01'",
                "'soon'",
                "x'31'",
                "0.5",
                "9e999",
                "-9e999",
            ],
        );
        let (whole, half) = (Some(at("2023-11-14T22:13:20Z")), Some(at("2023-11-14T22:13:20.5Z")));
        // A text of digits becomes a number when it is stored in such a column.
        assert_eq!(aged.read().await, [whole, whole, half, None, None, None, None, None, None], "{kind}");
        assert_eq!(aged.unreadable().await, (4..=9).collect(), "{kind}");
        assert_eq!(aged.older(at("2023-11-14T22:13:21Z")).await, BTreeSet::from([1, 2, 3]), "{kind}");
        assert_eq!(aged.older(at("2023-11-14T22:13:20Z")).await, BTreeSet::new(), "{kind}");
    }
}

//! Ages in texts: which can be read, and as what.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{Aged, at, whole};
use crate::engines::{Database, EngineKind};
use retaind::decide::rows::AgeValue;

/// Texts in Berlin's time, and the instants that they are.
const READABLE: &[(&str, &str)] = &[
    ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
    ("2026-03-01t12:00:00z", "2026-03-01T12:00:00Z"),
    ("2026-03-01 12:00:00Z", "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00Z", "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00:00-00:00", "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00Z"),
    ("2026-03-01 12:00:00-02:30", "2026-03-01T14:30:00Z"),
    ("2026-03-01T12:00-00:30", "2026-03-01T12:30:00Z"),
    ("2026-03-02T01:59:59+14:00", "2026-03-01T11:59:59Z"),
    ("2026-02-28T22:00:00-14:00", "2026-03-01T12:00:00Z"),
    ("2026-03-01T12:00:00+13:59", "2026-02-28T22:01:00Z"),
    ("2026-03-01T12:00:00.5Z", "2026-03-01T12:00:00.5Z"),
    ("2026-03-01T12:00:00.123456Z", "2026-03-01T12:00:00.123456Z"),
    ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456789Z"),
    ("2026-03-01T12:00:00.999999999+05:45", "2026-03-01T06:15:00.999999999Z"),
    ("2026-03-01T12:00:00.000000000-09:30", "2026-03-01T21:30:00Z"),
    ("2026-03-01T12:00:00", "2026-03-01T11:00:00Z"),
    ("2026-03-01 12:00:00", "2026-03-01T11:00:00Z"),
    ("2026-03-01 12:00", "2026-03-01T11:00:00Z"),
    ("2026-03-01T12:00:00.1", "2026-03-01T11:00:00.1Z"),
    ("2026-03-01T12:00:00.123456789", "2026-03-01T11:00:00.123456789Z"),
    ("2026-07-01 12:00:00", "2026-07-01T10:00:00Z"),
    ("2026-07-01T00:00:00", "2026-06-30T22:00:00Z"),
    ("2026-07-01 23:59:59.999999", "2026-07-01T21:59:59.999999Z"),
    // Skipped when the clock was set forward, and there twice when it was set back.
    ("2026-03-29 02:30:00", "2026-03-29T01:00:00Z"),
    ("2026-03-29 03:00:00", "2026-03-29T01:00:00Z"),
    ("2026-10-25 02:30:00", "2026-10-25T01:30:00Z"),
    ("2026-10-25 01:59:59", "2026-10-24T23:59:59Z"),
    // A day is as old as its end.
    ("2026-03-01", "2026-03-01T22:59:59.999999999Z"),
    ("2026-03-29", "2026-03-29T21:59:59.999999999Z"),
    ("2026-10-25", "2026-10-25T22:59:59.999999999Z"),
    ("2024-02-29", "2024-02-29T22:59:59.999999999Z"),
    ("2000-02-29T12:00:00Z", "2000-02-29T12:00:00Z"),
    ("1980-01-02T00:00:00Z", "1980-01-02T00:00:00Z"),
    ("1980-01-02 01:00:00", "1980-01-02T00:00:00Z"),
    ("1980-01-02T14:00:00+14:00", "1980-01-02T00:00:00Z"),
    ("1980-01-02", "1980-01-02T22:59:59.999999999Z"),
    ("8999-12-31T23:59:59.999999Z", "8999-12-31T23:59:59.999999Z"),
    ("2026-12-31T23:59:59Z", "2026-12-31T23:59:59Z"),
    ("2026-04-30T23:59:59Z", "2026-04-30T23:59:59Z"),
];

/// Texts that are dates before the floor or after the ceiling, or that MySQL writes for none.
const NO_TIME: &[&str] = &[
    "1980-01-01T23:59:59.999999Z",
    "1980-01-02 00:59:59.999999",
    "1980-01-01T09:59:59-14:00",
    "1980-01-01",
    "1970-01-01",
    "1969-12-31T23:59:59.999999Z",
    "1600-02-29T12:00:00Z",
    "1000-01-02T00:00:00Z",
    "0999-12-31",
    "0020-01-01T00:00:00Z",
    "0001-01-01",
    "0001-01-01T00:00:00Z",
    "0001-01-01 00:00:00+00:00",
    "0000-00-00",
    "0000-00-00 00:00:00",
    "9000-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31",
];

const UNREADABLE: &[&str] = &[
    "garbage",
    "never",
    "now",
    "today",
    "infinity",
    "-infinity",
    "NULL",
    " ",
    "   ",
    "\n",
    "0",
    "1",
    "20200101",
    "1600000000",
    "2451545.5",
    "12:00",
    "12:00:00",
    "2020",
    "2020-01",
    "2020-1-1",
    "20-01-01",
    "0001-02-30",
    "2020-00-01",
    "2020-01-00",
    "2020-13-01",
    "2020-01-32",
    "2020-02-30",
    "2020-04-31T00:00:00Z",
    "2019-02-29",
    "1900-02-29 12:00",
    "2100-02-29T12:00:00Z",
    "12020-01-01",
    "+2020-01-01",
    "-2020-01-01",
    "2020-01-01T24:00:00",
    "2020-01-01 24:00:00",
    "2020-01-01 24:00:00.5",
    "2020-01-01T24:00:00.123456789Z",
    "2020-01-01T12:00:00.5.5",
    "2020-01-01T12:00:00.5Z5",
    "2020-01-01T12:00:00Z.5",
    "2020-02-30 12:00:00Z",
    "2020-01-01 12:00:60.5Z",
    "2020-01-01T24:00:00Z",
    "2020-01-01T25:00:00Z",
    "2020-01-01T23:60:00Z",
    "2020-01-01T23:59:60Z",
    "2020-01-01T1:00:00Z",
    "2020-01-01T12",
    "2020-01-01T",
    "2020-01-01T12:00:",
    "2020-01-01T12:00:00.",
    "2020-01-01T12:00:00.Z",
    "2020-01-01T12:00:00,5Z",
    "2020-01-01T12:00:00.1234567890",
    "2020-01-01T12:00:00.1234567890Z",
    "2020-01-01T12:00.5Z",
    "2020-01-01Z",
    "2020-01-01+02:00",
    "2020-01-01T12:00:00+14:01",
    "2020-01-01T12:00:00-15:00",
    "2020-01-01T12:00:00+24:00",
    "2020-01-01T12:00:00+02:60",
    "2020-01-01T12:00:00+02",
    "2020-01-01T12:00:00+0200",
    "2020-01-01T12:00:00+2:00",
    "2020-01-01T12:00:00 +02:00",
    "2020-01-01T12:00:00Z+02:00",
    "2020-01-01T12:00:00ZZ",
    "2020-01-01T12:00:00 Z",
    "2020-01-01T12:00:00 UTC",
    "2020-01-01T12:00:00[Europe/Berlin]",
    "2020-01-01  12:00:00",
    "2020-01-01 T12:00:00",
    "2020-01-0112:00:00",
    "2020-01-01_12:00:00",
    " 2020-01-01",
    "2020-01-01 ",
    "2020-01-01T12:00:00Z ",
    "2020-01-01\n",
    "2020-01-01T12:00:00\n",
    "2020-01-01T12:00:00Z\n",
    "\n2020-01-01T12:00:00Z",
    "2020-01-01T12:00:00Z\r\n",
    "2020-01-01\t12:00:00",
    "2020/01/01",
    "01/02/2020",
    "01.02.2020",
    "Wed, 01 Jan 2020 12:00:00 GMT",
    "2020-001",
    "2020-W01-1",
    "20200101T120000Z",
    "2020-01-01T12:00:00\u{2212}02:00",
    "\u{0662}\u{0660}\u{0662}\u{0660}-01-01",
    "２０２０-01-01",
    "2020-01-0\u{0661}",
    "2020‐01‐01",
    "\u{feff}2020-01-01",
    "2020-01-01\u{a0}12:00:00",
    "2020-01-01T12:00:00ſ",
    "März 2020",
    "😀😀😀😀😀😀😀😀😀😀",
    "' OR 1 = 1 --",
    "2020-01-01' OR '1'='1",
    "2020-01-01\\",
    "2020-01-01'; DROP TABLE aged; --",
    "\\' OR 1=1 -- ",
    "$1",
    "?",
    "@raw",
    "%",
    "{\"date\":\"2020-01-01\"}",
    "2020-01-01T12:00:00Z2020-01-01T12:00:00Z",
];

fn insert(db: &Database, texts: &[&str]) {
    let row = |(id, text): (usize, &&str)| vec![Some(id.to_string()), Some((*text).to_owned())];
    db.insert("aged", &["id", "at"], (1..).zip(texts).map(row));
}

fn everything() -> (Vec<&'static str>, Vec<Option<Timestamp>>) {
    let texts = READABLE.iter().map(|(text, _)| *text).chain(UNREADABLE.iter().copied()).collect();
    let instants =
        READABLE.iter().map(|(_, instant)| Some(at(instant))).chain(UNREADABLE.iter().map(|_| None)).collect();
    (texts, instants)
}

for_each_engine! {
    async fn g5_only_a_text_with_a_date_has_age(db) {
        let mut aged = Aged::create(&db, "TEXT", "Europe/Berlin", None).await;
        let (texts, instants) = everything();
        insert(&db, &texts);
        let read = aged.read().await;
        for ((text, expected), found) in texts.iter().zip(&instants).zip(&read) {
            assert_eq!(found, expected, "{text:?}");
        }
        let unreadable = aged.unreadable().await;
        for (id, text) in (1..).zip(&texts) {
            assert_eq!(unreadable.contains(&id), instants[id - 1].is_none(), "{text:?}");
        }
        aged.judge(&instants).await;
    }

    async fn f6_a_text_beyond_floor_or_ceiling_is_timeless(db) {
        let mut aged = Aged::create(&db, "TEXT", "Europe/Berlin", None).await;
        let texts: Vec<&str> = READABLE.iter().map(|(text, _)| *text).chain(NO_TIME.iter().copied()).collect();
        insert(&db, &texts);
        let without: BTreeSet<usize> = (READABLE.len() + 1..=texts.len()).collect();
        let found = aged.without_time().await;
        let differing: Vec<_> = without.symmetric_difference(&found).map(|id| texts[id - 1]).collect();
        assert!(differing.is_empty(), "{differing:?}");
        assert_eq!(aged.unreadable().await, BTreeSet::new());
        let read = aged.read().await;
        assert!(read[READABLE.len()..].iter().all(Option::is_none), "{read:?}");
        let found = aged.older(Timestamp::MAX).await;
        let differing: Vec<_> = found.iter().filter(|id| without.contains(id)).map(|id| texts[id - 1]).collect();
        assert!(differing.is_empty(), "{differing:?}");
    }

    async fn a_missing_text_is_neither_old_nor_unreadable(db) {
        let mut aged = Aged::create(&db, "TEXT", "UTC", None).await;
        db.execute("INSERT INTO aged (id, at) VALUES (1, NULL), (2, ''), (3, ' '), (4, '2020-01-01')");
        assert_eq!(aged.unreadable().await, BTreeSet::from([3]));
        assert_eq!(aged.older(at("2026-01-01T00:00:00Z")).await, BTreeSet::from([4]));
        assert_eq!(aged.read().await, [None, None, None, Some(at("2020-01-01T23:59:59.999999999Z"))]);
    }

    async fn g5_no_text_ends_a_statement_that_writes(db) {
        let (kind, huge) = match db.kind() {
            EngineKind::Postgres => ("TEXT", "repeat('2020-01-01', 1000000)"),
            EngineKind::Sqlite => ("TEXT", "hex(zeroblob(5000000))"),
            _ => ("LONGTEXT", "repeat('2020-01-01', 1000000)"),
        };
        let mut aged = Aged::create(&db, kind, "Europe/Berlin", None).await;
        let (texts, instants) = everything();
        insert(&db, &texts);
        db.execute(&format!("INSERT INTO aged (id, at) VALUES (1000, {huge})"));
        let cutoff = at("2026-03-01T12:00:00Z");
        let mut update = aged.session.sql();
        update.push("UPDATE aged SET note = 'old' WHERE ").append(&aged.older_than(cutoff));
        let updated = aged.session.execute("an update", &update).await.unwrap_or_else(|error| panic!("{}", error.cause));
        let old: Vec<usize> =
            (1..).zip(&instants).filter(|(_, at)| at.is_some_and(|at| at < cutoff)).map(|(id, _)| id).collect();
        assert_eq!(updated, old.len() as u64);
        let mut mark = aged.session.sql();
        mark.push("UPDATE aged SET note = 'odd' WHERE ");
        assert!(aged.age.push_unreadable(&mut mark));
        let marked = aged.session.execute("an update", &mark).await.unwrap_or_else(|error| panic!("{}", error.cause));
        assert_eq!(marked, UNREADABLE.len() as u64 + 1);
        let mut delete = aged.session.sql();
        delete.push("DELETE FROM aged WHERE ").append(&aged.older_than(cutoff));
        assert_eq!(aged.session.execute("a deletion", &delete).await.unwrap(), old.len() as u64);
        let left = db.column("SELECT id FROM aged WHERE note = 'old'");
        assert_eq!(left, Vec::<String>::new());
        assert_eq!(db.column("SELECT id FROM aged").len(), texts.len() + 1 - old.len());
    }

    async fn generated_texts_are_judged_as_they_are_read(db) {
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        for zone in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"] {
            db.execute("DROP TABLE IF EXISTS aged");
            let mut aged = Aged::create(&db, "TEXT", zone, None).await;
            let texts: Vec<String> = (0..600).map(|_| text().new_tree(&mut runner).unwrap().current()).collect();
            insert(&db, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            let instants: Vec<_> = texts.iter().map(|text| aged.instant(text)).collect();
            let readable = instants.iter().flatten().count();
            assert!((100..500).contains(&readable), "{readable} of the texts can be read");
            let odd = (1..).zip(&texts).filter(|(_, text)| aged.age.read(text) == AgeValue::Unreadable);
            let odd: BTreeSet<usize> = odd.map(|(id, _)| id).collect();
            let unreadable = aged.unreadable().await;
            let differing: Vec<_> = odd.symmetric_difference(&unreadable).map(|id| &texts[id - 1]).collect();
            assert!(differing.is_empty(), "{differing:?}");
            let some: Vec<_> = instants.iter().enumerate().map(|(n, at)| at.filter(|_| n % 6 == 0)).collect();
            let cutoffs: Vec<Timestamp> = some.iter().flatten().copied().collect();
            for cutoff in cutoffs {
                let cutoff = whole(cutoff, 1_000);
                let older = (1..).zip(&instants).filter(|(_, at)| at.is_some_and(|at| at < cutoff)).map(|(id, _)| id);
                let (older, found) = (older.collect::<BTreeSet<usize>>(), aged.older(cutoff).await);
                let differing: Vec<_> = older.symmetric_difference(&found).map(|id| &texts[id - 1]).collect();
                assert!(differing.is_empty(), "{cutoff} in {zone}: {differing:?}");
            }
        }
    }
}

/// Texts that are dates or nearly: each part is sometimes one that it must not be.
fn text() -> impl Strategy<Value = String> {
    let part = |good: &'static str, odd: &'static [&'static str]| prop_oneof![12 => generated(good), 1 => prop::sample::select(odd).prop_map(str::to_owned)];
    let date = (
        part("20[0-9]{2}|19[89][0-9]|19[0-9]{2}|[0-9]{4}|2026", &["26", ""]),
        part("0[1-9]|1[0-2]|03|10|02", &["00", "13", "1", "Jan"]),
        part("0[1-9]|1[0-9]|2[0-9]|30|31", &["00", "32", "1"]),
    );
    let date = date.prop_map(|(year, month, day)| format!("{year}-{month}-{day}"));
    let clock = (
        part("[T t]", &["", "  ", "_", "TT"]),
        part("[01][0-9]|2[0-3]|02", &["24", "1", "-1"]),
        part("[0-5][0-9]", &["60", "1"]),
        part("(:[0-5][0-9](\\.[0-9]{1,9})?)?", &[":60", ":1", ":00.", ":00.0000000000", ".5"]),
        part("|Z|z|[+-](0[0-9]|1[0-3]):[0-5][0-9]", &["+14:00", "-14:00", "+14:01", "+0200", " Z", "+01:00:00"]),
    );
    let clock = clock.prop_map(|(mark, hour, minute, rest, zone)| format!("{mark}{hour}:{minute}{rest}{zone}"));
    let end = prop_oneof![20 => Just(""), 1 => Just(" "), 1 => Just("\n"), 1 => Just("\u{661}"), 1 => Just("Z")];
    let written = (date, prop::option::weighted(0.85, clock), end)
        .prop_map(|(date, clock, end)| format!("{date}{}{end}", clock.unwrap_or_default()));
    prop_oneof![20 => written, 1 => generated("[0-9TZ:. +-]{0,40}"), 1 => generated("[ -~]{0,12}")]
}

fn generated(pattern: &'static str) -> BoxedStrategy<String> {
    prop::string::string_regex(pattern).unwrap().boxed()
}

//! Fills the tables.

use std::fmt::Write;

use super::tables::{parent_of, points_by_both};
use super::value;
use crate::engines::EngineKind;
use crate::rows::generated::spec::{AGES, EXPIRES, KINDS, Key, Row, Spec, Store, Table, Times, When};
use crate::world::World;

/// The values of a row's key.
fn key(key: Key, num: usize, kind: EngineKind) -> Vec<(&'static str, String)> {
    match key {
        Key::Integer => vec![("id", num.to_string())],
        Key::Text => vec![("id", format!("'k{num}'"))],
        Key::Uuid => vec![("id", format!("'00000000-0000-4000-8000-{num:012}'"))],
        Key::Binary if kind == EngineKind::Postgres => vec![("id", format!("'\\x{num:08}'"))],
        Key::Binary => vec![("id", format!("x'{num:08}'"))],
        Key::Composite => vec![("a", (num % 3).to_string()), ("b", format!("'b{}'", num / 3))],
        Key::None => vec![],
    }
}

/// A row's number, from how a listing shows its key.
pub fn number(key: Key, shown: &str) -> u64 {
    let text = match key {
        Key::Integer => shown.to_owned(),
        Key::Text => shown.trim_start_matches('k').to_owned(),
        Key::Uuid => shown.rsplit('-').next().expect("a part").to_owned(),
        Key::Binary => shown.to_owned(),
        // The second part repeats under others.
        Key::Composite => {
            let parts = array(shown);
            let part = |text: &str| text.parse::<u64>().expect("a number");
            (part(parts[1].trim_start_matches('b')) * 3 + part(&parts[0])).to_string()
        }
        Key::None if shown.starts_with('[') => array(shown)[0].clone(),
        // SQLite numbers rows by itself, in the order in which they come.
        Key::None => shown.to_owned(),
    };
    text.parse().unwrap_or_else(|_| panic!("{key:?} {shown}"))
}

fn array(shown: &str) -> Vec<String> {
    let values: Vec<Option<String>> = serde_json::from_str(shown).expect("an array");
    values.into_iter().map(Option::unwrap_or_default).collect()
}

pub fn insert(spec: &Spec, table: Table, world: &World, sql: &mut String) {
    let facts = spec.table(table);
    for (index, row) in facts.rows.iter().enumerate() {
        let num = index + 1;
        let mut values = vec![("num", num.to_string())];
        values.extend(key(facts.key, num, world.db.kind()));
        values.extend(plain_values(spec, table, row, world));
        values.extend(pointing_values(spec, table, num, row, world.db.kind()));
        let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let _ = write!(sql, "INSERT INTO {} ({}) VALUES ({});", table.name(), columns.join(", "), values.join(", "));
    }
}

fn plain_values(spec: &Spec, table: Table, row: &Row, world: &World) -> Vec<(&'static str, String)> {
    let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
    let store = spec.column_store(table).unwrap_or(Store::Images);
    let root = world.root(store.name()).display().to_string();
    let state = if row.is_new { "new" } else { "done" };
    vec![
        ("at", instant(AGES[row.age], spec.table(table).times, world)),
        ("expires_at", instant(EXPIRES[row.expires], spec.table(table).times, world)),
        ("kind", text(KINDS[row.kind])),
        ("flag", row.flag.to_string()),
        ("state", text(Some(state))),
        ("file", path(value(store, row.file, &root).written.as_deref(), spec.table(table).binary_file, world)),
    ]
}

/// A path in SQL, as text or as bytes.
fn path(path: Option<&str>, is_binary: bool, world: &World) -> String {
    let Some(path) = path else { return "NULL".to_owned() };
    let hex = || path.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (is_binary, world.is(EngineKind::Postgres)) {
        (false, _) if world.db.kind().is_mysql() => format!("'{}'", path.replace('\\', "\\\\")),
        (false, _) => format!("'{path}'"),
        (true, true) => format!("'\\x{}'", hex()),
        (true, false) => format!("x'{}'", hex()),
    }
}

/// An instant in SQL, as a column of that type takes it.
fn instant(when: When, times: Times, world: &World) -> String {
    let at = match when {
        When::Never if times == Times::Texts => return "'soon'".to_owned(),
        When::Never => return "NULL".to_owned(),
        When::Ago(days) => world.clock.now() - jiff::SignedDuration::from_secs((days * 86_400.0) as i64),
        When::At(at) => at.parse().expect("an instant"),
    };
    match times {
        Times::Instants if world.is(EngineKind::Postgres) => format!("'{at}'"),
        Times::Instants => format!("'{}'", at.strftime("%Y-%m-%d %H:%M:%S")),
        Times::Texts => format!("'{at}'"),
        Times::Seconds => at.as_second().to_string(),
        Times::Milliseconds => at.as_millisecond().to_string(),
        Times::Microseconds => at.as_microsecond().to_string(),
        // 64 bits hold three centuries of them.
        Times::Nanoseconds => i64::try_from(at.as_nanosecond()).unwrap_or_default().to_string(),
        Times::Floats | Times::Decimals => format!("{}.5", at.as_second()),
    }
}

fn pointing_values(spec: &Spec, table: Table, num: usize, row: &Row, kind: EngineKind) -> Vec<(&'static str, String)> {
    let Some(parent) = parent_of(table) else { return previous(spec, table, num, row, kind) };
    let rows = spec.table(parent).rows.len();
    // One in so many points to nothing; without a foreign key one more points to nowhere.
    let pick = |drawn: usize| drawn % (rows + 1);
    let facts = spec.table(parent);
    let point = |num: usize| match (num, table) {
        (0, _) => "NULL".to_owned(),
        (num, Table::Lease) => num.to_string(),
        (num, _) if facts.key.is_pointed_to() => key(facts.key, num, kind).remove(0).1,
        (num, _) => num.to_string(),
    };
    if table == Table::Shot && points_by_both(spec) {
        let other = ("other", point(pick(row.other)));
        let both = match pick(row.parent) {
            0 => vec![],
            num => key(Key::Composite, num, kind)
                .into_iter()
                .zip(["pa", "pb"])
                .map(|((_, value), of)| (of, value))
                .collect(),
        };
        return both.into_iter().chain([other]).collect();
    }
    vec![("parent", point(pick(row.parent))), ("other", point(pick(row.other)))]
}

/// The job before this one, or itself; one in so many has none. Nobody points to what comes later.
fn previous(spec: &Spec, table: Table, num: usize, row: &Row, kind: EngineKind) -> Vec<(&'static str, String)> {
    if table != Table::Job || spec.previous.is_none() {
        return vec![];
    }
    let value = match row.previous % (num + 1) {
        0 => "NULL".to_owned(),
        other if spec.table(Table::Job).key.is_pointed_to() => key(spec.table(Table::Job).key, other, kind).remove(0).1,
        other => other.to_string(),
    };
    vec![("previous", value)]
}

//! Fills the tables.

use std::fmt::Write;

use super::tables::{parent_of, points_by_both};
use super::value;
use crate::engines::EngineKind;
use crate::rows::generated::spec::{AGES, EXPIRES, KINDS, Key, Row, Spec, Store, Table, Times};
use crate::world::World;

/// The values of a row's key.
fn key(key: Key, num: usize, kind: EngineKind) -> Vec<(&'static str, String)> {
    match key {
        Key::Integer => vec![("id", num.to_string())],
        Key::Text => vec![("id", format!("'k{num}'"))],
        Key::Uuid => vec![("id", format!("'00000000-0000-4000-8000-{num:012}'"))],
        Key::Binary if kind == EngineKind::Postgres => vec![("id", format!("'\\x{num:08}'"))],
        Key::Binary => vec![("id", format!("x'{num:08}'"))],
        Key::Composite => vec![("a", (num % 3).to_string()), ("b", format!("'b{num}'"))],
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
        Key::Composite => array(shown)[1].trim_start_matches('b').to_owned(),
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
        values.extend(pointing_values(spec, table, row, world.db.kind()));
        let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let _ = write!(sql, "INSERT INTO {} ({}) VALUES ({});", table.name(), columns.join(", "), values.join(", "));
    }
}

fn plain_values(spec: &Spec, table: Table, row: &Row, world: &World) -> Vec<(&'static str, String)> {
    let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
    let times = spec.table(table).times;
    let instant = |days: Option<f64>| match (days, times) {
        (None, Times::Texts) => "'soon'".to_owned(),
        (None, _) => "NULL".to_owned(),
        (Some(days), Times::Instants) => world.days_ago(days),
        (Some(days), _) => {
            let at = world.clock.now() - jiff::SignedDuration::from_secs((days * 86_400.0) as i64);
            match times {
                Times::Seconds => at.as_second().to_string(),
                Times::Milliseconds => at.as_millisecond().to_string(),
                Times::Instants | Times::Texts => format!("'{at}'"),
            }
        }
    };
    let store = spec.column_store(table).unwrap_or(Store::Images);
    let root = world.root(store.name()).display().to_string();
    let state = if row.is_new { "new" } else { "done" };
    vec![
        ("at", instant(AGES[row.age])),
        ("expires_at", instant(EXPIRES[row.expires])),
        ("kind", text(KINDS[row.kind])),
        ("flag", row.flag.to_string()),
        ("state", text(Some(state))),
        ("file", text(value(store, row.file, &root).written.as_deref())),
    ]
}

fn pointing_values(spec: &Spec, table: Table, row: &Row, kind: EngineKind) -> Vec<(&'static str, String)> {
    let Some(parent) = parent_of(table) else { return vec![] };
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
        return match pick(row.parent) {
            0 => vec![],
            num => vec![("pa", (num % 3).to_string()), ("pb", format!("'b{num}'"))],
        };
    }
    vec![("parent", point(pick(row.parent))), ("other", point(pick(row.other)))]
}

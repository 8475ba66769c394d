//! What a policy may take, judged without any database: a row that went was old enough for one of them, or went along with
//! its parent; and a row that nothing keeps is gone.

use std::collections::BTreeSet;

use super::build::value;
use super::outcome::State;
use super::spec::{AGES, Action, Alive, EXPIRES, KINDS, Owner, Policy, Row, Spec, Store, Table, Time, Times, When};

/// Whether a policy takes such a row, as far as the row itself says.
fn takes(spec: &Spec, policy: &Policy, row: &Row) -> bool {
    let times = spec.table(policy.on).times;
    let kind = KINDS[row.kind];
    let is_old = match policy.time {
        Time::None => true,
        Time::Keep(days) => is_before(AGES[row.age], f64::from(days)),
        Time::Expires(grace) => is_before(EXPIRES[row.expires], f64::from(grace.unwrap_or_default())),
        Time::ByValue { default } => match kind {
            Some("a") => is_before(AGES[row.age], 5.0),
            Some("b") => is_before(AGES[row.age], 30.0),
            _ => default && is_before(AGES[row.age], 10.0),
        },
        // A condition knows no year that means never.
        Time::BySql(days) => match AGES[row.age] {
            When::At(at) => !at.starts_with('9') || times == Times::Nanoseconds,
            age => is_before(age, f64::from(days)),
        },
    };
    let fits = match policy.condition {
        None => true,
        Some("flag > 0") => row.flag > 0,
        Some("kind <> 'a'") => kind.is_some_and(|kind| kind != "a"),
        Some("flag <> 2 OR kind IS NULL") => row.flag != 2 || kind.is_none(),
        Some(other) => panic!("{other}"),
    };
    is_old && fits && (policy.alive == Alive::None || row.flag != 2)
}

/// Whether something was longer than so many days ago. What no clock has shown was at no time.
fn is_before(when: When, days: f64) -> bool {
    matches!(when, When::Ago(ago) if ago > days)
}

fn deletes(spec: &Spec, table: Table) -> impl Iterator<Item = &Policy> {
    spec.policies.iter().filter(move |policy| policy.on == table && policy.action == Action::Delete && !policy.reports)
}

/// Judges what is gone and what is left.
pub fn judge(spec: &Spec, before: &State, after: &State, told: &dyn Fn() -> String) {
    let gone: BTreeSet<_> = before.rows.keys().filter(|row| !after.rows.contains_key(row)).copied().collect();
    for (table, num) in &gone {
        let row = &spec.table(*table).rows[*num as usize - 1];
        let by_itself = deletes(spec, *table).any(|policy| takes(spec, policy, row));
        let parent = match table {
            Table::Job | Table::Lease => None,
            Table::Shot => Some(Table::Job),
            Table::Mark => Some(Table::Shot),
        };
        let along = parent.is_some_and(|parent| gone.iter().any(|(of, _)| *of == parent));
        assert!(by_itself || along, "{table:?} {num} may not go: {row:?}{}", told());
    }
    // Nothing else has a say in rows that nobody belongs to.
    for (table, num) in after.rows.keys().filter(|(table, _)| matches!(table, Table::Mark | Table::Lease)) {
        let row = &spec.table(*table).rows[*num as usize - 1];
        if spec.is_vetoed(*table, *num) || is_odd(spec, *table, row) {
            continue;
        }
        // A condition may be held to depend on no time where only far years are before its cutoff.
        let by_sql = |policy: &&Policy| matches!(policy.time, Time::BySql(_));
        let taken = deletes(spec, *table).find(|policy| !by_sql(policy) && takes(spec, policy, row));
        assert!(taken.is_none(), "{table:?} {num} must go by {taken:?}: {row:?}{}", told());
    }
}

/// Whether the row names its file in a way that may keep the row.
fn is_odd(spec: &Spec, table: Table, row: &Row) -> bool {
    let owns = spec.table(table).files.iter().any(|owner| matches!(owner, Owner::Column(_)));
    let value = value(spec.column_store(table).unwrap_or(Store::Images), row.file, "");
    owns && value.written.is_some_and(|written| !written.is_empty()) && !value.is_plain
}

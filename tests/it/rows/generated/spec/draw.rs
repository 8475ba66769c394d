//! Draws a specification.

use proptest::prelude::*;

use super::{
    AGES, Action, Alive, EXPIRES, ForeignKey, KINDS, Key, Link, OnDelete, Owner, Policy, Row, Spec, Store, Table,
    TableSpec, Time, Times,
};
use crate::engines::EngineKind;
use crate::rows::generated::build::FILES;

/// Whether numbers of every unit and fractions are drawn as times.
pub(super) const NUMBERS: bool = true;
/// Whether years are drawn that mean "never".
const FAR_DATES: bool = true;
/// Whether rows point to rows of their own table.
const THEMSELVES: bool = true;

/// The first are always drawn.
const TIMES: [Times; 10] = [
    Times::Instants,
    Times::Instants,
    Times::Instants,
    Times::Texts,
    Times::Seconds,
    Times::Milliseconds,
    Times::Microseconds,
    Times::Nanoseconds,
    Times::Floats,
    Times::Decimals,
];

fn row() -> impl Strategy<Value = Row> {
    let (ages, expires) = if FAR_DATES { (AGES.len(), EXPIRES.len()) } else { (9, 5) };
    ((0..ages, 0..expires, 0..KINDS.len()), 0..3u8, any::<bool>(), 0..FILES, 0..16usize, 0..16usize, 0..16usize)
        .prop_map(|((age, expires, kind), flag, is_new, file, parent, other, previous)| Row {
            age,
            expires,
            kind,
            flag,
            is_new,
            file,
            parent,
            other,
            previous,
        })
}

fn owners() -> impl Strategy<Value = Vec<Owner>> {
    let column = proptest::option::of(prop_oneof![Just(Store::Images), Just(Store::Thumbs)]);
    (column, proptest::bool::weighted(0.3), proptest::bool::weighted(0.3)).prop_map(|(column, preview, directory)| {
        let preview = preview.then_some(Owner::Preview);
        column.map(Owner::Column).into_iter().chain(preview).chain(directory.then_some(Owner::Directory)).collect()
    })
}

fn table(most: usize) -> impl Strategy<Value = TableSpec> {
    let key = prop_oneof![
        3 => Just(Key::Integer),
        1 => Just(Key::Text),
        1 => Just(Key::Uuid),
        1 => Just(Key::Binary),
        1 => Just(Key::Composite),
        1 => Just(Key::None),
    ];
    let times = (0..if NUMBERS { TIMES.len() } else { 6 }).prop_map(|drawn| TIMES[drawn]);
    let rows = proptest::collection::vec(row(), 0..most);
    let flags = (any::<bool>(), any::<bool>(), proptest::bool::weighted(0.3));
    (key, flags, times, owners(), rows).prop_map(
        |(key, (without_rowid, age_indexed, binary_file), times, files, rows)| TableSpec {
            key,
            without_rowid,
            times,
            age_indexed,
            binary_file,
            files,
            rows,
        },
    )
}

fn on_delete() -> impl Strategy<Value = OnDelete> {
    prop_oneof![2 => Just(OnDelete::Delete), 1 => Just(OnDelete::SetNull), 1 => Just(OnDelete::KeepParent)]
}

fn foreign_key() -> impl Strategy<Value = ForeignKey> {
    prop_oneof![Just(ForeignKey::None), Just(ForeignKey::Plain), Just(ForeignKey::Cascade), Just(ForeignKey::SetNull),]
}

fn link() -> impl Strategy<Value = Link> {
    (foreign_key(), proptest::option::weighted(0.7, on_delete())).prop_map(|(key, declared)| Link { key, declared })
}

fn policy() -> impl Strategy<Value = Policy> {
    let on = prop_oneof![
        4 => Just(Table::Job),
        2 => Just(Table::Shot),
        1 => Just(Table::Mark),
        1 => Just(Table::Lease),
    ];
    let time = prop_oneof![
        1 => Just(Time::None),
        2 => prop_oneof![Just(30u8), Just(10), Just(5)].prop_map(Time::Keep),
        1 => proptest::option::of(prop_oneof![Just(2u8), Just(7)]).prop_map(Time::Expires),
        1 => any::<bool>().prop_map(|default| Time::ByValue { default }),
        1 => prop_oneof![Just(30u8), Just(5)].prop_map(Time::BySql),
    ];
    let condition =
        proptest::option::of(prop_oneof![Just("flag > 0"), Just("kind <> 'a'"), Just("flag <> 2 OR kind IS NULL")]);
    let protected_by = proptest::option::weighted(0.3, prop_oneof![Just(Table::Lease), Just(Table::Shot)]);
    let alive = prop_oneof![8 => Just(Alive::None), 1 => Just(Alive::Sql), 1 => Just(Alive::Command)];
    let action = prop_oneof![
        6 => Just(Action::Delete),
        1 => Just(Action::Literal),
        1 => Just(Action::Null),
        1 => Just(Action::Plain),
    ];
    let batch = prop_oneof![Just(10_000u32), Just(7), Just(3), Just(1)];
    let flags = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.1), proptest::bool::weighted(0.3));
    (on, time, condition, protected_by, alive, action, batch, flags).prop_map(
        |(on, time, condition, protected_by, alive, action, batch, (declares_children, reports, shows))| Policy {
            on,
            time,
            condition,
            protected_by,
            alive,
            action,
            declares_children,
            batch,
            reports,
            shows,
        },
    )
}

/// Everything, settled for an engine.
pub fn spec(kind: EngineKind) -> impl Strategy<Value = Spec> {
    drawn(kind, [14, 16, 14, 6])
}

/// Less of everything, settled for all engines: MySQL can do least.
pub fn everywhere() -> impl Strategy<Value = Spec> {
    drawn(EngineKind::MariaDbNoReturning, [8, 10, 8, 5])
}

fn drawn(kind: EngineKind, most: [usize; 4]) -> impl Strategy<Value = Spec> {
    let tables = (table(most[0]), table(most[1]), table(most[2]), table(most[3]));
    let policies = proptest::collection::vec(policy(), 1..5);
    let links = (link(), proptest::option::weighted(0.3, on_delete()), link(), any::<bool>());
    let previous = proptest::option::weighted(0.3, foreign_key()).prop_map(|drawn| drawn.filter(|_| THEMSELVES));
    let vetoed = prop_oneof![2 => Just(Table::Mark), 1 => Just(Table::Lease), 2 => Just(Table::Job)];
    let veto = proptest::option::weighted(0.2, vetoed);
    (tables, links, previous, veto, policies).prop_map(
        move |((job, shot, mark, lease), (shots, others, marks, by_both), previous, veto, policies)| {
            Spec { tables: [job, shot, mark, lease], shots, others, marks, by_both, previous, veto, policies }
                .settled(kind)
        },
    )
}

//! Ages of a type that the server knows: the bare column, bounded, so that an index serves.

use super::super::dialect::Term;
use super::super::{ColumnType, Sql};
use super::moment::{Moments, seconds};
use crate::policy::Engine;

/// The least date and time that is not taken for a missing one on MySQL, whose zero dates sort before every date; a
/// TIMESTAMP cannot be compared with a date before 1970.
pub(super) fn mysql_floor(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::TimestampTz => "1970-01-02 00:00:00",
        ColumnType::Date => "1000-01-01",
        _ => "1000-01-01 00:00:00",
    }
}

pub(super) fn push_floor(sql: &mut Sql, term: &Term) {
    if sql.engine() == Engine::Postgres {
        // Not `> '-infinity'`: for such a bound PostgreSQL's planner looks up the least value of the index, each time
        // walking over all that was deleted before.
        sql.push("isfinite(");
        term.push(sql);
        sql.push(")");
        return;
    }
    term.push(sql);
    sql.push(" >= ");
    term.push_value(sql, mysql_floor(term.kind()));
}

pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, cutoff: &Moments) {
    let ceiling = match (sql.engine(), term.kind()) {
        (Engine::Postgres, ColumnType::TimestampTz) => format!("{}+00", seconds(cutoff.utc)),
        (_, ColumnType::TimestampTz) => seconds(cutoff.utc),
        (_, ColumnType::Date) => cutoff.local.date().to_string(),
        (_, _) => seconds(cutoff.local),
    };
    term.push(sql);
    sql.push(" < ");
    term.push_value(sql, &ceiling);
}

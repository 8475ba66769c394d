//! Ages of a type that the server knows: the bare column, bounded, so that an index serves.

use jiff::civil::DateTime;

use super::super::{ColumnType, Sql};
use super::moment::Moments;
use crate::policy::Engine;
use crate::sources::sql::dialect::Term;
use crate::sources::sql::wall_clock::seconds;

/// A TIMESTAMP of MySQL cannot be compared with a date before 1970, and holds none but zero dates, which sort before
/// every other.
const MYSQL_TIMESTAMPS: &str = "1970-01-02 00:00:00.000000";

pub(super) fn push_floor(sql: &mut Sql, term: &Term, moments: &Moments) {
    let floor = written(sql.engine(), term.kind(), moments.floor_utc, moments.floor_local);
    let is_before =
        (sql.engine(), term.kind()) == (Engine::MySql, ColumnType::TimestampTz) && floor.as_str() < MYSQL_TIMESTAMPS;
    push_compared(sql, term, ">=", if is_before { MYSQL_TIMESTAMPS } else { &floor });
}

pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, moments: &Moments) {
    let ceiling = written(sql.engine(), term.kind(), moments.utc, moments.local);
    push_compared(sql, term, "<", &ceiling);
}

/// Writes "there is no value, or one that is beyond the range". An infinite instant is beyond every other.
pub(super) fn push_undated(sql: &mut Sql, term: &Term, moments: &Moments) {
    sql.push("(");
    term.push(sql);
    sql.push(" IS NULL OR NOT (");
    push_floor(sql, term, moments);
    sql.push(")");
    // A TIMESTAMP of MySQL ends long before.
    if (sql.engine(), term.kind()) != (Engine::MySql, ColumnType::TimestampTz) {
        sql.push(" OR NOT (");
        push_ceiling(sql, term, moments);
        sql.push(")");
    }
    sql.push(")");
}

fn push_compared(sql: &mut Sql, term: &Term, operator: &str, value: &str) {
    term.push(sql);
    sql.push(&format!(" {operator} "));
    term.push_value(sql, value);
}

/// An instant as the column's type has it, from what a clock shows in UTC and on the wall.
fn written(engine: Engine, kind: ColumnType, utc: DateTime, local: DateTime) -> String {
    match (engine, kind) {
        (Engine::Postgres, ColumnType::TimestampTz) => format!("{}+00", seconds(utc)),
        (_, ColumnType::TimestampTz) => seconds(utc),
        (_, ColumnType::Date) => local.date().to_string(),
        (_, _) => seconds(local),
    }
}

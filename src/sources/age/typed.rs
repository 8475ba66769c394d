//! Ages of a type that the server knows: the bare column, bounded, so that an index serves.

use jiff::civil::DateTime;

use super::super::{ColumnType, Sql};
use super::moment::Moments;
use crate::sources::sql::term::Term;
use crate::sources::sql::wall_clock::seconds;

pub(super) fn push_floor(sql: &mut Sql, term: &Term, moments: &Moments) {
    let floor = written(sql, term, moments.floor_utc, moments.floor_local);
    let first = first_instant(sql, term).filter(|first| floor.as_str() < *first);
    push_compared(sql, term, ">=", first.unwrap_or(&floor));
}

pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, moments: &Moments) {
    let ceiling = written(sql, term, moments.utc, moments.local);
    push_compared(sql, term, "<", &ceiling);
}

/// Writes "there is no value, or one that is beyond the range". An infinite instant is beyond every other.
pub(super) fn push_undated(sql: &mut Sql, term: &Term, moments: &Moments) {
    sql.push("(").push(term).push(" IS NULL OR NOT (").with(|sql| push_floor(sql, term, moments)).push(")");
    if first_instant(sql, term).is_none() {
        sql.push(" OR NOT (").with(|sql| push_ceiling(sql, term, moments)).push(")");
    }
    sql.push(")");
}

fn push_compared(sql: &mut Sql, term: &Term, operator: &str, value: &str) {
    sql.push(term).push(&format!(" {operator} "));
    match sql.traits().casts_each_row {
        true => term.push_constant(sql, value),
        false => term.push_value(sql, value),
    }
}

/// The first instant that the column is compared with, where it cannot hold every one.
fn first_instant(sql: &Sql, term: &Term) -> Option<&'static str> {
    sql.traits().first_instant.filter(|_| term.kind() == ColumnType::TimestampTz)
}

/// An instant as the column's type has it, from what a clock shows in UTC and on the wall.
fn written(sql: &Sql, term: &Term, utc: DateTime, local: DateTime) -> String {
    match term.kind() {
        ColumnType::TimestampTz => seconds(utc) + sql.traits().utc,
        ColumnType::Date => local.date().to_string(),
        _ => seconds(local),
    }
}

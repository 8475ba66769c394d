//! The operator's SQL as it enters a statement: parameters bound, names of SQLite quoted so that they must exist.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dialect::Term;
use super::fragment::Fragment;
use super::instants::Instants;
use super::wall_clock::{earliest_local, seconds};
use crate::policy::{Engine, Param, ParamKind, Segment, TimeParam, TimePoint};
use crate::sources::Sql;

/// The values of a policy's parameters, each with how it is read.
pub(crate) type Bound = BTreeMap<String, BoundParam>;

/// A value and its type; a look that binds nothing has NULL for every parameter.
#[derive(Debug, Clone)]
pub(crate) struct BoundParam {
    pub(crate) value: Option<String>,
    pub(crate) read_as: ReadAs,
}

#[derive(Debug, Clone)]
pub(crate) enum ReadAs {
    /// As the column has it.
    Column(Term),
    Kind(ParamKind),
}

/// Writes a piece of the operator's SQL in parentheses.
pub(crate) fn push_condition(sql: &mut Sql, fragment: &Fragment, at: Instants, bound: &Bound) {
    let mut walls = fragment.on_the_wall.iter().map(|on_the_wall| on_the_wall.then_some(&fragment.zone));
    sql.push("(");
    for segment in fragment.condition.segments() {
        match segment {
            Segment::Sql(text) => {
                sql.push(text);
            }
            // SQLite takes an unknown name in double quotes for a string, which could make every row eligible; a name in
            // backticks must be a column.
            Segment::DoubleQuoted(name) if sql.engine() == Engine::Sqlite => {
                sql.push("`").push(&name.replace('`', "``")).push("`");
            }
            Segment::DoubleQuoted(text) => {
                sql.push("\"").push(text).push("\"");
            }
            Segment::Param(Param::Time(time)) => push_time(sql, *time, at, walls.next().flatten()),
            Segment::Param(Param::Named(name)) => push_named(sql, name, bound, walls.next().flatten()),
        }
    }
    // The line ends here, whatever a server may take for the start of a comment.
    sql.push("\n)");
}

fn push_time(sql: &mut Sql, time: TimeParam, at: Instants, wall: Option<&TimeZone>) {
    let instant = match time.point {
        TimePoint::Now => at.now,
        // Compilation made sure that a condition with :cutoff has a keep, hence a cutoff.
        TimePoint::Cutoff => at.cutoff.unwrap_or(at.now),
        TimePoint::NowMinus(ago) => at.now.checked_sub(ago).unwrap_or(Timestamp::MIN),
    };
    let Some(unit) = time.unit else { return push_instant(sql, instant, wall) };
    let (before, after) = match sql.engine() {
        Engine::Postgres => ("(", ")::bigint"),
        Engine::MySql => ("CAST(", " AS SIGNED)"),
        Engine::Sqlite => ("CAST(", " AS INTEGER)"),
    };
    let whole = unit.whole(instant).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    sql.push(before).bind(whole.to_string()).push(after);
}

fn push_named(sql: &mut Sql, name: &str, bound: &Bound, wall: Option<&TimeZone>) {
    // Fitting made sure that every parameter has its value; NULL compares with nothing.
    let Some(param) = bound.get(name) else {
        sql.push("NULL");
        return;
    };
    let kind = match (&param.read_as, &param.value) {
        (ReadAs::Column(term), Some(value)) => return term.push_value(sql, value),
        (ReadAs::Column(term), None) => return term.push_null(sql),
        (ReadAs::Kind(kind), _) => *kind,
    };
    if kind == ParamKind::Timestamp
        && let Some(at) = param.value.as_ref().and_then(|value| value.parse().ok())
    {
        return push_instant(sql, at, wall);
    }
    let (before, after) = match (sql.engine(), kind) {
        (Engine::Postgres, kind) => ("", postgres_cast(kind)),
        (Engine::MySql, ParamKind::Integer | ParamKind::Boolean) => ("CAST(", " AS SIGNED)"),
        (Engine::MySql, ParamKind::Timestamp) => ("CAST(", " AS DATETIME(6))"),
        (Engine::MySql, ParamKind::Date) => ("CAST(", " AS DATE)"),
        (Engine::Sqlite, ParamKind::Integer | ParamKind::Boolean) => ("CAST(", " AS INTEGER)"),
        (Engine::MySql | Engine::Sqlite, _) => ("", ""),
    };
    sql.push(before).bind(param.value.clone()).push(after);
}

fn postgres_cast(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Text => "",
        ParamKind::Integer => "::bigint",
        ParamKind::Boolean => "::boolean",
        ParamKind::Timestamp => "::timestamptz",
        ParamKind::Date => "::date",
        ParamKind::Uuid => "::uuid",
    }
}

/// A value as its type wants it; what is wrong with one that is none.
pub(crate) fn checked(value: &str, read_as: &ReadAs, engine: Engine) -> Result<String, String> {
    use crate::sources::ColumnType;
    let kind = match read_as {
        ReadAs::Kind(kind) => *kind,
        ReadAs::Column(term) if term.kind() == ColumnType::Integer => ParamKind::Integer,
        ReadAs::Column(term) if term.kind() == ColumnType::Uuid => ParamKind::Uuid,
        ReadAs::Column(_) => ParamKind::Text,
    };
    let wrong = |what: &str| format!("{value:?} is no {what}");
    match kind {
        ParamKind::Text => Ok(value.to_owned()),
        ParamKind::Integer => match value.parse::<i128>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(wrong("whole number")),
        },
        ParamKind::Boolean => match (value, engine) {
            ("true", Engine::Postgres) => Ok("true".to_owned()),
            ("false", Engine::Postgres) => Ok("false".to_owned()),
            ("true", _) => Ok("1".to_owned()),
            ("false", _) => Ok("0".to_owned()),
            _ => Err(wrong("boolean; write true or false")),
        },
        ParamKind::Timestamp => match value.parse::<Timestamp>() {
            Ok(instant) => Ok(instant.to_string()),
            Err(_) => Err(wrong("instant; write it such as 2026-01-31T00:00:00Z")),
        },
        ParamKind::Date => match value.parse::<jiff::civil::Date>() {
            Ok(date) => Ok(date.to_string()),
            Err(_) => Err(wrong("date; write it such as 2026-01-31")),
        },
        ParamKind::Uuid => match uuid::Uuid::try_parse(value) {
            Ok(_) => Ok(value.to_owned()),
            Err(_) => Err(wrong("UUID")),
        },
    }
}

/// The same values, with this instant for every time among them.
pub(crate) fn bound_at(bound: &Bound, at: Timestamp) -> Bound {
    let mut bound = bound.clone();
    for param in bound.values_mut().filter(|param| param.value.is_some()) {
        match param.read_as {
            ReadAs::Kind(ParamKind::Timestamp) => param.value = Some(at.to_string()),
            ReadAs::Kind(ParamKind::Date) => param.value = Some(TimeZone::UTC.to_datetime(at).date().to_string()),
            ReadAs::Kind(ParamKind::Text | ParamKind::Integer | ParamKind::Boolean | ParamKind::Uuid)
            | ReadAs::Column(_) => {}
        }
    }
    bound
}

/// An instant as the operator's SQL compares it: timestamptz on PostgreSQL, DATETIME in UTC on MySQL, and the text of
/// `CURRENT_TIMESTAMP` on SQLite. Beside what has no zone it is what a clock on the wall shows, on PostgreSQL as a
/// timestamp without time zone.
fn push_instant(sql: &mut Sql, at: Timestamp, wall: Option<&TimeZone>) {
    let shown = match wall {
        Some(zone) => earliest_local(at, zone),
        None => TimeZone::UTC.to_datetime(at),
    };
    match (sql.engine(), wall) {
        (Engine::Postgres, None) => sql.bind(format!("{}+00", seconds(shown))).push("::timestamptz"),
        (Engine::Postgres, Some(_)) => sql.bind(seconds(shown)).push("::timestamp"),
        (Engine::MySql, _) => sql.push("CAST(").bind(seconds(shown)).push(" AS DATETIME(6))"),
        (Engine::Sqlite, _) => sql.bind(shown.strftime("%Y-%m-%d %H:%M:%S").to_string()),
    };
}

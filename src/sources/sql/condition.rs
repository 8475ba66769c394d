//! The operator's SQL as it enters a statement: parameters bound, names of SQLite quoted so that they must exist.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dialect::{ColumnType, dialect};
use super::fragment::Fragment;
use super::instants::Instants;
use super::term::Term;
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
            // An unknown name could make every row eligible; quoted in another way, it must be a column.
            Segment::DoubleQuoted(text) if sql.traits().mistakes_names => {
                sql.push(&sql.traits().quoted(text));
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
    let whole = unit.whole(instant).clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    sql.bind_in(sql.traits().integer, whole.to_string());
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
    sql.bind_in(sql.traits().parameters[kind as usize], param.value.clone());
}

/// A value as its type wants it; what is wrong with one that is none.
pub(crate) fn checked(value: &str, read_as: &ReadAs, engine: Engine) -> Result<String, String> {
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
        ParamKind::Boolean => match value.parse::<bool>() {
            Ok(flag) => Ok(dialect(engine).traits().flags[usize::from(flag)].to_owned()),
            Err(_) => Err(wrong("boolean; write true or false")),
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

/// The values with this instant for every time among them.
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
    let (traits, mut value) = (sql.traits(), seconds(shown));
    if traits.whole_seconds {
        value = shown.strftime("%Y-%m-%d %H:%M:%S").to_string();
    }
    if wall.is_none() {
        value.push_str(traits.utc);
    }
    sql.bind_in(traits.instants[usize::from(wall.is_some())], value);
}

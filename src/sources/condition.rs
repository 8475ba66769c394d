//! The operator's SQL as it enters a statement: parameters bound, names of SQLite quoted so that they must exist.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::dialect::Term;
use super::target::Instants;
use super::{Sql, age};
use crate::policy::{Condition, Engine, Param, ParamKind, Segment};

/// The values of a policy's parameters, each with how it is read.
pub(super) type Bound = BTreeMap<String, BoundParam>;

/// A value and its type; a look that binds nothing has NULL for every parameter.
#[derive(Debug, Clone)]
pub(super) struct BoundParam {
    pub(super) value: Option<String>,
    pub(super) read_as: ReadAs,
}

#[derive(Debug, Clone)]
pub(super) enum ReadAs {
    /// As the column has it.
    Column(Term),
    Kind(ParamKind),
}

/// Writes a condition in parentheses.
pub(super) fn push_condition(sql: &mut Sql, condition: &Condition, at: Instants, bound: &Bound) {
    sql.push("(");
    for segment in condition.segments() {
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
            Segment::Param(Param::Now) => push_instant(sql, at.now),
            // Compilation made sure that a condition with :cutoff has a keep, hence a cutoff.
            Segment::Param(Param::Cutoff) => push_instant(sql, at.cutoff.unwrap_or(at.now)),
            Segment::Param(Param::NowMinus(ago)) => {
                push_instant(sql, at.now.checked_sub(*ago).unwrap_or(Timestamp::MIN));
            }
            Segment::Param(Param::Named(name)) => push_named(sql, name, bound),
        }
    }
    // The line ends here, whatever a server may take for the start of a comment.
    sql.push("\n)");
}

fn push_named(sql: &mut Sql, name: &str, bound: &Bound) {
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
pub(super) fn checked(value: &str, read_as: &ReadAs, engine: Engine) -> Result<String, String> {
    use super::ColumnType;
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
            Ok(instant) => Ok(instant_text(engine, instant)),
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

/// An instant as the operator's SQL compares it: timestamptz on PostgreSQL, DATETIME in UTC on MySQL, and the text of
/// `CURRENT_TIMESTAMP` on SQLite.
fn push_instant(sql: &mut Sql, at: Timestamp) {
    let text = instant_text(sql.engine(), at);
    match sql.engine() {
        Engine::Postgres => sql.bind(text).push("::timestamptz"),
        Engine::MySql => sql.push("CAST(").bind(text).push(" AS DATETIME(6))"),
        Engine::Sqlite => sql.bind(text),
    };
}

fn instant_text(engine: Engine, at: Timestamp) -> String {
    let utc = TimeZone::UTC.to_datetime(at);
    match engine {
        Engine::Postgres => format!("{}+00", age::seconds(utc)),
        Engine::MySql => age::seconds(utc),
        Engine::Sqlite => utc.strftime("%Y-%m-%d %H:%M:%S").to_string(),
    }
}

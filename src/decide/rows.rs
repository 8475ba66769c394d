//! Reasons that keep a row, from what the database and its policy say of it.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use schemars::JsonSchema;
use serde::Serialize;

use super::facts::in_seconds;
use super::policy::Standstill;
use super::source::Timeless;
use crate::policy::{Alive, RowsPolicy, TableName};
use crate::text::{human, word_of};

/// Reading of a value of an age column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgeValue {
    At(Timestamp),
    /// It is beyond the floor or the ceiling of all dates, or infinite, or a zero date: such a row has no time.
    NoTime,
    Unreadable,
}

/// Answers of the parts of a policy about a row of its table. A part that the policy does not have is none; within it, none
/// is NULL.
#[derive(Debug, Clone)]
pub struct RowFacts {
    /// The whole condition of a run.
    pub eligible: bool,
    pub old: Option<Option<bool>>,
    pub matches: Option<Option<bool>>,
    pub alive: Option<Option<bool>>,
    pub age: Option<RowAge>,
    pub kept_by: Vec<Keeper>,
}

/// A row's age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowAge {
    pub column: String,
    /// As the column has it.
    pub value: Option<String>,
    /// None: missing.
    pub read: Option<AgeValue>,
    /// Time for which the row is kept; none where its value of the deciding column is not listed.
    pub keep: Option<Duration>,
    /// The column that decides the time and the row's value in it.
    pub decided_by: Option<(String, Option<String>)>,
}

/// A row of another table that keeps the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    pub table: TableName,
    /// As people read it: the first of them in the order of the key.
    pub key: String,
    /// It is a child that keeps its parent, and not a protection.
    pub child: bool,
}

/// Something that keeps a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RowReason {
    /// The policy does not match its table.
    Unfit {
        #[serde(skip)]
        why: String,
    },
    Standstill(Standstill),
    TimeIndependent(Timeless),
    NeedsParameters {
        names: Vec<String>,
    },
    NoParent {
        table: String,
        columns: String,
    },
    /// A child for whose sake its parent, a row of a table, stays.
    KeepsParent {
        parent: String,
        columns: String,
    },
    AgeMissing {
        column: String,
    },
    AgeUnreadable {
        column: String,
        value: String,
    },
    /// Its time is not between the floor and the ceiling of all dates.
    NoTime {
        column: String,
        value: String,
        earliest: DateTime,
    },
    /// `keep` lists no time for it.
    NoKeep {
        column: String,
        value: Option<String>,
    },
    Condition {
        sql: String,
        is_null: bool,
    },
    Protected {
        table: String,
        key: String,
    },
    ChildKeeps {
        table: String,
        key: String,
    },
    Alive {
        by: String,
    },
    AliveUnknown {
        #[serde(skip)]
        why: String,
    },
    /// A path of its own, or of a row of another table that is deleted with it, is not one of its store's.
    Unmapped {
        #[serde(skip)]
        of: Option<(String, String)>,
        column: String,
        value: String,
        store: String,
        #[serde(skip)]
        why: String,
    },
    /// For a reason that has no other name.
    NotEligible,
    TooYoung {
        at: Timestamp,
        #[serde(rename = "keep_secs", serialize_with = "in_seconds")]
        keep: Duration,
        expires: bool,
        #[serde(skip)]
        now: Timestamp,
    },
    Locked,
}

/// The words of reasons, from the most lasting to what is over soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    Unfit,
    PolicyOff,
    TaskOff,
    ReportMode,
    TimeIndependent,
    NeedsParameters,
    NoParent,
    KeepsParent,
    AgeMissing,
    AgeUnreadable,
    NoTime,
    WhereFalse,
    WhereNull,
    Protected,
    ChildKeeps,
    Alive,
    AliveUnknown,
    Unmapped,
    NotEligible,
    /// The SQL of the policy fails on it.
    SqlFails,
    /// A column of it holds bytes that are no text.
    Unreadable,
    /// It stayed as it was without an error: a trigger or rule.
    Vetoed,
    /// The database refuses it.
    Refused,
    /// A row of its own table that stays needs it.
    Needed,
    TooYoung,
    Locked,
}

impl ReasonKind {
    /// The word that JSON has, which stays the same.
    pub fn word(self) -> Option<String> {
        word_of(&self)
    }

    /// True if it goes away by waiting.
    pub fn passes(self) -> bool {
        matches!(self, ReasonKind::TooYoung | ReasonKind::Locked)
    }
}

/// A value is shown no longer than this.
const SHOWN_CHARS: usize = 60;

/// The beginning of a value.
pub fn shown(value: &str) -> String {
    value.chars().take(SHOWN_CHARS).collect()
}

/// Instant from which on a row is old enough, and what is to be said of its age.
pub fn of_age(rows: &RowsPolicy, facts: &RowFacts, now: Timestamp) -> (Option<Timestamp>, Option<RowReason>) {
    let (Some(column), Some(age), Some(old)) = (&rows.age, &facts.age, facts.old) else { return (None, None) };
    let at = match age.read {
        Some(AgeValue::At(at)) => Some(at),
        Some(AgeValue::NoTime | AgeValue::Unreadable) | None => None,
    };
    let eligible_at = at.zip(age.keep).and_then(|(at, keep)| at.checked_add(keep).ok());
    if old == Some(true) {
        return (eligible_at, None);
    }
    let RowAge { column: name, value, read, keep, decided_by } = age;
    let name = name.clone();
    let reason = match (value.as_deref(), read, keep) {
        (None | Some(""), ..) | (Some(_), None, _) => RowReason::AgeMissing { column: name },
        (Some(value), Some(AgeValue::Unreadable), _) => RowReason::AgeUnreadable { column: name, value: shown(value) },
        (Some(value), Some(AgeValue::NoTime), _) => {
            let earliest = jiff::tz::TimeZone::UTC.to_datetime(column.earliest);
            RowReason::NoTime { column: name, value: shown(value), earliest }
        }
        (Some(_), Some(AgeValue::At(_)), None) => {
            let (column, value) = decided_by.clone().unwrap_or_default();
            RowReason::NoKeep { column, value }
        }
        (Some(_), Some(AgeValue::At(at)), Some(keep)) => {
            RowReason::TooYoung { at: *at, keep: *keep, expires: column.expires, now }
        }
    };
    (eligible_at, Some(reason))
}

/// Reasons besides its age, as the database said.
pub fn of_row(rows: &RowsPolicy, facts: &RowFacts) -> Vec<RowReason> {
    let mut reasons = Vec::new();
    if let Some(is_true @ (None | Some(false))) = facts.matches {
        let sql = rows.condition.as_ref().map(ToString::to_string).unwrap_or_default();
        reasons.push(RowReason::Condition { sql, is_null: is_true.is_none() });
    }
    for Keeper { table, key, child } in &facts.kept_by {
        let (table, key) = (table.table.to_string(), key.clone());
        reasons.push(match child {
            false => RowReason::Protected { table, key },
            true => RowReason::ChildKeeps { table, key },
        });
    }
    if let (Some(Alive::Sql(sql)), Some(alive)) = (&rows.alive, facts.alive) {
        match alive {
            Some(false) => {}
            Some(true) => reasons.push(RowReason::Alive { by: sql.to_string() }),
            None => reasons.push(RowReason::AliveUnknown { why: format!("this is NULL: {sql}") }),
        }
    }
    reasons
}

impl RowReason {
    /// The word that JSON has, which stays the same.
    pub fn kind(&self) -> ReasonKind {
        match self {
            RowReason::Unfit { .. } => ReasonKind::Unfit,
            RowReason::Standstill(Standstill::PolicyOff { .. }) => ReasonKind::PolicyOff,
            RowReason::Standstill(Standstill::TaskOff { .. }) => ReasonKind::TaskOff,
            RowReason::Standstill(Standstill::ReportMode { .. }) => ReasonKind::ReportMode,
            RowReason::TimeIndependent(_) => ReasonKind::TimeIndependent,
            RowReason::NeedsParameters { .. } => ReasonKind::NeedsParameters,
            RowReason::NoParent { .. } => ReasonKind::NoParent,
            RowReason::KeepsParent { .. } => ReasonKind::KeepsParent,
            RowReason::AgeMissing { .. } => ReasonKind::AgeMissing,
            RowReason::AgeUnreadable { .. } => ReasonKind::AgeUnreadable,
            RowReason::NoTime { .. } | RowReason::NoKeep { .. } => ReasonKind::NoTime,
            RowReason::Condition { is_null: false, .. } => ReasonKind::WhereFalse,
            RowReason::Condition { is_null: true, .. } => ReasonKind::WhereNull,
            RowReason::Protected { .. } => ReasonKind::Protected,
            RowReason::ChildKeeps { .. } => ReasonKind::ChildKeeps,
            RowReason::Alive { .. } => ReasonKind::Alive,
            RowReason::AliveUnknown { .. } => ReasonKind::AliveUnknown,
            RowReason::Unmapped { .. } => ReasonKind::Unmapped,
            RowReason::NotEligible => ReasonKind::NotEligible,
            RowReason::TooYoung { .. } => ReasonKind::TooYoung,
            RowReason::Locked => ReasonKind::Locked,
        }
    }

    /// The row that keeps it: its table and key.
    pub fn by(&self) -> Option<(&str, &str)> {
        match self {
            RowReason::Protected { table, key }
            | RowReason::ChildKeeps { table, key }
            | RowReason::Unmapped { of: Some((table, key)), .. } => Some((table, key)),
            _ => None,
        }
    }
}

impl fmt::Display for RowReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowReason::Unfit { why } => f.write_str(why),
            RowReason::Standstill(standstill) => standstill.fmt(f),
            RowReason::TimeIndependent(timeless) => write!(f, "its runs are blocked: {timeless}"),
            RowReason::NeedsParameters { names } => write!(
                f,
                "it runs with the parameters {}; give them with --param to see what it says",
                names.join(", ")
            ),
            RowReason::NoParent { table, columns } => {
                write!(f, "it goes with rows of {table}, and by its {columns} it points to none")
            }
            RowReason::KeepsParent { parent, columns } => {
                write!(f, "stays, and keeps {parent} as long as its {columns} points there")
            }
            RowReason::AgeMissing { column } => {
                write!(f, "its {column} is missing, and a row without an age is never taken")
            }
            RowReason::AgeUnreadable { column, value } => write!(f, "its {column} {value:?} cannot be read as a date"),
            RowReason::NoTime { column, value, earliest } => write!(
                f,
                "its {column} {value:?} is not between {} and 9000-01-01, so it is not a time, and a row without a time is \
                 never taken",
                earliest.date()
            ),
            RowReason::NoKeep { column, value } => {
                let value = value.as_ref().map_or_else(|| "NULL".to_owned(), |value| format!("{value:?}"));
                write!(f, "keep lists no time for its {column} {value}, and has no default")
            }
            RowReason::Condition { sql, is_null: false } => write!(f, "where is not true for it: {sql}"),
            RowReason::Condition { sql, is_null: true } => {
                write!(f, "where is NULL for it, which is not true: {sql}")
            }
            RowReason::Protected { table, key } => write!(f, "protected by row {key} of {table}"),
            RowReason::ChildKeeps { table, key } => write!(f, "row {key} of {table} points to it, which keeps it"),
            RowReason::Alive { by } => write!(f, "its work still goes on: {by}"),
            RowReason::AliveUnknown { why } => write!(f, "it is not known whether its work still goes on: {why}"),
            RowReason::Unmapped { of, column, value, store, why } => {
                match of {
                    None => f.write_str("its ")?,
                    Some((table, key)) => write!(f, "row {key} of {table} goes with it, and its ")?,
                }
                write!(f, "{column} {value:?} is not a path of store {store}: {why}")
            }
            RowReason::NotEligible => f.write_str("the database does not count it among the eligible rows"),
            RowReason::TooYoung { at, keep, expires, now } => {
                let keep = human::length(*keep);
                match expires {
                    true if at > now => write!(f, "it expires {}", human::instant_from(*at, *now)),
                    true => write!(f, "it expired {} and has a grace of {keep}", human::instant_from(*at, *now)),
                    false => write!(f, "too young: it is {} old and kept for {keep}", human::between(*at, *now)),
                }
            }
            RowReason::Locked => {
                f.write_str("another session holds it locked just now; a run tries it again at its end")
            }
        }
    }
}

//! `age`, `keep`, `expires` and their companions: when a row is old enough.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::raw::{RawKeepByValue, RawPolicy};
use crate::config::values::OrTable;
use crate::config::{Fault, KeyPath};

use super::super::super::{AgeColumn, EARLIEST, Ident, Keep, KeepByValue, LATEST};
use super::super::Gather;
use super::sql::Scope;

/// When a row is old enough.
pub(super) struct Times {
    pub age: Option<AgeColumn>,
    pub keep: Option<Keep>,
}

impl Gather<'_> {
    pub(super) fn times(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &Scope) -> Times {
        self.refuse_mismatch(table, raw, scope);
        let earliest = self.parsed(table, "earliest", raw.earliest.as_ref(), parse_earliest).unwrap_or(EARLIEST);
        let (key, text, expires) = match (&raw.age, &raw.expires) {
            (Some(text), _) => ("age", Some(text), false),
            (None, text) => ("expires", text.as_ref(), true),
        };
        let column = self.parsed(table, key, text, Ident::parse);
        let keep = match &raw.keep {
            _ if raw.expires.is_some() => Some(Keep::For(raw.grace.unwrap_or_default().0)),
            Some(OrTable::Plain(keep)) => Some(Keep::For(keep.0)),
            Some(OrTable::Table(raw)) => self.keep_by_value(&table.key("keep"), raw).map(Keep::ByValue),
            None => None,
        };
        Times { age: column.map(|column| AgeColumn { column, format: raw.age_format, expires, earliest }), keep }
    }

    fn keep_by_value(&mut self, path: &KeyPath, raw: &RawKeepByValue) -> Option<KeepByValue> {
        let hint = "write keep = { column = \"…\", values = { … = \"30d\" }, default = \"30d\" }";
        let column = self.required(path, "column", &raw.column, hint);
        let column = self.parsed(path, "column", column, Ident::parse);
        let written = self.required(path, "values", &raw.values, hint);
        let list = path.key("values");
        if written.is_some_and(Vec::is_empty) && !self.is_faulty_within(&list) {
            self.refuse_value(&list, "no value has a time of its own", "write keep = \"30d\" to keep all rows as long");
        }
        let values = written.into_iter().flatten().map(|(value, time)| (value.clone(), time.0)).collect();
        Some(KeepByValue { column: column?, values, default: raw.default.map(|time| time.0) })
    }

    /// Refuses what makes no sense together, and what has no effect: whoever wrote it expects one.
    fn refuse_mismatch(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &Scope) {
        let is_written = |key: &str| self.is_written(table, key);
        let (age, keep, expires) = (is_written("age"), is_written("keep"), is_written("expires"));
        let (has_format, has_grace) = (is_written("age_format"), is_written("grace"));
        let has_earliest = is_written("earliest");
        let by_value = matches!(raw.keep, Some(OrTable::Table(_)));
        let mut refuse_key = |key: &str, message: &str, hint: &str| self.refuse_key(&table.key(key), message, hint);
        if age && expires {
            let hint = "leave one of them out: age says when a row began, expires when it ends";
            refuse_key("expires", "age and expires are both there", hint);
        } else if age && !keep {
            refuse_key("age", "age needs keep", "write keep = \"30d\" beside it");
        } else if expires && keep {
            let hint = "to keep rows for a time after they have expired, write grace instead";
            refuse_key("keep", "keep has no effect: the row itself says when it expires", hint);
        } else if keep && !age && by_value {
            refuse_key("keep", "keep has no effect: nothing says how old a row is", "add age = \"COLUMN\"");
        } else if keep && !age && scope.cutoffs.is_empty() && !scope.unreadable {
            let hint = "add age = \"COLUMN\", or use :cutoff in where";
            refuse_key("keep", "keep has no effect: nothing says how old a row is", hint);
        }
        if has_grace && !expires {
            refuse_key(
                "grace",
                "grace has no effect without expires",
                "add expires = \"COLUMN\", or write keep instead",
            );
        }
        for (key, is_there) in [("age_format", has_format), ("earliest", has_earliest)] {
            if is_there && !age && !expires {
                refuse_key(key, &format!("{key} has no effect without age or expires"), "leave it out");
            }
        }
        self.refuse_cutoffs(scope, keep || expires, by_value);
    }

    fn refuse_cutoffs(&mut self, scope: &Scope, has_keep: bool, by_value: bool) {
        for path in &scope.cutoffs {
            let key = path.last_key();
            if by_value {
                let message = format!("{key} uses :cutoff, and keep has a time for each value");
                self.refuse_value(path, message, "write such as :now_minus_30d instead");
            } else if !has_keep {
                let message = format!("{key} uses :cutoff, and there is no keep to compute it from");
                self.refuse_value(path, message, "add keep = \"30d\"");
            }
        }
    }
}

/// A date, which begins in UTC, or an instant. Calendars disagree about what came before the year 1000.
fn parse_earliest(text: &str) -> Result<Timestamp, Fault> {
    let hint = "write a date such as \"1970-01-01\", or an instant such as \"1970-01-01T00:00:00Z\"";
    let date = (text.len() == "1970-01-01".len()).then(|| text.parse::<jiff::civil::Date>().ok()).flatten();
    let at = match date {
        Some(date) => date.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).ok(),
        None => text.parse::<Timestamp>().ok(),
    };
    let at = at.ok_or_else(|| Fault::new(format!("{text:?} is neither a date nor an instant")).hint(hint))?;
    if TimeZone::UTC.to_datetime(at).year() < 1000 || at >= LATEST {
        let fault = Fault::new(format!("{text} is not between the years 1000 and 9000"));
        return Err(fault.hint(hint));
    }
    Ok(at)
}

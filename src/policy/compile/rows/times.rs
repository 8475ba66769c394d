//! `age`, `keep`, `expires` and their companions: when a row is old enough.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::raw::{RawKeep, RawKeepByValue, RawPolicy};
use crate::config::{Aspect, KeyPath, did_you_mean};

use super::super::super::{AgeColumn, AgeFormat, EARLIEST, Ident, Keep, KeepByValue, LATEST};
use super::super::value::{LONGEST_KEEP, parse_duration};
use super::super::{Fault, Gather};
use super::sql::Scope;

/// When a row is old enough.
pub(super) struct Times {
    pub age: Option<AgeColumn>,
    pub keep: Option<Keep>,
}

impl Gather<'_> {
    pub(super) fn times(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &Scope) -> Times {
        self.refuse_mismatch(table, raw, scope);
        let format = raw.age_format.as_ref().and_then(|text| self.check(&table.key("age_format"), parse_format(text)));
        let earliest = raw.earliest.as_ref().and_then(|text| self.check(&table.key("earliest"), parse_earliest(text)));
        let earliest = earliest.unwrap_or(EARLIEST);
        let (key, text, expires) = match (&raw.age, &raw.expires) {
            (Some(text), _) => ("age", Some(text), false),
            (None, text) => ("expires", text.as_ref(), true),
        };
        let column = text.and_then(|text| self.check(&table.key(key), Ident::parse(text)));
        let grace = raw
            .grace
            .as_ref()
            .and_then(|text| self.check(&table.key("grace"), parse_duration("grace", &text.0, LONGEST_KEEP)));
        let keep = self.keep(&table.key("keep"), raw.keep.as_ref());
        let keep = if raw.expires.is_some() { Some(Keep::For(grace.unwrap_or_default())) } else { keep };
        Times { age: column.map(|column| AgeColumn { column, format, expires, earliest }), keep }
    }

    fn keep(&mut self, path: &KeyPath, raw: Option<&RawKeep>) -> Option<Keep> {
        match raw? {
            RawKeep::For(text) => self.check(path, parse_duration("keep", &text.0, LONGEST_KEEP)).map(Keep::For),
            RawKeep::ByValue(raw) => self.keep_by_value(path, raw).map(Keep::ByValue),
        }
    }

    fn keep_by_value(&mut self, path: &KeyPath, raw: &RawKeepByValue) -> Option<KeepByValue> {
        let hint = "write keep = { column = \"…\", values = { … = \"30d\" }, default = \"30d\" }";
        let column = self.required(path, "column", raw.column.as_ref(), hint);
        let column = column.and_then(|text| self.check(&path.key("column"), Ident::parse(text)));
        let written = self.required(path, "values", raw.values.as_ref(), hint);
        let list = path.key("values");
        if written.is_some_and(|values| values.0.is_empty()) && !self.is_faulty_within(&list) {
            let fault = Fault::new("no value has a time of its own");
            self.refuse(&list, Aspect::Value, fault.hint("write keep = \"30d\" to keep all rows as long"));
        }
        let mut time = |path: &KeyPath, text: &str| -> Option<Duration> {
            self.check(path, parse_duration("keep.values", text, LONGEST_KEEP))
        };
        let values = written.map(|values| values.0.as_slice()).unwrap_or_default();
        let values = values.iter().filter_map(|(value, text)| Some((value.clone(), time(&list.key(value), &text.0)?)));
        let values = values.collect();
        let default = raw.default.as_ref().and_then(|text| time(&path.key("default"), &text.0));
        Some(KeepByValue { column: column?, values, default })
    }

    /// Refuses what makes no sense together, and what has no effect: whoever wrote it expects one.
    fn refuse_mismatch(&mut self, table: &KeyPath, raw: &RawPolicy, scope: &Scope) {
        let is_written = |key: &str| self.loaded.is_written(&table.key(key));
        let (age, keep, expires) = (is_written("age"), is_written("keep"), is_written("expires"));
        let (has_format, has_grace) = (is_written("age_format"), is_written("grace"));
        let has_earliest = is_written("earliest");
        let by_value = matches!(raw.keep, Some(RawKeep::ByValue(_)));
        let mut refuse_key = |key: &str, message: &str, hint: &str| {
            self.refuse(&table.key(key), Aspect::Key, Fault::new(message).hint(hint));
        };
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
            let fault = if by_value {
                let fault = Fault::new(format!("{key} uses :cutoff, and keep has a time for each value"));
                fault.hint("write such as :now_minus_30d instead")
            } else if !has_keep {
                let fault = Fault::new(format!("{key} uses :cutoff, and there is no keep to compute it from"));
                fault.hint("add keep = \"30d\"")
            } else {
                continue;
            };
            self.refuse(path, Aspect::Value, fault);
        }
    }
}

fn parse_format(text: &str) -> Result<AgeFormat, Fault> {
    let words = AgeFormat::ALL.map(AgeFormat::word);
    AgeFormat::ALL.into_iter().find(|format| format.word() == text).ok_or_else(|| {
        let hint = did_you_mean(text, words).unwrap_or_else(|| {
            "\"unix\" counts seconds since 1970, \"unix_ms\" milliseconds, \"unix_us\" microseconds, \"unix_ns\" \
             nanoseconds; dates and timestamps need none"
                .to_owned()
        });
        Fault::new(format!("there is no age_format {text:?}")).hint(hint)
    })
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

//! What keeps a row, in words: from what its policy says of itself and from what the database said of the row. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::policy::{Alive, Mode, Policy, RowsPolicy, Settings};
use crate::report::{Reason, ReasonKind, RowName, human};
use crate::sources::{AgeValue, JudgedAge, Judgement, Keeper};

/// A value is shown no longer than this.
pub(super) const SHOWN_CHARS: usize = 60;

/// A policy as it stands in the configuration.
pub(super) struct RowStanding<'a> {
    pub(super) settings: &'a Settings,
    pub(super) policy: &'a Policy,
}

impl RowStanding<'_> {
    /// Why its runs take nothing, whatever the row.
    pub(super) fn reasons(&self) -> Vec<Reason> {
        let Self { settings, policy } = self;
        let mut reasons = Vec::new();
        if !policy.enabled {
            let message = format!("policy {} is switched off", policy.name);
            reasons.push(reason(ReasonKind::PolicyOff, message));
        }
        if let Some(task) = policy.task.as_ref().and_then(|task| settings.task(task)).filter(|task| !task.enabled) {
            let message = format!("task {} is switched off, so nothing runs the policy on schedule", task.name);
            reasons.push(reason(ReasonKind::TaskOff, message));
        }
        if settings.daemon.mode == Mode::Report {
            reasons.push(reason(
                ReasonKind::ReportMode,
                "[daemon] mode is \"report\": nothing is ever deleted".to_owned(),
            ));
        } else if policy.mode == Mode::Report {
            let message = format!("policy {} only reports: its mode is \"report\"", policy.name);
            reasons.push(reason(ReasonKind::ReportMode, message));
        }
        reasons
    }
}

/// From when on a row is old enough, and what is to be said of its age.
pub(super) fn of_age(rows: &RowsPolicy, judgement: &Judgement, now: Timestamp) -> (Option<Timestamp>, Option<Reason>) {
    let (Some(column), Some(age), Some(old)) = (&rows.age, &judgement.age, judgement.old) else { return (None, None) };
    let at = match age.told {
        Some(AgeValue::At(at)) => Some(at),
        Some(AgeValue::NoTime | AgeValue::Unreadable) | None => None,
    };
    let eligible_at = at.zip(age.keep).and_then(|(at, keep)| at.checked_add(keep).ok());
    if old == Some(true) {
        return (eligible_at, None);
    }
    let JudgedAge { column: name, value, told, keep, decided_by } = age;
    let shown = |value: &str| value.chars().take(SHOWN_CHARS).collect::<String>();
    let (kind, message) = match (value.as_deref(), told, keep) {
        (None | Some(""), ..) | (Some(_), None, _) => {
            (ReasonKind::AgeMissing, format!("its {name} is missing, and a row without an age is never taken"))
        }
        (Some(value), Some(AgeValue::Unreadable), _) => {
            (ReasonKind::AgeUnreadable, format!("its {name} {:?} cannot be read as a date", shown(value)))
        }
        (Some(value), Some(AgeValue::NoTime), _) => {
            let earliest = TimeZone::UTC.to_datetime(column.earliest).date();
            let value = shown(value);
            let message = format!(
                "its {name} {value:?} is not between {earliest} and 9000-01-01, so it is not a time, and a row without a \
                 time is never taken"
            );
            (ReasonKind::NoTime, message)
        }
        (Some(_), Some(AgeValue::At(_)), None) => {
            let (by, value) = decided_by.clone().unwrap_or_default();
            let value = value.map_or_else(|| "NULL".to_owned(), |value| format!("{value:?}"));
            (ReasonKind::NoTime, format!("keep lists no time for its {by} {value}, and has no default"))
        }
        (Some(_), Some(AgeValue::At(at)), Some(keep)) => {
            let keep = human::duration(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
            let message = match column.expires {
                true if *at > now => format!("it expires {}", human::instant_from(*at, now)),
                true => format!("it expired {} and has a grace of {keep}", human::instant_from(*at, now)),
                false => format!("too young: it is {} old and kept for {keep}", human::between(*at, now)),
            };
            (ReasonKind::TooYoung, message)
        }
    };
    (eligible_at, Some(reason(kind, message)))
}

/// What else the database said of the row.
pub(super) fn of_row(rows: &RowsPolicy, judgement: &Judgement) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let condition = || rows.condition.as_ref().map(ToString::to_string).unwrap_or_default();
    match judgement.matches {
        None | Some(Some(true)) => {}
        Some(Some(false)) => {
            reasons.push(reason(ReasonKind::WhereFalse, format!("where is not true for it: {}", condition())));
        }
        Some(None) => {
            let message = format!("where is NULL for it, which is not true: {}", condition());
            reasons.push(reason(ReasonKind::WhereNull, message));
        }
    }
    for Keeper { table, key, child } in &judgement.kept_by {
        let by = RowName { table: table.table.to_string(), key: key.clone() };
        let (kind, message) = match child {
            false => (ReasonKind::Protected, format!("protected by row {key} of {}", by.table)),
            true => (ReasonKind::ChildKeeps, format!("row {key} of {} points to it, which keeps it", by.table)),
        };
        reasons.push(Reason { reason: kind, message, by: Some(by) });
    }
    if let (Some(Alive::Sql(sql)), Some(alive)) = (&rows.alive, judgement.alive) {
        match alive {
            Some(false) => {}
            Some(true) => reasons.push(reason(ReasonKind::Alive, format!("its work still goes on: {sql}"))),
            None => {
                let message = format!("it is not known whether its work still goes on, for this is NULL: {sql}");
                reasons.push(reason(ReasonKind::AliveUnknown, message));
            }
        }
    }
    reasons
}

fn reason(reason: ReasonKind, message: String) -> Reason {
    Reason { reason, message, by: None }
}

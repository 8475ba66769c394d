//! `[tasks.NAME]`: the shipped ones, as the operator changed them, then the operator's own.

use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::keys::SHIPPED_TASKS;
use crate::config::raw::{Raw, RawTask};
use crate::config::{Aspect, Fault, KeyPath, did_you_mean, listed};

use super::super::{Hours, Task, Trigger};
use super::Gather;

impl Gather<'_> {
    pub(super) fn tasks(&mut self, raw: &Raw) -> Vec<Task> {
        let declared = self.tables("tasks", &raw.tasks);
        let untouched = RawTask::default();
        let mut tasks = Vec::new();
        for (name, schedule) in SHIPPED_TASKS {
            let path = KeyPath::of(&["tasks", name]);
            let raw = declared.iter().find(|(declared, _)| *declared == path).map_or(&untouched, |(_, raw)| raw);
            tasks.extend(self.task(&path, raw, Some(schedule)));
        }
        for (path, raw) in &declared {
            if !SHIPPED_TASKS.iter().any(|(name, _)| *name == path.last_key()) {
                tasks.extend(self.task(path, raw, None));
            }
        }
        tasks
    }

    fn task(&mut self, table: &KeyPath, raw: &RawTask, default_schedule: Option<&str>) -> Option<Task> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let trigger = self.trigger(table, raw, default_schedule);
        let window = raw.window.as_ref().and_then(|text| self.check(&table.key("window"), parse_window(text)));
        let ping = raw.ping.as_ref().and_then(|raw| self.ping(&table.key("ping"), raw));
        let before = raw.before.as_ref().and_then(|raw| self.hook(&table.key("before"), raw));
        let after = raw.after.as_ref().and_then(|raw| self.hook(&table.key("after"), raw));
        Some(Task {
            name: name?,
            trigger: trigger?,
            misfire_grace: raw.misfire_grace.0,
            catch_up: raw.catch_up,
            retry: raw.retry.map(|retry| retry.0),
            timeout: raw.timeout.map(|timeout| timeout.0),
            window,
            enabled: raw.enabled,
            ping: ping.map(Arc::new),
            before,
            after,
        })
    }

    fn trigger(&mut self, table: &KeyPath, raw: &RawTask, default_schedule: Option<&str>) -> Option<Trigger> {
        let layer = |key: &str| self.loaded.origin(&table.key(key), Aspect::Key).layer();
        // One of a later layer replaces the other: a fragment or `--set` could not take it away otherwise.
        let (schedule, every) = match (&raw.schedule, raw.every) {
            (Some(_), Some(every)) if layer("every") > layer("schedule") => (None, Some(every)),
            (Some(schedule), Some(_)) if layer("schedule") > layer("every") => (Some(schedule), None),
            (schedule, every) => (schedule.as_ref(), every),
        };
        match (schedule, every, default_schedule) {
            (Some(_), Some(_), _) => {
                let message = "the task has both schedule and every";
                self.refuse_key(&table.key("every"), message, "leave one of them out");
                None
            }
            (Some(schedule), None, _) => self.check(&table.key("schedule"), parse_schedule(schedule)),
            (None, Some(every), _) => Some(Trigger::Every(every.0)),
            (None, None, _) if self.is_written(table, "schedule") || self.is_written(table, "every") => None,
            (None, None, Some(schedule)) => self.check(table, parse_schedule(schedule)),
            (None, None, None) => {
                let hint = "write schedule = \"0 3 * * *\" or every = \"30m\"";
                self.refuse_key(table, "the task has neither schedule nor every", hint);
                None
            }
        }
    }
}

/// Reads the hours in which a task may run.
fn parse_window(text: &str) -> Result<Hours, Fault> {
    let hint = "write two different times of day, \"01:00-05:00\", or past midnight \"22:00-04:00\"";
    Hours::parse(text).ok_or_else(|| Fault::new(format!("{text:?} is no window")).hint(hint))
}

/// Names for schedules that are often wanted.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Fields of a schedule, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31, or L for the last"),
    ("month", "1 to 12, or JAN to DEC"),
    ("day of week", "0 to 7, where 0 and 7 are Sunday, or SUN to SAT"),
];

/// Parses a five-field cron expression that comes true at least once, or the name of one.
fn parse_schedule(text: &str) -> Result<Trigger, Fault> {
    if text.trim_start().starts_with('@') {
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        return named.map(|(_, schedule)| Trigger::Cron((*schedule).to_owned())).ok_or_else(|| {
            let names = NAMED.map(|(name, _)| name);
            let hint = did_you_mean(text.trim(), names).unwrap_or_else(|| format!("there are {}", listed(&names)));
            Fault::new(format!("there is no schedule {text:?}")).hint(hint)
        });
    }
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let hint = "write minute, hour, day of month, month and day of week: \"0 3 * * *\"";
        return Err(Fault::new(format!("a schedule has five fields, this has {}", fields.len())).hint(hint));
    }
    let text = fields.join(" ");
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(&text).map_err(|_| unreadable(&fields, |text| parser.parse(text).is_ok()))?;
    match cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), true) {
        Ok(_) => Ok(Trigger::Cron(text)),
        Err(_) => Err(Fault::new("the schedule never comes true").hint("no such date is in any year")),
    }
}

/// Fault of a schedule that cannot be read: the first field that cannot be read by itself.
fn unreadable(fields: &[&str], is_readable: impl Fn(&str) -> bool) -> Fault {
    for (position, (field, (name, range))) in fields.iter().zip(FIELDS).enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        alone[position] = field;
        if !is_readable(&alone.join(" ")) {
            let forms = "single, or as a list 1,15, a range 1-5, a step */5 or *";
            return Fault::new(format!("{field:?} cannot be the {name}")).hint(format!("write {range}: {forms}"));
        }
    }
    Fault::new("the schedule cannot be read").hint("write it as \"0 3 * * *\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_have_five_fields_and_come_true() {
        for text in
            ["0 3 * * *", "*/5 * * * *", "0 4 * * 0", "0 0 29 2 *", "0 0 L * *", "0 9 * * MON-FRI", " 0  3 * * * "]
        {
            assert!(parse_schedule(text).is_ok(), "{text}");
        }
        assert_eq!(parse_schedule(" 0  3 * * * "), Ok(Trigger::Cron("0 3 * * *".to_owned())));
        for text in ["", "@often", "@", "0 3 * *", "0 0 3 * * *", "60 3 * * *", "0 24 * * *", "x 3 * * *", "0 0 30 2 *"]
        {
            assert!(parse_schedule(text).is_err(), "{text}");
        }
    }
    #[test]
    fn schedules_have_names_and_faults_a_field() {
        for (text, schedule) in NAMED {
            assert_eq!(parse_schedule(&format!(" {} ", text.to_uppercase())), Ok(Trigger::Cron(schedule.to_owned())));
        }
        for (text, said, hint) in [
            ("61 3 * * *", "\"61\" cannot be the minute", "0 to 59"),
            ("0 24 * * *", "\"24\" cannot be the hour", "0 to 23"),
            ("0 3 0 * *", "\"0\" cannot be the day of month", "1 to 31"),
            ("0 3 * 13 *", "\"13\" cannot be the month", "1 to 12"),
            ("0 3 * * 8", "\"8\" cannot be the day of week", "0 to 7"),
            ("x 25 * * *", "\"x\" cannot be the minute", "0 to 59"),
            ("*/0 3 * * *", "\"*/0\" cannot be the minute", "0 to 59"),
            ("@dayly", "there is no schedule \"@dayly\"", "@daily"),
        ] {
            let fault = parse_schedule(text).unwrap_err();
            assert_eq!(fault.message, said, "{text}");
            assert!(fault.hint.as_ref().is_some_and(|shown| shown.contains(hint)), "{text}: {:?}", fault.hint);
        }
    }
}

//! `[tasks.NAME]`: the shipped ones, as the operator changed them, then the operator's own.

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::keys::SHIPPED_TASKS;
use crate::config::raw::{Raw, RawTask};
use crate::config::{Aspect, Fault, KeyPath};

use super::super::{Task, Trigger};
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
        let before = raw.before.as_ref().and_then(|raw| self.hook(&table.key("before"), raw));
        let after = raw.after.as_ref().and_then(|raw| self.hook(&table.key("after"), raw));
        Some(Task {
            name: name?,
            trigger: trigger?,
            misfire_grace: raw.misfire_grace.0,
            catch_up: raw.catch_up,
            timeout: raw.timeout.map(|timeout| timeout.0),
            enabled: raw.enabled,
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

/// Parses a five-field cron expression that comes true at least once.
fn parse_schedule(text: &str) -> Result<Trigger, Fault> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if fields.len() != 5 {
        let hint = "write minute, hour, day of month, month and day of week: \"0 3 * * *\"";
        return Err(Fault::new(format!("a schedule has five fields, this has {}", fields.len())).hint(hint));
    }
    let text = fields.join(" ");
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(&text).map_err(|error| Fault::new(format!("the schedule cannot be read: {error}")))?;
    match cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), true) {
        Ok(_) => Ok(Trigger::Cron(text)),
        Err(_) => Err(Fault::new("the schedule never comes true").hint("no such date is in any year")),
    }
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
        for text in ["", "@daily", "0 3 * *", "0 0 3 * * *", "60 3 * * *", "0 24 * * *", "x 3 * * *", "0 0 30 2 *"] {
            assert!(parse_schedule(text).is_err(), "{text}");
        }
    }
}

//! When a task is due: pure arithmetic over slots, with the instant handed in; knows no clock and no task's state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::interface::Past;
use crate::policy::{Task, Trigger};

/// Most times of day that a cron expression is split into; one that has more is read as a repeating one.
const TIMES_OF_DAY_AT_MOST: usize = 96;

/// Expressions that are remembered.
const KNOWN_AT_MOST: usize = 64;

/// The mark of croner for "this value of the field is chosen".
const CHOSEN: u8 = 1;

/// A trigger that could not be turned into slots.
#[derive(Debug, thiserror::Error)]
pub enum TimingError {
    #[error("cron expression {expression:?} cannot be read")]
    Cron {
        expression: String,
        #[source]
        cause: croner::errors::CronError,
    },
    #[error("an interval of zero is never over")]
    ZeroInterval,
}

/// The slots of a trigger: an endless row of instants.
#[derive(Debug, Clone)]
pub struct Timing(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// The union of the patterns.
    Cron { patterns: Arc<[Cron]>, zone: TimeZone },
    /// `anchor` plus any whole number of `every`.
    Every { every: SignedDuration, anchor: Timestamp },
}

impl Timing {
    /// Compiles a trigger. `anchor` is a slot of an `every`: the task's newest, or when it was first seen.
    pub fn compile(trigger: &Trigger, zone: &TimeZone, anchor: Timestamp) -> Result<Self, TimingError> {
        match trigger {
            Trigger::Cron(expression) => {
                Ok(Self(Kind::Cron { patterns: patterns_of(expression)?, zone: zone.clone() }))
            }
            Trigger::Every(Duration::ZERO) => Err(TimingError::ZeroInterval),
            Trigger::Every(every) => {
                let every = SignedDuration::try_from(*every).unwrap_or(SignedDuration::MAX);
                Ok(Self(Kind::Every { every, anchor }))
            }
        }
    }

    /// The first slot after an instant; none when the calendar has no such day or time ends before it.
    pub fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron { patterns, zone } => {
                let from = whole_second(instant).to_zoned(zone.clone());
                let slots = patterns.iter().filter_map(|cron| cron.find_next_occurrence(&from, false).ok());
                slots.map(|slot| slot.timestamp()).filter(|slot| *slot > instant).min()
            }
            Kind::Every { every, anchor } => grid(*anchor, *every, instant, 1),
        }
    }

    /// The newest slot at or before an instant.
    pub fn latest_at(&self, instant: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron { patterns, zone } => {
                let from = whole_second(instant).to_zoned(zone.clone());
                let slots = patterns.iter().filter_map(|cron| cron.find_previous_occurrence(&from, true).ok());
                slots.map(|slot| slot.timestamp()).filter(|slot| *slot <= instant).max()
            }
            Kind::Every { every, anchor } => grid(*anchor, *every, instant, 0),
        }
    }
}

/// When the next slot of a task begins, for whoever has only the configuration and the ledger at hand.
/// None when it is switched off, or never due.
pub fn next_slot(task: &Task, zone: &TimeZone, past: &Past, now: Timestamp) -> Option<Timestamp> {
    if !task.enabled {
        return None;
    }
    let next = Timing::compile(&task.trigger, zone, past.anchor()).ok()?.next_after(now)?;
    Some(task.opening(zone, next))
}

/// The slot `steps` intervals after the newest one at or before `instant`.
fn grid(anchor: Timestamp, every: SignedDuration, instant: Timestamp, steps: i128) -> Option<Timestamp> {
    let every = every.as_nanos();
    let passed = (instant.as_nanosecond() - anchor.as_nanosecond()).div_euclid(every);
    let offset = (passed + steps).checked_mul(every)?;
    Timestamp::from_nanosecond(anchor.as_nanosecond().checked_add(offset)?).ok()
}

fn whole_second(instant: Timestamp) -> Timestamp {
    let floor = instant.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(floor).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(instant)
}

/// The patterns of an expression. Reading one takes long beside all else that a status does, so those that were read before
/// are remembered.
fn patterns_of(expression: &str) -> Result<Arc<[Cron]>, TimingError> {
    static KNOWN: Mutex<BTreeMap<String, Arc<[Cron]>>> = Mutex::new(BTreeMap::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(patterns) = known().get(expression) {
        return Ok(Arc::clone(patterns));
    }
    let patterns: Arc<[Cron]> = parse_cron(expression)?.into();
    let mut known = known();
    if known.len() >= KNOWN_AT_MOST {
        known.clear();
    }
    known.insert(expression.to_owned(), Arc::clone(&patterns));
    Ok(patterns)
}

/// Reads a five-field expression. Fixed times of day become one pattern each: croner carries a single time over the
/// hour that spring skips and fires it once in the hour that autumn repeats, but would treat a list as an interval.
fn parse_cron(expression: &str) -> Result<Vec<Cron>, TimingError> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron =
        parser.parse(expression).map_err(|cause| TimingError::Cron { expression: expression.to_owned(), cause })?;
    let hours = cron.pattern.hours.get_set_values(CHOSEN);
    let minutes = cron.pattern.minutes.get_set_values(CHOSEN);
    if is_repeating(expression) || hours.len() * minutes.len() > TIMES_OF_DAY_AT_MOST {
        return Ok(vec![cron]);
    }
    let times = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| (*hour, *minute)));
    Ok(times.map(|(hour, minute)| at_time_of_day(&cron, hour, minute)).collect())
}

/// True if minute or hour has a `*`: such a task runs every so often, not at times of day.
fn is_repeating(expression: &str) -> bool {
    let is_open = |field: &str| field.contains(['*', '?']);
    expression.eq_ignore_ascii_case("@hourly") || expression.split_whitespace().take(2).any(is_open)
}

fn at_time_of_day(cron: &Cron, hour: u16, minute: u16) -> Cron {
    let mut cron = cron.clone();
    for (field, chosen) in [(&mut cron.pattern.hours, hour), (&mut cron.pattern.minutes, minute)] {
        for value in field.get_set_values(CHOSEN) {
            if value != chosen {
                // Fails only for a value outside the field, and these come from it.
                let _ = field.unset_bit(value, CHOSEN);
            }
        }
        field.step = 1;
        field.from_wildcard = false;
    }
    cron
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cron(expression: &str, zone: &str) -> Timing {
        let zone = TimeZone::get(zone).unwrap();
        Timing::compile(&Trigger::Cron(expression.to_owned()), &zone, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// The first `count` slots after an instant, as UTC.
    fn slots(timing: &Timing, after: &str, count: usize) -> Vec<String> {
        let first = timing.next_after(at(after));
        let rest = std::iter::successors(first, |slot| timing.next_after(*slot));
        rest.take(count).map(|slot| slot.to_string()).collect()
    }

    #[test]
    fn times_skipped_in_spring_run_after_the_gap() {
        let berlin = cron("30 2 * * *", "Europe/Berlin");
        assert_eq!(
            slots(&berlin, "2026-03-28T00:00:00Z", 3),
            ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
        );
        let new_york = cron("15 2 * * *", "America/New_York");
        assert_eq!(slots(&new_york, "2026-03-08T00:00:00Z", 2), ["2026-03-08T07:00:00Z", "2026-03-09T06:15:00Z"]);
        assert_eq!(berlin.latest_at(at("2026-03-29T12:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
    }

    #[test]
    fn a_time_that_autumn_repeats_runs_once() {
        let berlin = cron("30 2 * * *", "Europe/Berlin");
        assert_eq!(slots(&berlin, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        let new_york = cron("30 1 * * *", "America/New_York");
        assert_eq!(slots(&new_york, "2026-11-01T00:00:00Z", 2), ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
        assert_eq!(new_york.latest_at(at("2026-11-01T06:45:00Z")), Some(at("2026-11-01T05:30:00Z")));
    }

    #[test]
    fn several_times_are_as_fixed_as_one_time() {
        let berlin = cron("0,30 2,14 * * *", "Europe/Berlin");
        assert_eq!(
            slots(&berlin, "2026-10-24T22:00:00Z", 4),
            ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T13:00:00Z", "2026-10-25T13:30:00Z"]
        );
        assert_eq!(
            slots(&berlin, "2026-03-28T23:00:00Z", 3),
            ["2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z", "2026-03-29T12:30:00Z"]
        );
    }

    #[test]
    fn a_repeating_task_keeps_pace_through_both_changes() {
        let berlin = cron("*/30 * * * *", "Europe/Berlin");
        for (from, count) in [("2026-10-24T23:50:00Z", 6), ("2026-03-28T23:50:00Z", 6)] {
            let mut expected = at(from) + SignedDuration::from_mins(10);
            for slot in slots(&berlin, from, count) {
                assert_eq!(at(&slot), expected);
                expected += SignedDuration::from_mins(30);
            }
        }
    }

    #[test]
    fn leap_days_come_but_february_30_never_does() {
        let leap = cron("0 3 29 2 *", "UTC");
        assert_eq!(slots(&leap, "2026-01-01T00:00:00Z", 2), ["2028-02-29T03:00:00Z", "2032-02-29T03:00:00Z"]);
        assert_eq!(leap.latest_at(at("2026-01-01T00:00:00Z")), Some(at("2024-02-29T03:00:00Z")));
        assert_eq!(cron("0 3 30 2 *", "UTC").next_after(at("2026-01-01T00:00:00Z")), None);
    }

    #[test]
    fn an_interval_counts_from_its_anchor() {
        let every = Trigger::Every(Duration::from_secs(1800));
        let timing = Timing::compile(&every, &TimeZone::UTC, at("2026-01-01T00:07:00Z")).unwrap();
        assert_eq!(timing.next_after(at("2026-01-01T00:07:00Z")), Some(at("2026-01-01T00:37:00Z")));
        assert_eq!(timing.next_after(at("2026-01-01T09:00:00Z")), Some(at("2026-01-01T09:07:00Z")));
        assert_eq!(timing.latest_at(at("2026-01-01T09:00:00Z")), Some(at("2026-01-01T08:37:00Z")));
        assert!(Timing::compile(&Trigger::Every(Duration::ZERO), &TimeZone::UTC, Timestamp::UNIX_EPOCH).is_err());
    }

    #[test]
    fn five_fields_and_no_others() {
        for refused in ["* * * * * *", "0 3 * *", "", "61 * * * *", "nonsense"] {
            let trigger = Trigger::Cron(refused.to_owned());
            assert!(Timing::compile(&trigger, &TimeZone::UTC, Timestamp::UNIX_EPOCH).is_err(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn slots_increase_and_enclose_every_instant(
            second in 1_735_689_600_i64..1_893_456_000,
            nano in 0_i32..1_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
            expression in prop::sample::select(vec![
                "0 3 * * *", "30 2 * * *", "30 1,2 * * *", "*/15 * * * *", "0 0 1 * *", "5 4 * * SUN",
                "0 2-4 * * *", "@hourly", "17 1 29 * *",
            ]),
        ) {
            let timing = cron(expression, zone);
            let now = Timestamp::new(second, nano).unwrap();
            let next = timing.next_after(now).unwrap();
            let latest = timing.latest_at(now).unwrap();
            prop_assert!(latest <= now && now < next);
            prop_assert!(timing.next_after(next).unwrap() > next);
            prop_assert_eq!(timing.latest_at(next), Some(next));
            prop_assert_eq!(timing.next_after(latest), Some(next));
        }

        #[test]
        fn intervals_increase_and_enclose_every_instant(
            second in 0_i64..2_000_000_000,
            anchor in 0_i64..2_000_000_000,
            every_ms in 1_u64..100_000_000,
        ) {
            let trigger = Trigger::Every(Duration::from_millis(every_ms));
            let anchor = Timestamp::from_second(anchor).unwrap();
            let timing = Timing::compile(&trigger, &TimeZone::UTC, anchor).unwrap();
            let now = Timestamp::from_second(second).unwrap();
            let (latest, next) = (timing.latest_at(now).unwrap(), timing.next_after(now).unwrap());
            prop_assert!(latest <= now && now < next);
            prop_assert_eq!(timing.next_after(latest), Some(next));
            prop_assert_eq!(timing.latest_at(anchor), Some(anchor));
        }
    }
}

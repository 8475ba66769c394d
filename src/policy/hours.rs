//! Hours of a day, in some time zone. Pure.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Hours of each day, from one time of day up to, not including, another; past midnight where the other is no later.
///
/// On the day on which the clocks are set, a time that there is not is taken for the one as much later, and one that comes
/// twice for the first of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    opens: Time,
    closes: Time,
}

impl Hours {
    /// Reads `01:00-05:00`; none where it is anything else, or no time at all. `24:00` is the end of the day.
    pub fn parse(text: &str) -> Option<Self> {
        let (opens, closes) = text.split_once('-')?;
        let (opens, closes) = (time_of_day(opens)?, time_of_day(closes)?);
        let closes_at_midnight = closes.1;
        (!opens.1 && (opens.0 != closes.0 || closes_at_midnight)).then_some(Self { opens: opens.0, closes: closes.0 })
    }

    /// Instant at which the hours end that are open at another; none while they are not.
    pub fn closing(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        self.around(zone, at).filter(|(from, to)| *from <= at && at < *to).map(|(_, to)| to).max()
    }

    /// The first instant from another on at which they are open.
    pub fn opening(&self, zone: &TimeZone, at: Timestamp) -> Timestamp {
        if self.closing(zone, at).is_some() {
            return at;
        }
        // On one day in a year they may fall into the hour that spring skips.
        self.around(zone, at).map(|(from, _)| from).filter(|from| *from > at).min().unwrap_or(at)
    }

    /// The hours of the days around an instant.
    fn around(&self, zone: &TimeZone, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = at.to_zoned(zone.clone()).date();
        let days = (-1..=2_i64).filter_map(move |days| today.checked_add(days.days()).ok());
        let zone = zone.clone();
        let of = move |date: Date, time: Time| Some(zone.to_zoned(date.to_datetime(time)).ok()?.timestamp());
        let (opens, closes) = (self.opens, self.closes);
        days.filter_map(move |date| {
            let last = if closes <= opens { date.tomorrow().ok()? } else { date };
            Some((of(date, opens)?, of(last, closes)?)).filter(|(from, to)| from < to)
        })
    }
}

/// A time of day as `HH:MM`, and whether it is the end of the day.
fn time_of_day(text: &str) -> Option<(Time, bool)> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str| -> Option<i8> {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    match (number(hours)?, number(minutes)?) {
        (24, 0) => Some((Time::midnight(), true)),
        (hours, minutes) => Some((Time::new(hours, minutes, 0, 0).ok()?, false)),
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let closes = if self.closes == Time::midnight() {
            "24:00".to_owned()
        } else {
            self.closes.strftime("%H:%M").to_string()
        };
        write!(f, "{}-{closes}", self.opens.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hours(text: &str) -> Hours {
        Hours::parse(text).unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_two_different_times_of_day() {
        for (text, shown) in [
            ("01:00-05:00", "01:00-05:00"),
            (" 22:30 - 04:00 ", "22:30-04:00"),
            ("00:00-24:00", "00:00-24:00"),
            ("20:00-00:00", "20:00-24:00"),
        ] {
            assert_eq!(Hours::parse(text).map(|hours| hours.to_string()).as_deref(), Some(shown), "{text}");
        }
        for text in [
            "",
            "-",
            "01:00",
            "1:00-5:00",
            "01:00-25:00",
            "24:00-05:00",
            "05:00-05:00",
            "01:60-02:00",
            "+1:00-02:00",
            "01:00-02:00-03:00",
        ] {
            assert_eq!(Hours::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn hours_may_pass_midnight() {
        let night = hours("22:00-04:00");
        let zone = TimeZone::UTC;
        assert_eq!(night.closing(&zone, at("2026-01-10T23:00:00Z")), Some(at("2026-01-11T04:00:00Z")));
        assert_eq!(night.closing(&zone, at("2026-01-11T03:59:59Z")), Some(at("2026-01-11T04:00:00Z")));
        assert_eq!(night.closing(&zone, at("2026-01-11T04:00:00Z")), None);
        assert_eq!(night.opening(&zone, at("2026-01-11T04:00:00Z")), at("2026-01-11T22:00:00Z"));
        let day = hours("00:00-24:00");
        assert_eq!(day.closing(&zone, at("2026-01-10T00:00:00Z")), Some(at("2026-01-11T00:00:00Z")));
    }

    #[test]
    fn hours_follow_clocks_that_are_set() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let night = hours("01:00-05:00");
        // Three hours in spring, five in autumn.
        assert_eq!(night.opening(&berlin, at("2026-03-28T12:00:00Z")), at("2026-03-29T00:00:00Z"));
        assert_eq!(night.closing(&berlin, at("2026-03-29T00:00:00Z")), Some(at("2026-03-29T03:00:00Z")));
        assert_eq!(night.opening(&berlin, at("2026-10-24T12:00:00Z")), at("2026-10-24T23:00:00Z"));
        assert_eq!(night.closing(&berlin, at("2026-10-24T23:00:00Z")), Some(at("2026-10-25T04:00:00Z")));
        // Wholly within the hour that spring skips: an hour later.
        let short = hours("02:15-02:45");
        assert_eq!(short.opening(&berlin, at("2026-03-28T12:00:00Z")), at("2026-03-29T01:15:00Z"));
        assert_eq!(short.closing(&berlin, at("2026-03-29T01:15:00Z")), Some(at("2026-03-29T01:45:00Z")));
        // Within the hour that autumn repeats: once.
        assert_eq!(short.opening(&berlin, at("2026-10-25T00:45:00Z")), at("2026-10-26T01:15:00Z"));
        // Skipped and inverted: the next day.
        let inverted = hours("02:30-03:15");
        assert_eq!(inverted.opening(&berlin, at("2026-03-28T12:00:00Z")), at("2026-03-30T00:30:00Z"));
    }

    proptest! {
        #[test]
        fn an_opening_is_open_and_not_past(opens in 0..1440_i32, length in 1..1440_i32, second in 1_760_000_000..1_800_000_000_i64) {
            let clock = |minute: i32| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
            let hours = hours(&format!("{}-{}", clock(opens), clock(opens + length)));
            let zone = TimeZone::get("America/New_York").unwrap();
            let now = Timestamp::from_second(second).unwrap();
            let opening = hours.opening(&zone, now);
            prop_assert!(opening >= now);
            prop_assert!(hours.closing(&zone, opening).is_some_and(|closing| closing > opening));
            prop_assert!(hours.closing(&zone, now).is_none() == (opening > now));
        }
    }
}

//! Instants and wall-clock times: what a clock in a zone shows at a cutoff, and when it showed a given time.
//!
//! Where a clock is set back and a time comes twice, it is the later one; where a clock is set forward, the times that
//! it skips are all the moment of the change. So a row is never taken for older than it may be (D15).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::sources::sql::wall_clock::earliest_local;

/// A floor and a cutoff as statements compare them.
pub(super) struct Moments {
    /// In UTC.
    pub utc: DateTime,
    /// On the wall in the source's zone: what is before it there is older.
    pub local: DateTime,
    /// The floor in UTC.
    pub floor_utc: DateTime,
    /// The floor on the wall: what is before it there is before the floor.
    pub floor_local: DateTime,
}

impl Moments {
    pub fn of(floor: Timestamp, cutoff: Timestamp, zone: &TimeZone) -> Self {
        Self {
            utc: TimeZone::UTC.to_datetime(cutoff),
            local: earliest_local(cutoff, zone),
            floor_utc: TimeZone::UTC.to_datetime(floor),
            floor_local: earliest_local(floor, zone),
        }
    }

    /// A date that only texts of instants after the floor are at or after.
    pub fn two_days_after_floor(&self) -> String {
        self.floor_utc.date().checked_add(2.days()).unwrap_or(Date::MAX).to_string()
    }

    /// A date no later than any text of a row that is not before the floor.
    pub fn two_days_before(&self) -> String {
        self.floor_utc.date().checked_sub(2.days()).unwrap_or(Date::MIN).to_string()
    }

    /// A date that only texts of older rows are before.
    pub fn two_days_ago(&self) -> String {
        self.utc.date().checked_sub(2.days()).unwrap_or(Date::MIN).to_string()
    }

    /// A date no earlier than any text of a row that is older: a text may carry an offset of up to 14 hours, so its date
    /// may be a day later than the cutoff's.
    pub fn in_two_days(&self) -> String {
        self.utc.date().checked_add(2.days()).unwrap_or(Date::MAX).to_string()
    }
}

/// When a clock in `zone` showed `wall`: the instant that is before a cutoff exactly when `wall` is before
/// [`earliest_local`] of it.
pub(super) fn instant_of(wall: DateTime, zone: &TimeZone) -> Timestamp {
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => {
            at_offset(wall, offset)
        }
        AmbiguousOffset::Gap { before, after } => {
            let change = zone.following(at_offset(wall, after)).next().map(|transition| transition.timestamp());
            change.unwrap_or_else(|| at_offset(wall, before))
        }
    }
}

/// The instant of a wall-clock time at an offset from UTC; the last or the first there is where it is beyond them.
pub(super) fn at_offset(wall: DateTime, offset: Offset) -> Timestamp {
    let beyond = if wall.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    offset.to_timestamp(wall).unwrap_or(beyond)
}

/// When a day is over: its last nanosecond.
pub(super) fn end_of(day: Date, zone: &TimeZone) -> Timestamp {
    instant_of(day.to_datetime(Time::MAX), zone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ZONES: [&str; 8] = [
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Asia/Kathmandu",
        "America/Havana",
    ];

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    #[test]
    fn d15_a_clock_set_back_makes_no_row_older() {
        // 02:30 summer time, half an hour before the clock goes back from 03:00 to 02:00.
        let cutoff: Timestamp = "2026-10-25T00:30:00Z".parse().unwrap();
        assert_eq!(earliest_local(cutoff, &berlin()).to_string(), "2026-10-25T02:00:00");
        let later: Timestamp = "2026-10-25T12:00:00Z".parse().unwrap();
        assert_eq!(earliest_local(later, &berlin()).to_string(), "2026-10-25T13:00:00");
    }

    #[test]
    fn a_skipped_time_is_when_the_clock_changed() {
        let wall = |text: &str| text.parse::<DateTime>().unwrap();
        for skipped in ["2026-03-29T02:00:00", "2026-03-29T02:59:59.999"] {
            assert_eq!(instant_of(wall(skipped), &berlin()).to_string(), "2026-03-29T01:00:00Z");
        }
        assert_eq!(instant_of(wall("2026-03-29T03:00:00"), &berlin()).to_string(), "2026-03-29T01:00:00Z");
        let day: Date = "2026-03-29".parse().unwrap();
        assert_eq!(end_of(day, &berlin()).to_string(), "2026-03-29T21:59:59.999999999Z");
    }

    #[test]
    fn the_ends_of_time_are_no_error() {
        let last: DateTime = "9999-12-31T23:59:59".parse().unwrap();
        assert_eq!(instant_of(last, &TimeZone::UTC), Timestamp::MAX);
        for cutoff in [Timestamp::MIN, Timestamp::MAX] {
            assert!(!Moments::of(cutoff, cutoff, &berlin()).in_two_days().is_empty());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Comparing on the wall and comparing instants come to the same verdict, close to changes of the clock above all.
        #[test]
        fn walls_and_instants_agree(
            zone in prop::sample::select(&ZONES[..]),
            start in 0_i64..4_000_000_000,
            wall in -100_000_i64..100_000,
            cutoff in prop_oneof![Just(0_i64), -100_000_i64..100_000],
        ) {
            let zone = TimeZone::get(zone).unwrap();
            let start = Timestamp::from_second(start).unwrap();
            let change = zone.following(start).next().map_or(start, |transition| transition.timestamp());
            let wall = zone.to_datetime(change).checked_add(wall.seconds()).unwrap();
            let cutoff = change + cutoff.seconds();
            let on_the_wall = wall < earliest_local(cutoff, &zone);
            prop_assert_eq!(on_the_wall, instant_of(wall, &zone) < cutoff, "{} {} {}", wall, cutoff, change);
            let whole_day = wall.date() < earliest_local(cutoff, &zone).date();
            prop_assert_eq!(whole_day, end_of(wall.date(), &zone) < cutoff, "{} {} {}", wall, cutoff, change);
        }
    }
}

//! The judgement on clocks that leapt, and a machine in ordinary operation, which is never held up.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn reading(at: &str, up_secs: i64, boot: Option<&str>) -> Reading {
    let up = Duration::from_secs(up_secs.unsigned_abs());
    Reading { at: at.parse().unwrap(), up, boot_id: boot.map(str::to_owned) }
}

fn leap(seen: &Reading, now: &Reading) -> Option<Leap> {
    match judge(Some(seen), now) {
        Plausibility::Leapt(leap) => Some(leap),
        Plausibility::Plausible | Plausibility::Behind => None,
    }
}

#[test]
fn f28_a_leap_within_a_boot_is_reported() {
    let seen = reading("2026-11-29T22:00:00Z", 1_000, Some("a"));
    let later = reading("2040-01-01T00:00:00Z", 1_300, Some("a"));
    let counted = SignedDuration::from_mins(5);
    assert_eq!(leap(&seen, &later), Some(Leap { seen_at: seen.at, now: later.at, counted, rebooted: false }));
    // As long as that since, and nobody looked.
    let long = reading("2040-01-01T00:00:00Z", 1_000 + 4_780 * DAY, Some("a"));
    assert_eq!(leap(&seen, &long), None);
}

#[test]
fn d27_a_wrong_clock_at_boot_is_reported() {
    let seen = reading("2026-11-29T22:00:00Z", 9 * DAY, Some("a"));
    let later = reading("2040-01-01T00:00:00Z", 45, Some("b"));
    let counted = SignedDuration::from_secs(45);
    assert_eq!(leap(&seen, &later), Some(Leap { seen_at: seen.at, now: later.at, counted, rebooted: true }));
    let holiday = |days: i64| reading(&format!("2026-12-{days:02}T22:00:00Z"), 45, Some("b"));
    assert_eq!(leap(&seen, &holiday(6)), None, "a week off");
    assert!(leap(&seen, &holiday(7)).is_some(), "longer, somebody has to say that it is so");
    // Up for long, and retaind was not: what the machine counted is accounted for.
    let up = reading("2026-12-20T22:00:00Z", 20 * DAY, Some("b"));
    assert_eq!(leap(&seen, &up), None);
}

#[test]
fn f28_a_clock_that_is_behind_holds_nothing() {
    let seen = reading("2026-11-29T22:00:00Z", 1_000, Some("a"));
    for (up, boot) in [(2_000, "a"), (5, "b")] {
        assert_eq!(judge(Some(&seen), &reading("1970-01-01T00:00:10Z", up, Some(boot))), Plausibility::Behind);
    }
    assert_eq!(judge(None, &seen), Plausibility::Plausible, "nothing to compare with");
}

#[test]
fn f28_unnamed_boots_are_told_apart_by_uptime() {
    let seen = reading("2026-11-29T22:00:00Z", 10 * DAY, None);
    let off = |days: i64, up: i64| reading(&format!("2026-12-{days:02}T22:00:00Z"), up, None);
    assert_eq!(leap(&seen, &off(5, 60)), None, "a reboot after six days");
    assert!(leap(&seen, &off(20, 60)).is_some());
    // It may be the same boot after a leap, or another one: what explains the time is believed.
    assert_eq!(leap(&seen, &off(20, 21 * DAY)), None);
    assert!(leap(&seen, &reading("2040-01-01T00:00:00Z", 10 * DAY + 60, None)).is_some());
    // The name of a boot that a board repeats.
    let same = |reading: Reading| Reading { boot_id: Some("a".to_owned()), ..reading };
    assert_eq!(leap(&same(seen), &same(off(3, 60))), None);
}

/// Something that happens to a machine and its clock in ordinary operation.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes, with or without a suspend.
    Passes(i64),
    /// NTP sets the clock right; it is ahead by so much for the time being.
    Corrected(i64),
    Reboot {
        off: i64,
        /// Without a clock of its own it begins in 1970, until it is corrected some minutes later.
        clockless: bool,
        /// A clock in local time is taken for UTC.
        zone: i64,
    },
}

/// A machine whose true time is known.
struct Machine {
    truth: i64,
    ahead: i64,
    up: i64,
    boot: u32,
    named: bool,
    seen: Option<Reading>,
}

impl Machine {
    fn new(named: bool) -> Self {
        Self { truth: 1_800_000_000, ahead: 0, up: 60, boot: 0, named, seen: None }
    }

    fn reading(&self) -> Reading {
        let at = Timestamp::from_second(self.truth + self.ahead).unwrap();
        let boot_id = self.named.then(|| self.boot.to_string());
        Reading { at, up: Duration::from_secs(self.up.unsigned_abs()), boot_id }
    }

    fn live(&mut self, event: &Event) {
        match *event {
            Event::Passes(secs) => {
                self.truth += secs;
                self.up += secs;
            }
            Event::Corrected(by) => self.ahead = by,
            Event::Reboot { off, clockless, zone } => {
                self.truth += off;
                self.up = 20;
                self.boot += 1;
                self.ahead = if clockless { 3_600 - self.truth } else { zone };
            }
        }
    }

    /// Judges, and notes as the ledger does.
    fn look(&mut self) -> Plausibility {
        let now = self.reading();
        let standing = judge(self.seen.as_ref(), &now);
        if standing == Plausibility::Plausible && self.seen.as_ref().is_none_or(|seen| seen.at < now.at) {
            self.seen = Some(now);
        }
        standing
    }
}

fn ordinary() -> impl Strategy<Value = Vec<(Event, bool)>> {
    let event = prop_oneof![
        4 => (1..60 * DAY).prop_map(Event::Passes),
        3 => (-60..60_i64).prop_map(Event::Corrected),
        1 => (10..120_i64).prop_map(|off| Event::Reboot { off, clockless: false, zone: 0 }),
        1 => (10..3 * DAY, any::<bool>(), -11 * HOUR..11 * HOUR)
            .prop_map(|(off, clockless, zone)| Event::Reboot { off, clockless, zone }),
    ];
    prop::collection::vec((event, any::<bool>()), 1..40)
}

/// A machine after an ordinary life; none of it was held up.
fn lived(events: &[(Event, bool)], named: bool) -> Machine {
    let mut machine = Machine::new(named);
    machine.look();
    for (event, looks) in events {
        // A service that runs looks each hour, and so right before and after whatever happens to its machine.
        if *looks || matches!(event, Event::Reboot { .. }) {
            assert!(!matches!(machine.look(), Plausibility::Leapt(_)), "before {event:?}");
        }
        machine.live(event);
        if let Event::Reboot { clockless: true, .. } = event {
            assert_eq!(machine.look(), Plausibility::Behind, "in 1970");
            machine.live(&Event::Passes(300));
            machine.live(&Event::Corrected(0));
        }
        if *looks {
            assert!(!matches!(machine.look(), Plausibility::Leapt(_)), "after {event:?}");
        }
    }
    machine
}

proptest! {
    #[test]
    fn f28_ordinary_operation_is_never_held(events in ordinary(), named in any::<bool>()) {
        let mut machine = lived(&events, named);
        machine.live(&Event::Corrected(0));
        prop_assert!(!matches!(machine.look(), Plausibility::Leapt(_)));
    }

    #[test]
    fn f28_a_leap_is_held_after_whatever_was_ordinary(
        events in ordinary(), passes in 1..40 * DAY, by in 9 * DAY..10_000 * DAY,
    ) {
        let mut machine = lived(&events, true);
        machine.live(&Event::Corrected(0));
        machine.look();
        machine.live(&Event::Passes(passes));
        machine.live(&Event::Corrected(by));
        prop_assert!(matches!(machine.look(), Plausibility::Leapt(_)));
        // It is held for as long as it stays like that, and goes on once it is set right.
        machine.live(&Event::Passes(passes));
        prop_assert!(matches!(machine.look(), Plausibility::Leapt(_)));
        machine.live(&Event::Corrected(0));
        prop_assert!(!matches!(machine.look(), Plausibility::Leapt(_)));
    }

    #[test]
    fn d27_a_wrong_clock_at_boot_is_always_held(
        events in ordinary(), named in any::<bool>(), off in 10..3 * DAY, by in 9 * DAY..10_000 * DAY,
    ) {
        let mut machine = lived(&events, named);
        machine.live(&Event::Corrected(0));
        machine.look();
        machine.live(&Event::Reboot { off, clockless: false, zone: by });
        prop_assert!(matches!(machine.look(), Plausibility::Leapt(_)));
    }
}

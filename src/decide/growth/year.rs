//! Years of ordinary nights, in which next to nothing may be held; and what comes between them, which must be.

use super::*;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// Days of a simulated year.
const YEAR: i64 = 365;

/// A policy that runs on schedule, and what it has taken.
struct Life {
    /// Newest first.
    past: Vec<PastRun>,
    held_since: Option<Timestamp>,
    /// Things that wait to be taken.
    pending: f64,
    /// Things that there are beside them.
    young: f64,
    false_holds: u32,
}

impl Life {
    fn new() -> Self {
        Self { past: Vec::new(), held_since: None, pending: 0.0, young: 0.0, false_holds: 0 }
    }

    /// True if a run is held, measured as a run measures it.
    fn run(&mut self, at: Timestamp) -> bool {
        let measured = self.held_since.unwrap_or(at);
        let from = USUAL_DAYS * DAY;
        let is_in = |(place, run): &(usize, &PastRun)| {
            run.started_at.as_second() >= measured.as_second() - from || *place < USUAL_RUNS
        };
        let past: Vec<PastRun> = self.past.iter().enumerate().take_while(is_in).map(|(_, run)| *run).collect();
        let eligible = self.pending as u64;
        let most = Usual::of(&past, measured).most(10, (self.pending + self.young) as u64);
        if eligible > most {
            self.held_since.get_or_insert(at);
            return true;
        }
        self.take(at, true);
        false
    }

    fn take(&mut self, at: Timestamp, scheduled: bool) {
        self.past.insert(0, PastRun { started_at: at, amount: self.pending as u64, scheduled });
        // Older ones are never asked about.
        self.past.truncate(800);
        (self.pending, self.held_since) = (0.0, None);
    }

    /// Runs that are each `step` seconds apart over a span of days; what is held wrongly, an operator lets go.
    /// `amount`: things that become old enough on a day; `is_up`: whether the daemon runs on it.
    fn live(
        &mut self,
        days: std::ops::Range<i64>,
        step: i64,
        amount: impl Fn(i64) -> f64,
        is_up: impl Fn(i64) -> bool,
    ) {
        let mut second = days.start * DAY;
        while second < days.end * DAY {
            let day = second / DAY;
            self.pending += amount(day) * step as f64 / DAY as f64;
            let at = Timestamp::from_second(1_760_000_000 + second).unwrap();
            if is_up(day) && self.run(at) {
                self.false_holds += 1;
                self.take(at, false);
            }
            second += step;
        }
    }
}

/// Something that happens to an amount in a year.
type Load = fn(i64) -> f64;

fn growing(day: i64) -> f64 {
    2000.0 * 1.05_f64.powf(day as f64 / 30.0)
}

fn weekly(day: i64) -> f64 {
    growing(day)
        * match day % 7 {
            5 => 0.2,
            6 => 3.0,
            _ => 1.0,
        }
}

fn with_holiday(day: i64) -> f64 {
    weekly(day) * if (180..211).contains(&day) { 0.02 } else { 1.0 }
}

fn doubled(day: i64) -> f64 {
    with_holiday(day) * if day >= 250 { 2.0 } else { 1.0 }
}

#[test]
fn an_ordinary_year_has_at_most_one_hold() {
    let loads: [(&str, Load); 4] =
        [("growing", growing), ("weekly", weekly), ("with a holiday", with_holiday), ("doubled", doubled)];
    let downs: [(&str, &[[i64; 2]]); 4] = [
        ("never down", &[]),
        ("down for a week", &[[90, 97]]),
        ("down for a month", &[[90, 120]]),
        ("down for a week and a month", &[[60, 67], [280, 310]]),
    ];
    for (schedule, step) in [("hourly", HOUR), ("nightly", DAY), ("weekly", 7 * DAY)] {
        for (load, amount) in loads {
            for (down, spans) in downs {
                if step == HOUR && (load != "doubled" || spans.is_empty()) {
                    // Hours are many.
                    continue;
                }
                let is_up = |day: i64| !spans.iter().any(|[from, until]| (*from..*until).contains(&day));
                let mut life = Life { young: 60_000.0, ..Life::new() };
                life.live(0..YEAR, step, amount, is_up);
                assert!(life.false_holds <= 1, "{schedule}, {load}, {down}: {} false holds", life.false_holds);
            }
        }
    }
}

#[test]
fn a_new_installation_starts_deleting_after_a_month() {
    for (schedule, step) in [("every six hours", 6 * HOUR), ("nightly", DAY), ("weekly", 7 * DAY)] {
        for (load, amount) in [("growing", growing as Load), ("weekly", weekly), ("doubled", doubled)] {
            let mut life = Life { young: 60_000.0, ..Life::new() };
            // Nothing is old enough for as long as everything is kept.
            life.live(0..YEAR, step, |day| if day < 30 { 0.0 } else { amount(day) }, |_| true);
            assert!(life.false_holds <= 1, "{schedule}, {load}: {} false holds", life.false_holds);
        }
    }
    // Ordinary nights alone hold nothing at all.
    let mut life = Life { young: 60_000.0, ..Life::new() };
    life.live(0..YEAR, DAY, |day| if day < 30 { 0.0 } else { weekly(day) }, |_| true);
    assert_eq!(life.false_holds, 0);
}

#[test]
fn sudden_amounts_are_held_however_long_they_wait() {
    let ordinary = |day: i64| weekly(day) / 4.0;
    for (schedule, step) in [("hourly", HOUR), ("nightly", DAY), ("weekly", 7 * DAY)] {
        for (what, young) in [("a restored older database", 20_000.0), ("a table that was emptied and refilled", 0.0)] {
            let mut life = Life { young, ..Life::new() };
            life.live(0..150, step, ordinary, |_| true);
            assert!(life.false_holds <= 1, "{schedule}");
            life.pending += 100_000.0;
            for slot in 0..(400 * DAY / step).min(900) {
                life.pending += ordinary(150) * step as f64 / DAY as f64;
                let at = Timestamp::from_second(1_760_000_000 + 150 * DAY + slot * step).unwrap();
                assert!(life.run(at), "{schedule}, {what}: not held in slot {slot}");
            }
        }
    }
}

//! Pure judgement of the machine's clock: what it says now, by what it said when it was last trusted.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::blocked::Blocked;
use super::facts::{facts_of, in_seconds};
use crate::clock::Reading;
use crate::outcome::{Held, HoldKind};
use crate::text::human::spell;

/// Time within one boot that the wall clock may run ahead of what the machine counted: no slew, zone or leap second comes
/// near it.
const LEAP: SignedDuration = SignedDuration::from_hours(24);
/// Time that a machine may be off before its clock has to be confirmed.
const OFF: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Judgement of a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plausibility {
    /// It went on as clocks do, or nothing is known that it could be compared with.
    Plausible,
    /// It is behind the last one that was trusted: whatever goes by it goes later.
    Behind,
    /// More time than can be accounted for.
    Leapt(Leap),
}

/// More time on the wall clock than is accounted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leap {
    /// When the clock was last trusted.
    seen_at: Timestamp,
    now: Timestamp,
    /// Time in between that the machine counted.
    #[serde(rename = "counted_secs", serialize_with = "in_seconds")]
    counted: SignedDuration,
    /// The machine was started anew in between.
    rebooted: bool,
}

/// Judges a clock by the last one that was trusted.
pub fn judge(seen: Option<&Reading>, now: &Reading) -> Plausibility {
    let Some(seen) = seen else { return Plausibility::Plausible };
    let passed = now.at.duration_since(seen.at);
    if passed < SignedDuration::ZERO {
        return Plausibility::Behind;
    }
    let up = |reading: &Reading| SignedDuration::try_from(reading.up).unwrap_or(SignedDuration::MAX);
    let leap = |counted, rebooted| Leap { seen_at: seen.at, now: now.at, counted, rebooted };
    let unseen = |counted: SignedDuration| passed.saturating_sub(counted);
    let since = up(now).saturating_sub(up(seen));
    let in_one_boot = (unseen(since) > LEAP).then(|| leap(since, false));
    let over_a_boot = (unseen(up(now)) > OFF).then(|| leap(up(now), true));
    let leapt = match (&seen.boot_id, &now.boot_id) {
        // The machine's own count never goes back; some boards repeat the name of a boot.
        _ if since < SignedDuration::ZERO => over_a_boot,
        (Some(before), Some(after)) if before != after => over_a_boot,
        (Some(_), Some(_)) => in_one_boot,
        // It is not known which; the one that explains the time holds nothing up.
        (None, _) | (_, None) => over_a_boot.and(in_one_boot),
    };
    leapt.map_or(Plausibility::Plausible, Plausibility::Leapt)
}

impl Leap {
    /// The hold of whatever goes by this clock: what was seen, what it means, and what to do.
    pub fn held(&self, since: Timestamp) -> Held {
        let Self { seen_at, now, counted, rebooted } = self;
        let passed = spell(now.duration_since(*seen_at));
        let counted = spell(*counted);
        let but = match rebooted {
            true => format!("and the machine has been up for {counted} of that"),
            false => format!("but the machine counted {counted}"),
        };
        let reason = format!(
            "the clock says {now:.0}, {passed} after it was last trusted ({seen_at:.0}), {but}; nothing goes by a clock that \
             leapt until the system says that it is synchronised (`timedatectl`), or the clock of a database on another \
             machine agrees. If it is right, say so with `retaind approve --clock`; on a machine that nothing synchronises, \
             write clock = \"trust\" in [daemon]"
        );
        Held::new(since, HoldKind::Clock, reason, facts_of(self))
    }
}

/// Reason to end a run that began under a clock that was ahead and was set right since: what it takes for old may not be.
pub fn began_in_the_future(began_at: Timestamp, now: Timestamp) -> Option<Blocked> {
    let ahead = began_at.duration_since(now);
    (ahead > SignedDuration::from_secs(60)).then_some(Blocked::ClockSetBack { by: ahead })
}

#[cfg(test)]
mod tests;

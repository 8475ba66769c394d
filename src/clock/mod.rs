//! The only place that asks the machine what time it is; everything else is handed a [`Clock`].

mod backoff;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};

pub use backoff::Backoff;

/// File in which the kernel names the boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Variable in which the unit names it: its sandbox hides the file.
const BOOT_ID_VARIABLE: &str = "BOOT_ID";

/// Tells the time: the machine's, or one that a test sets by hand.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    manual: Option<Arc<Mutex<Timestamp>>>,
}

/// The wall clock, and beside it what nobody can set: for how long the machine has been up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    pub at: Timestamp,
    /// Time since the machine was started, suspends included.
    pub up: Duration,
    /// Names this boot of the machine; none where that is not known.
    pub boot_id: Option<String>,
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self { manual: None }
    }

    /// A clock that stands at `at` until [`Clock::advance`] moves it.
    pub fn manual(at: Timestamp) -> Self {
        Self { manual: Some(Arc::new(Mutex::new(at))) }
    }

    /// The current instant.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that may ask")]
    pub fn now(&self) -> Timestamp {
        match &self.manual {
            None => Timestamp::now(),
            Some(at) => *at.lock().unwrap_or_else(|poisoned| poisoned.into_inner()),
        }
    }

    /// The current instant, with what tells a leap of the clock from time that passed. A manual clock never leaps: its
    /// machine is up since 1970.
    pub fn reading(&self) -> Reading {
        let at = self.now();
        if self.manual.is_some() {
            let up = Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default();
            return Reading { at, up, boot_id: Some("manual".to_owned()) };
        }
        let up = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(up.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(up.tv_nsec).unwrap_or_default();
        Reading { at, up: Duration::new(seconds, nanos), boot_id: boot_id() }
    }

    /// Moves a manual clock forward; does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Some(at) = &self.manual {
            let mut at = at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *at = at.checked_add(by).unwrap_or(Timestamp::MAX);
        }
    }
}

/// Names this boot: by the kernel's file, or by what the unit says where its sandbox hides that.
fn boot_id() -> Option<String> {
    let written = std::fs::read_to_string(BOOT_ID).ok().or_else(|| std::env::var(BOOT_ID_VARIABLE).ok())?;
    canonical(&written)
}

/// One spelling of a boot's id: systemd leaves the hyphens out.
fn canonical(written: &str) -> Option<String> {
    uuid::Uuid::try_parse(written.trim()).ok().map(|id| id.simple().to_string())
}

/// Milliseconds of a duration, cut off.
pub fn millis_of(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds from one instant to a later one.
pub fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_and_systemd_name_a_boot_alike() {
        let id = "0f7e4b6a9d1c4c5e8a2b3c4d5e6f7a8b";
        assert_eq!(canonical("0F7E4B6A-9d1c-4c5e-8a2b-3c4d5e6f7a8b\n").as_deref(), Some(id));
        assert_eq!(canonical(id).as_deref(), Some(id));
        assert_eq!(canonical(""), None);
        assert_eq!(canonical("%b"), None);
    }

    #[test]
    fn the_machine_counts_beside_its_wall_clock() {
        let clock = Clock::system();
        let (first, second) = (clock.reading(), clock.reading());
        assert!(first.up > Duration::ZERO && second.up >= first.up);
        assert!(first.boot_id.is_some(), "{BOOT_ID} is there outside of the sandbox");
        assert_eq!(first.boot_id, second.boot_id);
    }

    #[test]
    fn a_manual_clock_counts_uptime_as_it_advances() {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let first = clock.reading();
        clock.advance(Duration::from_secs(3600));
        let second = clock.reading();
        assert_eq!(second.up - first.up, Duration::from_secs(3600));
        assert_eq!(second.at.duration_since(first.at).as_secs(), 3600);
    }
}

//! Wakes at an instant of the wall clock, through suspends and clock changes, without looking at it in between.

use std::os::fd::OwnedFd;
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use crate::clock::Clock;

/// An alarm of the wall clock.
#[derive(Debug)]
pub enum Alarm {
    /// A timer of the kernel: a sleeping process is woken at the instant, and when the clock is set. A timer of
    /// tokio's would be late by the time of a suspend, or never know that the clock moved.
    Kernel(AsyncFd<OwnedFd>),
    /// Looks at the clock again and again: for a clock that a test moves by hand, or a kernel without the timer.
    Polling(Duration),
}

impl Alarm {
    /// The kernel's alarm; where it cannot be had, one that looks at the clock every half minute.
    /// Must be called within a runtime.
    pub fn kernel() -> Self {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Realtime, flags).map_err(std::io::Error::from);
        match timer.and_then(register) {
            Ok(timer) => Self::Kernel(timer),
            Err(error) => {
                tracing::warn!(%error, "The kernel gives no timer: slots may start half a minute late");
                Self::Polling(Duration::from_secs(30))
            }
        }
    }

    /// Sleeps until the clock shows `at`, or has been set, or a moment has passed: the caller looks at the clock again.
    /// Without an instant it sleeps for ever.
    pub async fn wait(&self, clock: &Clock, at: Option<Timestamp>) {
        let Some(at) = at else { return std::future::pending().await };
        match self {
            Self::Kernel(timer) => {
                if let Err(error) = wait_kernel(timer, at).await {
                    tracing::warn!(%error, "The kernel's timer failed: looking at the clock again in a second");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
            Self::Polling(period) => {
                let left = Duration::try_from(at.duration_since(clock.now())).unwrap_or(Duration::ZERO);
                tokio::time::sleep(left.min(*period)).await;
            }
        }
    }
}

/// The constructor that replaces this one is `unsafe`, for files that may be closed underneath: an `OwnedFd` may not.
#[allow(deprecated, reason = "safe for an OwnedFd, see above; its successor needs unsafe code")]
fn register(timer: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(timer)
}

async fn wait_kernel(timer: &AsyncFd<OwnedFd>, at: Timestamp) -> std::io::Result<()> {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Zero would disarm the timer.
    let (seconds, nanos) = (at.as_second().max(1), at.subsec_nanosecond().max(0));
    let instant = Timespec { tv_sec: seconds, tv_nsec: nanos.into() };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(timer, flags, &Itimerspec { it_interval: never, it_value: instant }) {
        Ok(_) => {}
        Err(Errno::CANCELED) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    loop {
        let mut ready = timer.readable().await?;
        let mut expirations = [0_u8; 8];
        match rustix::io::read(timer, &mut expirations) {
            // CANCELED: the clock was set.
            Ok(_) | Err(Errno::CANCELED) => return Ok(()),
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_wakes_at_the_instant() {
        let (alarm, clock) = (Alarm::kernel(), Clock::system());
        assert!(matches!(alarm, Alarm::Kernel(_)));
        for _ in 0..2 {
            let at = clock.now() + Duration::from_millis(120);
            alarm.wait(&clock, Some(at)).await;
            let late = Duration::try_from(clock.now().duration_since(at)).expect("woke before the instant");
            assert!(late < Duration::from_secs(5), "{late:?}");
        }
        let past = clock.now() - Duration::from_secs(60);
        tokio::time::timeout(Duration::from_secs(5), alarm.wait(&clock, Some(past))).await.unwrap();
    }

    #[tokio::test]
    async fn without_an_instant_nothing_wakes() {
        let (alarm, clock) = (Alarm::kernel(), Clock::system());
        let waited = tokio::time::timeout(Duration::from_millis(50), alarm.wait(&clock, None)).await;
        assert!(waited.is_err());
    }
}

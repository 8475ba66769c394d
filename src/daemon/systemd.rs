//! Messages to the service manager. Silent where there is none.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

/// The line to the service manager. It keeps the last status, so that none is sent twice.
#[derive(Debug, Default)]
pub struct ServiceManager {
    status: String,
    /// It did not take the last message.
    is_deaf: AtomicBool,
}

impl ServiceManager {
    /// Started, or reloaded: the daemon does its work.
    pub fn ready(&mut self, status: String) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.status = status;
    }

    /// The configuration is being loaded; [`ServiceManager::ready`] must follow, whatever comes of it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            // Both in one message: systemd rejects the first without the second.
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "The monotonic clock cannot be read: the reload is not announced"),
        }
    }

    /// No new runs; the rest may take as long as `grace`.
    pub fn stopping(&mut self, status: String, grace: Duration) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&status), extension(grace)]);
        self.status = status;
    }

    /// Asks for this much more time to start or stop.
    pub fn extend(&self, by: Duration) {
        self.tell(&[extension(by)]);
    }

    /// The line in `systemctl status`.
    pub fn status(&mut self, status: String) {
        if status != self.status {
            self.tell(&[NotifyState::Status(&status)]);
            self.status = status;
        }
    }

    /// The loop that does the work is alive.
    pub fn alive(&self) {
        self.tell(&[NotifyState::Watchdog]);
    }

    /// Sends a message. That it is not taken is said once, until one is.
    fn tell(&self, states: &[NotifyState<'_>]) {
        match sd_notify::notify(states) {
            Ok(()) => self.is_deaf.store(false, Ordering::Relaxed),
            Err(error) if !self.is_deaf.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "The service manager does not take messages");
            }
            Err(_) => {}
        }
    }
}

/// Interval at which [`ServiceManager::alive`] is to be called: twice in the time that the unit sets, if it sets one.
pub fn watchdog_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|period| period / 2).filter(|period| !period.is_zero())
}

fn extension(by: Duration) -> NotifyState<'static> {
    NotifyState::ExtendTimeoutUsec(u32::try_from(by.as_micros()).unwrap_or(u32::MAX))
}

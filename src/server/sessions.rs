//! Log-ins of browsers over TCP: begun with a token, kept in memory, bounded in number and in time.
//!
//! A log-in is known by the hash of its id alone. The secret of its token stays with it, so that each request asks anew whether
//! that token is still there and what it allows.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::peers::network;
use crate::policy::Name;
use crate::random::unguessable;
use crate::text::hex;

/// Time without a request after which a log-in is over.
const IDLE: Duration = Duration::from_secs(12 * 3600);
/// Time after which it is over in any case.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);
/// Log-ins of one token; one more ends the one that was used longest ago.
const OF_A_TOKEN: usize = 16;
/// Log-ins of all tokens.
const MOST: usize = 256;

/// Wrong tokens that an address may show in [`ATTEMPTS_IN`].
const ATTEMPTS: usize = 10;
const ATTEMPTS_IN: Duration = Duration::from_secs(60);
/// Addresses whose wrong tokens are counted.
const ADDRESSES: usize = 1024;

/// Log-ins, and what guards them. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub(super) struct Sessions(Arc<Inner>);

#[derive(Default)]
struct Inner {
    all: Mutex<Vec<Session>>,
    /// Instants at which wrong tokens were shown.
    attempts: Mutex<HashMap<IpAddr, VecDeque<Instant>>>,
    /// Word in the forms of whoever needs no log-in.
    form_word: OnceLock<String>,
}

/// Log-in of a browser.
struct Session {
    id: [u8; 32],
    found: LoggedIn,
    began: Instant,
    used: Instant,
}

/// Log-in as a request has shown it.
#[derive(Clone)]
pub(super) struct LoggedIn {
    /// Name of its token.
    pub(super) token: Name,
    /// Secret of that token.
    pub(super) secret: String,
    /// Word that each of its forms has to have: a page of somebody else does not know it.
    pub(super) form_word: String,
}

impl Sessions {
    /// Begins a log-in under a new id; none where there is no random number to be had.
    pub(super) fn begin(&self, token: Name, secret: String, now: Instant) -> Option<String> {
        let (id, form_word) = (random()?, random()?);
        let mut all = lock(&self.0.all);
        all.retain(|session| !session.is_over(now));
        if all.iter().filter(|session| session.found.token == token).count() >= OF_A_TOKEN {
            end_oldest(&mut all, |session| session.found.token == token);
        }
        if all.len() >= MOST {
            end_oldest(&mut all, |_| true);
        }
        all.push(Session { id: digest(&id), found: LoggedIn { token, secret, form_word }, began: now, used: now });
        Some(id)
    }

    /// The log-in of an id; `renews`: a person asks, and not a page by itself.
    pub(super) fn find(&self, id: &str, renews: bool, now: Instant) -> Option<LoggedIn> {
        let (id, mut all) = (digest(id), lock(&self.0.all));
        all.retain(|session| !session.is_over(now));
        let session = all.iter_mut().find(|session| session.id == id)?;
        if renews {
            session.used = now;
        }
        Some(session.found.clone())
    }

    /// Ends the log-in of an id.
    pub(super) fn end(&self, id: &str) {
        let id = digest(id);
        lock(&self.0.all).retain(|session| session.id != id);
    }

    /// Refuses an address that has shown too many wrong tokens: the time until it may show another.
    pub(super) fn check_attempts(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let attempts = lock(&self.0.attempts);
        let of_address = attempts.get(&network(address)).into_iter().flatten();
        let recent: Vec<Instant> = of_address.copied().filter(|at| now.duration_since(*at) < ATTEMPTS_IN).collect();
        match recent.len().checked_sub(ATTEMPTS).and_then(|place| recent.get(place)) {
            Some(first) => Err(ATTEMPTS_IN.saturating_sub(now.duration_since(*first))),
            None => Ok(()),
        }
    }

    /// Counts a wrong token; from the last one that is let pass on, no more are.
    pub(super) fn note_attempt(&self, address: IpAddr, now: Instant) {
        let mut attempts = lock(&self.0.attempts);
        let is_recent = |at: &Instant| now.duration_since(*at) < ATTEMPTS_IN;
        attempts.retain(|_, all| all.back().is_some_and(is_recent));
        let address = network(address);
        if attempts.len() >= ADDRESSES && !attempts.contains_key(&address) {
            return;
        }
        let all = attempts.entry(address).or_default();
        all.retain(is_recent);
        all.push_back(now);
        if all.len() == ATTEMPTS {
            tracing::warn!(%address, "{ATTEMPTS} wrong tokens were shown to the dashboard from {address} within a minute: more are refused");
        }
    }

    /// Word in the forms of whoever needs no log-in, the same until the daemon ends; none where there is no random number.
    pub(super) fn form_word(&self) -> Option<String> {
        match self.0.form_word.get() {
            Some(word) => Some(word.clone()),
            None => random().map(|word| self.0.form_word.get_or_init(|| word).clone()),
        }
    }
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.used) >= IDLE || now.duration_since(self.began) >= LONGEST
    }
}

/// Ends the log-in that was used longest ago, of those that count.
fn end_oldest(all: &mut Vec<Session>, counts: impl Fn(&Session) -> bool) {
    let oldest = all.iter().enumerate().filter(|(_, session)| counts(session)).min_by_key(|(_, session)| session.used);
    if let Some(place) = oldest.map(|(place, _)| place) {
        all.swap_remove(place);
    }
}

fn random() -> Option<String> {
    unguessable().ok().map(|random| hex(&random))
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(sessions: &Sessions, token: &str, now: Instant) -> String {
        sessions.begin(Name::parse(token).unwrap(), format!("secret of {token}"), now).unwrap()
    }

    #[test]
    fn a_log_in_ends_by_time() {
        let (sessions, began) = (Sessions::default(), Instant::now());
        let id = begin(&sessions, "ada", began);
        let half = IDLE / 2;
        assert_eq!(sessions.find(&id, true, began + half).unwrap().secret, "secret of ada");
        assert!(sessions.find(&id, false, began + half + IDLE / 3 * 2).is_some());
        assert!(sessions.find(&id, true, began + half + IDLE).is_none(), "a page that looks by itself renews nothing");
        let id = begin(&sessions, "ada", began);
        let renewed =
            (1..100).map(|step| began + half * step).take_while(|now| sessions.find(&id, true, *now).is_some());
        assert_eq!(renewed.count(), 27, "nor does anybody renew it for longer than seven days");
    }

    #[test]
    fn log_ins_are_bounded_and_found_by_id() {
        let (sessions, began) = (Sessions::default(), Instant::now());
        let bob = begin(&sessions, "bob", began);
        let ids: Vec<String> =
            (0..20).map(|number| begin(&sessions, "ada", began + Duration::from_secs(number))).collect();
        let left = ids.iter().filter(|id| sessions.find(id, true, began + Duration::from_secs(60)).is_some());
        assert_eq!(left.count(), OF_A_TOKEN);
        assert!(sessions.find(&bob, true, began).is_some(), "another token keeps its own");
        assert!(sessions.find("", true, began).is_none());
        sessions.end(&bob);
        assert!(sessions.find(&bob, true, began).is_none());
        assert_ne!(sessions.form_word().unwrap(), Sessions::default().form_word().unwrap());
        assert_eq!(sessions.form_word(), sessions.form_word());
    }

    #[test]
    fn wrong_tokens_are_counted_by_address() {
        let (sessions, began) = (Sessions::default(), Instant::now());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for _ in 0..ATTEMPTS {
            assert_eq!(sessions.check_attempts(address("fd00::1"), began), Ok(()));
            sessions.note_attempt(address("fd00::1"), began);
        }
        assert_eq!(sessions.check_attempts(address("fd00::2"), began), Err(ATTEMPTS_IN), "of one network");
        assert_eq!(sessions.check_attempts(address("10.0.0.1"), began), Ok(()));
        assert_eq!(sessions.check_attempts(address("fd00::1"), began + ATTEMPTS_IN), Ok(()));
    }
}

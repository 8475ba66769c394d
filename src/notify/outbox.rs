//! The outbox at work: a task for each destination, which sleeps while nothing waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use super::counts::{AllCounts, DeliveryCounts};
use super::delivery::Sender;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::policy::Addressee;

/// Destinations with what waits for them in the ledger. Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Inner>);

struct Inner {
    ledger: Ledger,
    clock: Clock,
    counts: Arc<AllCounts>,
    posts: Mutex<BTreeMap<String, Post>>,
    senders: TaskTracker,
}

/// A destination, to which a task delivers as long as this is there.
struct Post {
    to: watch::Sender<Addressee>,
    woken: Arc<Notify>,
}

impl Outbox {
    /// One that delivers to nobody yet.
    pub fn new(ledger: Ledger, clock: Clock) -> Self {
        let (counts, posts, senders) = (Arc::default(), Mutex::default(), TaskTracker::new());
        Self(Arc::new(Inner { ledger, clock, counts, posts, senders }))
    }

    /// Delivers to these from now on, and to nobody else. What waits is tried at once: perhaps it can be delivered now.
    pub fn follow(&self, addressees: Vec<Addressee>) {
        let mut posts = self.posts();
        posts.retain(|key, _| addressees.iter().any(|addressee| addressee.key() == *key));
        for addressee in addressees {
            let key = addressee.key();
            match posts.get(&key) {
                Some(post) => {
                    post.to.send_replace(addressee);
                }
                None => {
                    posts.insert(key.clone(), self.start(key, addressee));
                }
            }
        }
    }

    fn start(&self, key: String, addressee: Addressee) -> Post {
        let (to, seen) = watch::channel(addressee);
        let woken = Arc::new(Notify::new());
        let Inner { ledger, clock, counts, .. } = &*self.0;
        let sender = Sender::new((key, seen), Arc::clone(&woken), (ledger.clone(), clock.clone()), Arc::clone(counts));
        self.0.senders.spawn(sender.deliver());
        Post { to, woken }
    }

    /// There are new messages for these.
    pub fn wake(&self, keys: &[String]) {
        let posts = self.posts();
        keys.iter().filter_map(|key| posts.get(key)).for_each(|post| post.woken.notify_one());
    }

    /// Notes messages that were given up before they were delivered.
    pub fn note_dropped(&self, dropped: &[(String, u64)]) {
        for (key, messages) in dropped {
            self.0.counts.change(key, |counts| counts.dropped += messages);
        }
    }

    /// Deliveries since the start.
    pub fn counts(&self) -> Vec<(String, DeliveryCounts)> {
        self.0.counts.all()
    }

    /// Begins no more tries, and gives those under way this time to end. What is not delivered waits in the ledger.
    pub async fn stop(&self, patience: Duration) {
        self.posts().clear();
        self.0.senders.close();
        // A try that takes longer is broken off, and made again at the next start.
        let _ = tokio::time::timeout(patience, self.0.senders.wait()).await;
    }

    fn posts(&self) -> MutexGuard<'_, BTreeMap<String, Post>> {
        self.0.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

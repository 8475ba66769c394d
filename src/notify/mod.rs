//! Words to others: messages from an outbox to those who are notified, and the state of each run in a Redis. Never holds
//! up a run.

mod counts;
mod delivery;
mod outbox;
mod redis;
mod senders;

pub use counts::DeliveryCounts;
pub use outbox::Outbox;
pub use redis::{JobMetadata, JobState, JobStates, JobStatus, NotReached, ping};
pub use senders::{Attempt, send};

/// Name of the machine, as it is told to others.
pub fn host_name() -> String {
    crate::text::printable(&rustix::system::uname().nodename().to_string_lossy()).into_owned()
}

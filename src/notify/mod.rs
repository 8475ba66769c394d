//! The state of each run for whoever reads it elsewhere: a key in a Redis, and a message on a channel. Never holds up a run.

mod delivery;
mod job;
mod job_states;

pub use delivery::{NotReached, ping};
pub use job::{JobMetadata, JobStatus};
pub use job_states::JobStates;

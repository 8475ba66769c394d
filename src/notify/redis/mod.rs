//! The state of each run in a Redis, from a task of its own.

mod delivery;
mod job;
mod job_states;

pub use delivery::{NotReached, ping};
pub use job::{JobMetadata, JobState, JobStatus};
pub use job_states::JobStates;

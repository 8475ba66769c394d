//! One run: gather facts, decide, guard, execute, record; and recovery of what a crash left pending.

mod account;
mod brake;
mod clock_guard;
mod execute;
mod files;
mod fingerprints;
mod holds;
mod lister;
mod outcome;
mod owners;
mod pauses;
mod plan_state;
mod policy;
mod policy_run;
mod programs;
mod progress;
mod recovery;
mod referenced_store;
mod request;
mod rows;
mod runner;
mod sessions;
mod spellings;
mod stop;
mod store_identity;
mod trash;

pub use brake::{Brake, HoldReason};
pub use holds::Reviewed;
pub use holds::standing::Standing;
pub use programs::liveness::{Verdict, ask_one};
pub use progress::Progress;
pub use recovery::{KeptBatch, Recovery, batch_waits_for, waits_for};
pub use request::{Fate, Listed, Request, RunError};
pub use runner::Runner;
pub use spellings::means;
pub use store_identity::guard as store_guard;

//! The daemon: what it takes while it has nothing to do, and how it answers while it purges.

mod abuse;
mod idle;
mod resting;
mod served;
mod serving;

pub use idle::idle;
pub use served::served;

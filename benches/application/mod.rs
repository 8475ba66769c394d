//! An application beside a purge of the same server: what it feels.

mod pgbench;
mod transactions;

pub use pgbench::latency;

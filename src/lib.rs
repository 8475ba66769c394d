//! retaind enforces data retention on databases and on the files that their rows point to.
//!
//! Modules import in one direction only; `docs/architecture.md` has the table and a test holds the code to it.

pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod ledger;
pub mod notify;
pub mod outcome;
pub mod policy;
pub mod process;
pub mod random;
pub mod report;
pub mod run;
pub mod schedule;
pub mod server;
pub mod sources;
pub mod stores;
pub mod telemetry;
pub mod text;
pub mod trust;

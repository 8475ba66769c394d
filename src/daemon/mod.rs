//! The daemon's life: start, reload, shutdown, and what it tells systemd.

mod active_runs;
mod answers;
mod beats;
mod clock_watch;
mod control;
mod holds;
mod jobs;
mod live;
mod metrics;
mod notices;
mod reaper;
mod recovery;
mod reload;
mod report;
mod run_ends;
mod runs;
mod serve;
mod signals;
mod source_health;
mod start;
mod start_failure;
mod state;
mod status_line;
mod systemd;
mod task_runner;

pub use reload::{Loader, Reach, Refusal};
pub use serve::{DaemonEnd, daemon};
pub use start::StartError;
pub use state::Options;

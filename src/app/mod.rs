//! The daemon's life: start, reload, shutdown, and what it tells systemd.

mod activate;
pub mod adopt;
pub mod approve;
mod backoff;
pub mod check;
mod clock_watch;
mod daemon;
pub mod diff;
mod foresee;
mod holds;
mod live;
pub mod oneshot;
pub mod params;
mod recovery;
mod reload;
mod report;
pub mod restore;
mod sample;
mod schedules;
pub mod select;
mod signals;
mod source_watch;
mod start;
pub mod stats;
pub mod status;
mod status_line;
mod systemd;
pub mod why;

pub use daemon::{Ended, Options, daemon};
pub use reload::{Loader, Refusal};
pub use start::StartError;

//! The daemon's life: start, reload, shutdown, and what it tells systemd.

mod activate;
mod backoff;
mod daemon;
mod live;
mod recovery;
mod reload;
mod report;
mod signals;
mod source_watch;
mod start;
mod status_line;
mod systemd;

pub use daemon::{Ended, Options, daemon};
pub use reload::{Loader, Refusal};
pub use start::StartError;

//! The daemon's life: start, reload, shutdown, and what it tells systemd.

pub mod check;
pub mod oneshot;
pub mod select;
pub mod status;

//! The daemon's life: start, reload, shutdown, and what it tells systemd.

//! The package and the service under a real systemd: a small Debian booted in a container, the .deb installed in it.
//!
//! Needs root, `systemd-nspawn`, `debootstrap` and `dpkg-dev`; the first run fetches a minimal Debian with the
//! mirror that apt uses here, and keeps it for the next. The package is made first of the program under
//! test; `RETAIND_DEB="$(make -s deb)" cargo test --test it -- systemd` tests the one that is released.

mod camera;
mod clock;
mod container;
mod deb;
mod first_week;
mod hardship;
mod harness;
mod held;
mod image;
mod install;
mod interruption;
mod journal;
mod machine;
mod open_files;
mod root;
mod socket;
mod story;
mod tcp;

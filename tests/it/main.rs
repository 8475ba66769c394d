//! The integration tests, as one binary.
#![allow(clippy::disallowed_methods, reason = "tests set up and tear down their own files, and measure real time")]

#[macro_use]
mod engines;
mod sources;
mod systemd;

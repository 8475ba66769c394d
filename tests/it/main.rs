//! The integration tests, as one binary.
#![allow(clippy::disallowed_methods, reason = "tests set up and tear down their own files, and measure real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

#[macro_use]
mod engines;

mod demo;
mod docs;
mod layers;
mod sources;
mod systemd;

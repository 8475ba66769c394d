//! The integration tests, as one binary.
#![allow(clippy::disallowed_methods, reason = "tests set up and tear down their own files, and measure real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

mod config;
#[macro_use]
mod engines;
mod crash;
mod demo;
mod layers;
mod rows;
mod sources;
mod systemd;
mod world;

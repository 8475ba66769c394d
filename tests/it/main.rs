//! The integration tests, as one binary.
#![recursion_limit = "256"]
#![allow(clippy::disallowed_methods, reason = "tests set up and tear down their own files, and measure real time")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on panics")]

#[macro_use]
mod needs;
#[macro_use]
mod engines;
mod applications;
mod binary;
mod browser;
mod cli;
mod config;
mod crash;
mod decided;
mod demo;
mod docs;
mod held;
mod http;
mod layers;
mod lifecycle;
mod rows;
mod sources;
mod systemd;
mod trees;
mod world;

//! The integration tests, as one binary.

mod demo;
mod layers;

//! Measuring: rounds in which every side has its turn, processes that are watched, programs that are timed. Judges nothing.

mod process;
mod rounds;

pub use process::{Finished, Watched, retaind, run_watched, status_field, time};
pub use rounds::{Times, median, quantile, rounds};

//! Purges of a table, beside what an operator would do instead.

mod beside;
mod beside_itself;
mod by_loop;
mod fixture;
mod layout;
mod readings;
mod sigterm;

pub use beside::{mariadb, postgres, sqlite};
pub use beside_itself::{growth, growth_of_large, noise, plan};
pub use by_loop::beside_loop;
pub use fixture::Fixture;
pub use layout::Layout;
pub use readings::{fill, policy, settle};
pub use sigterm::sigterm;

/// Rows of the usual table; half of them go.
pub const ROWS: u64 = 2_000_000;

//! What was measured, as figures beside their goals, and the tables of them on the terminal and in the documentation.

mod document;
mod figure;
mod table;

pub use document::write;
pub use figure::{Figure, Goal, Unit};
pub use table::{Line, print};

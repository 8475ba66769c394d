//! Text for people: numbers, sizes, durations and instants, errors with their causes, and text of others, cut and escaped.
//! Pure, and the one formatter of the house.

mod cut;
mod error;
mod escape;
mod hex;
pub mod human;
mod shell;
mod word;

pub use cut::{SHOWN_BYTES, cut, cut_at};
pub use error::{chain, safe_chain, without_passwords};
pub use escape::printable;
pub use hex::hex;
pub use shell::shell_word;
pub use word::word_of;

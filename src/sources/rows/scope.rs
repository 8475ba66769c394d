//! The rows that a statement is about, and how many keys it may name.

use super::window::Window;

/// Rows that a statement is about.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub window: &'a Window,
    /// Only those with one of these keys, at most [`KEYS_AT_ONCE`].
    pub keys: Option<&'a [Vec<String>]>,
    /// Only those that nobody else has locked.
    pub unlocked: bool,
}

impl<'a> Scope<'a> {
    /// All rows of a window.
    pub fn window(window: &'a Window) -> Self {
        Self { window, keys: None, unlocked: false }
    }
}

/// Rows of a policy's table that are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Eligible,
    /// Those that would be eligible if nothing kept them.
    Kept,
    /// Those that `where` includes, however old they are: all of the table where there is none.
    InScope,
}

/// Most keys in one statement; each key column is one of at most 32,766 bound values (SQLite's limit).
pub const KEYS_AT_ONCE: usize = 5000;

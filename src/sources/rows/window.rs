//! Parts of a table, one of which a statement is about.

/// A part of the table that holds at most about a batch of eligible rows. Values are texts of their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Everything that is eligible.
    All,
    /// Ages from `from` (none: from the beginning) up to, not including, `to` (none: to the cutoff).
    /// `keys`: where all their keys lie, for MySQL.
    Ages { from: Option<AgeBound>, to: Option<String>, keys: Option<(String, String)> },
    /// Keys from `from` (none: the first) up to, not including, `to`, among the rows of one and the same age.
    SameAge { age: String, from: Option<Vec<String>>, to: Option<Vec<String>> },
    /// Keys from `from` up to, not including, `to`.
    Keys { from: Option<Vec<String>>, to: Option<Vec<String>> },
}

impl Window {
    /// True if it holds no row from before the floor of all dates: a walk finds no age that is.
    pub(crate) fn is_above_floor(&self) -> bool {
        matches!(self, Window::Ages { from: Some(_), .. } | Window::SameAge { .. })
    }
}

/// Lower bound of the ages in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgeBound {
    At(String),
    After(String),
}

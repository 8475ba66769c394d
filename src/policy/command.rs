//! Commands that an operator declares: run without a shell, with a timeout.

use std::time::Duration;

use super::Ident;

/// A command whose arguments may be values of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// An absolute path.
    pub program: std::path::PathBuf,
    pub arguments: Vec<Argument>,
    pub timeout: Duration,
}

/// One argument of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Text(String),
    /// The value of a column, as a whole argument: `{id}`.
    Column(Ident),
}

impl CommandLine {
    /// The columns that its arguments take, in order.
    pub fn columns(&self) -> impl Iterator<Item = &Ident> {
        self.arguments.iter().filter_map(|argument| match argument {
            Argument::Column(column) => Some(column),
            Argument::Text(_) => None,
        })
    }
}

/// A command that a task runs before or after its policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// An absolute path.
    pub program: std::path::PathBuf,
    pub arguments: Vec<String>,
    pub timeout: Duration,
}

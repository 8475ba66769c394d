//! Kinds of keys by the values that they take, and a key as it is declared.

/// Kind of value that a key takes.
#[derive(Debug, Clone, Copy)]
pub enum KeyKind {
    Text,
    /// A text that is one of these.
    Word(&'static [&'static str]),
    Duration,
    /// A duration that may be shorter than a second.
    ShortDuration,
    /// 1 to this.
    Count(i64),
    Share,
    /// A number above 0.
    Number,
    Flag,
    /// Bytes with a unit, or, of a file system, a percentage.
    Size,
    /// A text, a number, true or false.
    Scalar,
    /// A text, or a list of them.
    Patterns,
    /// A name in a database, or a list of them.
    Names,
    /// A table with keys of its own.
    Table(TableKeys),
    /// A table with names that the operator chooses.
    Named(&'static KeyKind),
    List(&'static KeyKind),
    /// A table in the place of something plain.
    OrTable(&'static KeyKind, TableKeys),
}

impl KeyKind {
    /// The word that the documentation uses.
    pub fn word(self) -> &'static str {
        match self {
            KeyKind::Text | KeyKind::Word(_) => "text",
            KeyKind::Duration | KeyKind::ShortDuration => "duration",
            KeyKind::Count(_) => "whole number",
            KeyKind::Share => "share",
            KeyKind::Number => "number",
            KeyKind::Flag => "true or false",
            KeyKind::Size => "size",
            KeyKind::Scalar => "value",
            KeyKind::Patterns => "pattern or list",
            KeyKind::Names => "text or list",
            KeyKind::Table(_) | KeyKind::Named(_) => "table",
            KeyKind::List(KeyKind::Table(_)) => "list of tables",
            KeyKind::List(_) => "list",
            KeyKind::OrTable(plain, _) => plain.word(),
        }
    }

    /// Description of the expected value, in the words of the file.
    pub(super) fn phrase(self) -> &'static str {
        match self {
            KeyKind::Text | KeyKind::Word(_) => "a text in quotes",
            KeyKind::Duration => "a duration such as \"30d\"",
            KeyKind::ShortDuration => "a duration such as \"100ms\"",
            KeyKind::Count(_) => "a whole number",
            KeyKind::Share | KeyKind::Number => "a number",
            KeyKind::Flag => "true or false",
            KeyKind::Size => "a size such as \"10GiB\"",
            KeyKind::Scalar => "a text, a number, true or false, or { sql = \"…\" }",
            KeyKind::Patterns => "a pattern in quotes, or a list of them",
            KeyKind::Names => "a name in quotes, or a list of names",
            KeyKind::Table(_) | KeyKind::Named(_) => "a table",
            KeyKind::List(_) => "a list in [ ]",
            KeyKind::OrTable(plain, _) => plain.phrase(),
        }
    }

    /// The keys of its table; none where it takes none with declared keys.
    pub fn keys(self) -> &'static [Key] {
        match self {
            KeyKind::Table(table) | KeyKind::OrTable(_, table) => (table.keys)(),
            _ => &[],
        }
    }

    /// Kind of the value where that is not a table.
    pub fn plain(self) -> Self {
        if let KeyKind::OrTable(plain, _) = self { *plain } else { self }
    }
}

/// The keys of a table, by the name of what is read from it.
#[derive(Debug, Clone, Copy)]
pub struct TableKeys {
    pub name: &'static str,
    pub keys: fn() -> &'static [Key],
}

/// A key as it is declared.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: KeyKind,
    /// Its default; empty where that is nothing, or depends on something.
    pub default: &'static str,
    /// The documentation's words for a default that depends on something, in Markdown.
    pub(super) shown: &'static str,
    /// Kinds of policies that have it, in words; none where all do, or where it is not a policy's.
    pub of: &'static [&'static str],
    /// Meaning of each of the names in it, where they are the operator's.
    pub each: &'static str,
    pub(super) lines: &'static [&'static str],
}

impl Key {
    /// Its meaning, in Markdown.
    pub fn meaning(&self) -> String {
        self.lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
    }
}

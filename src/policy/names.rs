//! Names: of things in the configuration, and of things in a database.

use std::fmt;

/// Name of a source, store, task or policy: lower-case letters, digits, `-` and `_`, at most 64 characters.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = "^[a-z0-9][a-z0-9_-]{0,63}$"))]
pub struct Name(String);

impl Name {
    /// Parses a name; the error says which characters are allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if starts && text.len() <= 64 && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a name has lower-case letters, digits, '-' and '_', begins with a letter or digit, \
                 and is at most 64 characters long"
                .to_owned())
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

/// A column, table or schema name, exactly as the catalog spells it; quoted whenever it enters a statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

impl Ident {
    /// Parses an identifier: not empty, no NUL, at most 128 bytes.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.contains('\0') || text.len() > 128 {
            return Err("an identifier is 1 to 128 bytes long and has no NUL".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The identifier as the catalog spells it, unquoted.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A table, with its schema (PostgreSQL), database (MySQL) or attached database (SQLite) where one was given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    pub schema: Option<Ident>,
    pub table: Ident,
}

impl TableName {
    /// Parses `table` or `schema.table`; a part that has a dot of its own is written in double quotes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = split_quoted(text)?;
        let table = parts.pop().ok_or("a table name is empty")?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err("a table is written as \"table\" or \"schema.table\"".to_owned());
        }
        Ok(Self { schema: schema.as_deref().map(Ident::parse).transpose()?, table: Ident::parse(&table)? })
    }
}

impl serde::Serialize for TableName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", Part(schema))?;
        }
        write!(f, "{}", Part(&self.table))
    }
}

/// A part of a table's name as [`TableName::parse`] reads it back.
struct Part<'a>(&'a Ident);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_str() {
            plain if !plain.contains(['.', '"']) => f.write_str(plain),
            odd => write!(f, "\"{}\"", odd.replace('"', "\"\"")),
        }
    }
}

/// Splits at dots outside double quotes; a doubled quote inside quotes stands for one.
fn split_quoted(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                parts.last_mut().ok_or("empty")?.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other => parts.last_mut().ok_or("empty")?.push(other),
        }
    }
    if quoted {
        return Err("a double quote is not closed".to_owned());
    }
    Ok(parts)
}

//! A statement under construction: text, quoted names and bound values, written the way its engine wants them.

use std::fmt;

use super::sql::dialect::{Dialect, Traits, dialect};
use crate::policy::{Engine, Ident, TableName};
use crate::text::hex;

/// An SQL text with its bound values, for one engine. Every value is bound as text (or NULL) and cast by the text
/// around it, so no value ever becomes part of the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Sql {
    engine: Engine,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Bind(Option<String>),
}

impl Sql {
    /// An empty statement.
    pub fn new(engine: Engine) -> Self {
        Self { engine, pieces: Vec::new() }
    }

    /// The engine that it is written for.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The words of its engine.
    pub(crate) fn dialect(&self) -> &'static dyn Dialect {
        dialect(self.engine)
    }

    /// The traits of its engine.
    pub(crate) fn traits(&self) -> &'static Traits {
        self.dialect().traits()
    }

    /// Adds a part: text as it is, which never holds a placeholder, or what writes itself.
    pub fn push(&mut self, part: impl SqlPart) -> &mut Self {
        part.write(self);
        self
    }

    /// Adds what a function writes.
    pub fn with(&mut self, write: impl FnOnce(&mut Sql)) -> &mut Self {
        write(self);
        self
    }

    /// Adds each item, with `separator` between them.
    pub(crate) fn separated<T>(
        &mut self,
        separator: &str,
        items: &[T],
        mut write: impl FnMut(&mut Sql, &T),
    ) -> &mut Self {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.push(separator);
            }
            write(self, item);
        }
        self
    }

    /// Adds bound texts, with commas between them.
    pub(crate) fn binds_of(&mut self, texts: &[String]) -> &mut Self {
        self.separated(", ", texts, |sql, text| {
            sql.bind(text.clone());
        })
    }

    /// Adds a text with holes: `@` and lower-case letters, which `fill` is told and fills.
    pub(crate) fn template(&mut self, template: &str, mut fill: impl FnMut(&mut Sql, &str)) -> &mut Self {
        let mut pieces = template.split('@');
        self.push(pieces.next().unwrap_or_default());
        for piece in pieces {
            let end = piece.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(piece.len());
            fill(self, &piece[..end]);
            self.push(&piece[end..]);
        }
        self
    }

    /// Adds a quoted identifier.
    pub fn ident(&mut self, ident: &Ident) -> &mut Self {
        self.push(&self.traits().quoted(ident.as_str()))
    }

    /// Adds a quoted table name, with its schema where it has one.
    pub fn table(&mut self, table: &TableName) -> &mut Self {
        if let Some(schema) = &table.schema {
            self.ident(schema).push(".");
        }
        self.ident(&table.table)
    }

    /// Adds identifiers, separated by `, `.
    pub fn idents<'a>(&mut self, idents: impl IntoIterator<Item = &'a Ident>) -> &mut Self {
        for (position, ident) in idents.into_iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            self.ident(ident);
        }
        self
    }

    /// Adds a bound value between two texts.
    pub(crate) fn bind_in(&mut self, (before, behind): (&str, &str), value: impl Into<Option<String>>) -> &mut Self {
        self.push(before).bind(value).push(behind)
    }

    /// Adds a placeholder and the value (or NULL) bound to it. Its type is text: PostgreSQL gets `$n::text`.
    pub fn bind(&mut self, value: impl Into<Option<String>>) -> &mut Self {
        self.pieces.push(Piece::Bind(value.into()));
        self
    }

    /// Adds another statement's text and values; it must be written for the same engine.
    pub fn append(&mut self, other: &Sql) -> &mut Self {
        debug_assert_eq!(self.engine, other.engine, "a statement is written for one engine");
        for piece in &other.pieces {
            match piece {
                Piece::Text(text) => self.push(text),
                Piece::Bind(value) => self.bind(value.clone()),
            };
        }
        self
    }

    /// The statement with its values in the text, each in hexadecimal, for a client that binds none.
    pub fn without_binds(&self) -> Self {
        let mut sql = Self::new(self.engine);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => sql.push(text),
                Piece::Bind(None) => sql.push("NULL"),
                Piece::Bind(Some(value)) => {
                    let digits = hex(value.as_bytes());
                    let (before, behind) = self.traits().literal;
                    sql.push(before).push(&digits).push(behind)
                }
            };
        }
        sql
    }

    /// True if nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The text with its placeholders, as the engine is sent it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut number = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Bind(_) => {
                    number += 1;
                    text.push_str(&self.traits().placeholder.replace("@number", &number.to_string()));
                }
            }
        }
        text
    }

    /// The bound values, in the order of their placeholders.
    pub fn binds(&self) -> impl Iterator<Item = Option<&str>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Bind(value) => Some(value.as_deref()),
        })
    }
}

/// Shows the text and how many values are bound: the values may be contents of rows, which no log holds.
impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").field("text", &self.text()).field("binds", &self.binds().count()).finish()
    }
}

/// A part of a statement that writes itself.
pub trait SqlPart {
    /// Adds it to the end of a statement.
    fn write(self, sql: &mut Sql);
}

impl SqlPart for &str {
    fn write(self, sql: &mut Sql) {
        match sql.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(self),
            _ => sql.pieces.push(Piece::Text(self.to_owned())),
        }
    }
}

impl SqlPart for &String {
    fn write(self, sql: &mut Sql) {
        self.as_str().write(sql);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> TableName {
        TableName::parse(text).unwrap()
    }

    #[test]
    fn placeholders_are_numbered_across_appended_statements() {
        for (engine, text) in [
            (Engine::Postgres, "a = $1::text AND b = $2::text::date AND c = '{} ? $1' AND d = $3::text"),
            (Engine::MySql, "a = ? AND b = ?::date AND c = '{} ? $1' AND d = ?"),
        ] {
            let mut tail = Sql::new(engine);
            tail.push("b = ").bind("2".to_owned()).push("::date AND c = '{} ? $1' AND d = ").bind(None);
            let mut sql = Sql::new(engine);
            sql.push("a = ").bind("1".to_owned()).push(" AND ").append(&tail);
            assert_eq!(sql.text(), text);
            assert_eq!(sql.binds().collect::<Vec<_>>(), [Some("1"), Some("2"), None]);
        }
    }

    #[test]
    fn names_are_quoted_for_the_engine() {
        for (engine, text) in [
            (Engine::Postgres, "\"a\"\"b\".\"c`d\""),
            (Engine::MySql, "`a\"b`.`c``d`"),
            (Engine::Sqlite, "`a\"b`.`c``d`"),
        ] {
            assert_eq!(Sql::new(engine).table(&table("\"a\"\"b\".c`d")).text(), text);
        }
    }

    #[test]
    fn debug_shows_no_value() {
        let mut sql = Sql::new(Engine::Sqlite);
        sql.push("a = ").bind("hush".to_owned());
        assert_eq!(format!("{sql:?}"), "Sql { text: \"a = ?\", binds: 1 }");
    }
}

//! Paths as columns hold them: a path in a column of a binary type is its bytes.

use std::borrow::Cow;

use crate::sources::sql::dialect::Traits;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, Sql};

impl Term {
    /// Reads the text of a row's column, as [`Term::push_text`] selected it. Bytes that are no text come as U+FFFD; the
    /// zeros that pad a BINARY column are left out.
    pub(crate) fn read_path<'a>(&self, read: &'a str) -> Cow<'a, str> {
        match self.bytes(read) {
            None => Cow::Borrowed(read),
            Some(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Reads a part of a path likewise, but bytes that are no readable text, such as those of a UUID, stay in
    /// hexadecimal.
    pub(crate) fn read_part<'a>(&self, read: &'a str) -> Cow<'a, str> {
        let text = self.bytes(read).and_then(|bytes| String::from_utf8(bytes).ok());
        match text.filter(|text| !text.chars().any(char::is_control)) {
            None => Cow::Borrowed(read),
            Some(text) => Cow::Owned(text),
        }
    }

    fn bytes(&self, read: &str) -> Option<Vec<u8>> {
        if self.kind() != ColumnType::Binary {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pairs = read.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?));
        let mut bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
        Some(bytes)
    }

    /// Writes the column as a text in which paths are looked for by parts; no index serves.
    pub(crate) fn push_path_text(&self, sql: &mut Sql) {
        if self.kind() != ColumnType::Binary {
            return self.push_text(sql);
        }
        self.push_in(sql, sql.traits().path_text);
    }

    /// Writes a bound text as [`Term::push_path_text`] has it.
    pub(crate) fn push_path_part(&self, sql: &mut Sql, text: &str) {
        match self.kind() {
            ColumnType::Binary => sql.template(sql.traits().path_value, |sql, _| {
                sql.bind(sql.traits().path_bytes(text));
            }),
            _ => sql.bind(text.to_owned()),
        };
    }

    /// Length of a bound text in [`Term::push_path_text`], as the engine counts.
    pub(crate) fn path_length(&self, traits: &Traits, text: &str) -> usize {
        if self.kind() == ColumnType::Binary { traits.path_length(text) } else { text.chars().count() }
    }

    /// Writes "what the column holds, be it text or bytes, is one of these"; compared bare where that can be, so that an
    /// index on the column serves.
    pub(crate) fn push_holds(&self, sql: &mut Sql, texts: &[String]) {
        match self.kind() {
            ColumnType::Text | ColumnType::Binary => self.push(sql),
            _ => self.push_text(sql),
        }
        let held = sql.dialect().held(self.typed());
        sql.push(" IN (");
        sql.separated(", ", texts, |sql, text| {
            sql.template(&held, |sql, _| {
                sql.bind(text.clone());
            });
        });
        sql.push(")");
    }

    /// Writes "the column reads as one of these".
    pub(crate) fn push_is_one_of(&self, sql: &mut Sql, texts: &[String]) {
        if self.kind() == ColumnType::Binary {
            return self.push_holds(sql, texts);
        }
        sql.with(|sql| self.push_text(sql)).push(" IN (").binds_of(texts).push(")");
    }
}

/// The texts in a value that lists several as JSON; none where it is no such list.
pub(crate) fn listed(written: &str) -> Option<Vec<String>> {
    let trimmed = written.trim();
    let brackets =
        (trimmed.starts_with('[') && trimmed.ends_with(']')) || (trimmed.starts_with('{') && trimmed.ends_with('}'));
    if !brackets {
        return None;
    }
    let mut texts = Vec::new();
    collect(&serde_json::from_str(trimmed).ok()?, &mut texts);
    (!texts.is_empty()).then_some(texts)
}

fn collect(value: &serde_json::Value, texts: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => texts.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        serde_json::Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            texts.push(key.clone());
            collect(value, texts);
        }),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f3_the_texts_of_a_list_are_told() {
        let texts = |written| listed(written).unwrap_or_default();
        assert_eq!(
            texts(r#" ["a/1.jpg", {"large": "b/1.jpg", "n": [1, null, true]}] "#),
            ["a/1.jpg", "large", "b/1.jpg", "n"]
        );
        for other in ["[2024] a.jpg", "{a}", "[1]", "[]", "a.jpg", "[", ""] {
            assert_eq!(listed(other), None, "{other}");
        }
    }
}

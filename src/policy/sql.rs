//! The operator's SQL: read just far enough to find its parameters and to refuse what would escape its parentheses.

use std::fmt;

use super::TimeParam;

/// A condition of the operator's, or another expression, split at its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    text: String,
    segments: Vec<Segment>,
}

/// A piece of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Sql(String),
    /// Text between double quotes: a name, but for MySQL a string.
    DoubleQuoted(String),
    Param(Param),
}

/// Meaning of `:name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Param {
    /// A time of the run.
    Time(TimeParam),
    /// A declared parameter.
    Named(String),
}

impl Condition {
    /// Parses an SQL expression. Refused: nothing in it, a `;`, a comment, a quote or parenthesis that is not
    /// closed, an `?` or `$1` placeholder.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the SQL is empty".to_owned());
        }
        if text.contains('\0') {
            return Err("the SQL has a NUL character".to_owned());
        }
        let segments = Scanner { rest: text, sql: String::new(), segments: Vec::new(), depth: 0 }.scan()?;
        Ok(Self { text: text.to_owned(), segments })
    }

    /// The condition that some segments of another one are.
    pub fn of(segments: Vec<Segment>) -> Self {
        let text = segments.iter().map(|segment| match segment {
            Segment::Sql(text) => text.clone(),
            Segment::DoubleQuoted(text) => format!("\"{text}\""),
            Segment::Param(Param::Time(time)) => time.to_string(),
            Segment::Param(Param::Named(name)) => format!(":{name}"),
        });
        Self { text: text.collect::<String>().trim().to_owned(), segments }
    }

    /// The pieces, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The parameters that it uses.
    pub fn params(&self) -> impl Iterator<Item = &Param> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Param(param) => Some(param),
            Segment::Sql(_) | Segment::DoubleQuoted(_) => None,
        })
    }

    /// True if a name occurs in it, as a word of its own or within quotes.
    pub fn mentions(&self, name: &str) -> bool {
        let mut words = self.text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| word.eq_ignore_ascii_case(name))
            || self.text.contains(&format!("\"{name}\""))
            || self.text.contains(&format!("`{name}`"))
    }

    /// True if it asks about other rows. A subquery is evaluated as of the statement's beginning, however long the
    /// statement then waits for a lock, so such a condition is asked again once the rows are locked.
    pub fn has_subquery(&self) -> bool {
        self.text.to_ascii_lowercase().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "select")
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Scanner<'a> {
    rest: &'a str,
    sql: String,
    segments: Vec<Segment>,
    depth: usize,
}

impl Scanner<'_> {
    fn scan(mut self) -> Result<Vec<Segment>, String> {
        while let Some(c) = self.rest.chars().next() {
            match c {
                '\'' | '"' | '`' => self.take_quoted(c)?,
                '$' => self.take_dollar()?,
                ':' => self.take_colon()?,
                '(' => {
                    self.depth += 1;
                    self.take(1);
                }
                ')' => {
                    self.depth = self.depth.checked_sub(1).ok_or("a ')' has no '(' before it")?;
                    self.take(1);
                }
                ';' => return Err("a ';' has no place in this SQL".to_owned()),
                '?' => {
                    return Err("a '?' has no place in this SQL; parameters are written :now or :cutoff".to_owned());
                }
                '#' => {
                    return Err("a '#' has no place in this SQL: MySQL reads a comment in it".to_owned());
                }
                _ if self.rest.starts_with("--") || self.rest.starts_with("/*") => {
                    return Err("a comment has no place in this SQL; put it in the TOML".to_owned());
                }
                _ if c.is_alphanumeric() || c == '_' => {
                    // A whole word at once, so that a '$' inside it opens no dollar quote.
                    let word = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
                    self.take(word.unwrap_or(self.rest.len()));
                }
                other => self.take(other.len_utf8()),
            }
        }
        if self.depth > 0 {
            return Err("a '(' is not closed".to_owned());
        }
        self.flush();
        Ok(self.segments)
    }

    fn take(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.sql.push_str(taken);
        self.rest = rest;
    }

    fn flush(&mut self) {
        if !self.sql.is_empty() {
            self.segments.push(Segment::Sql(std::mem::take(&mut self.sql)));
        }
    }

    fn take_quoted(&mut self, quote: char) -> Result<(), String> {
        let end = self.rest[1..].find(quote).ok_or_else(|| format!("a {quote} is not closed"))?;
        // Sessions see to it that a backslash in quotes is a backslash; PostgreSQL has an escape of its own.
        if quote == '\'' && self.follows_e() && self.rest[1..=end].contains('\\') {
            return Err("a backslash in E'…' begins an escape; without the E it stands for itself".to_owned());
        }
        if quote == '"' {
            self.flush();
            self.segments.push(Segment::DoubleQuoted(self.rest[1..=end].to_owned()));
            self.rest = &self.rest[end + 2..];
        } else {
            self.take(end + 2);
        }
        Ok(())
    }

    /// True if an E of its own stands right before.
    fn follows_e(&self) -> bool {
        let mut before = self.sql.chars().rev();
        let is_e = before.next().is_some_and(|c| c.eq_ignore_ascii_case(&'e'));
        is_e && !before.next().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$')
    }

    fn take_dollar(&mut self) -> Result<(), String> {
        let tag_end = self.rest[1..].find('$').map(|at| at + 2);
        let is_tag = |tag: &str| tag[1..tag.len() - 1].chars().all(|c| c.is_alphanumeric() || c == '_');
        match tag_end {
            Some(end) if is_tag(&self.rest[..end]) && !self.rest[1..end].starts_with(|c: char| c.is_ascii_digit()) => {
                let tag = self.rest[..end].to_owned();
                let close = self.rest[end..].find(&tag).ok_or_else(|| format!("a {tag} is not closed"))?;
                self.take(end + close + tag.len());
                Ok(())
            }
            _ => Err("a '$' has no place in this SQL; parameters are written :now or :cutoff".to_owned()),
        }
    }

    fn take_colon(&mut self) -> Result<(), String> {
        if self.rest.starts_with("::") {
            self.take(2);
            return Ok(());
        }
        let after = &self.rest[1..];
        let end = after.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(after.len());
        let param = match &after[..end] {
            "" => {
                self.take(1);
                return Ok(());
            }
            name => match TimeParam::parse(name)? {
                Some(time) => Param::Time(time),
                None => Param::Named(name.to_owned()),
            },
        };
        self.flush();
        self.segments.push(Segment::Param(param));
        self.rest = &self.rest[1 + end..];
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_parameters_outside_quotes_and_casts_only() {
        let condition = Condition::parse("a::text <> ':now' AND \"b:now\" < :cutoff AND c = $x$ :now ) $x$").unwrap();
        let cutoff = TimeParam::parse("cutoff").unwrap().unwrap();
        assert_eq!(condition.params().collect::<Vec<_>>(), [&Param::Time(cutoff)]);
        assert_eq!(condition.segments()[1], Segment::DoubleQuoted("b:now".to_owned()));
        assert_eq!(condition.segments().len(), 5);
    }

    #[test]
    fn a_column_is_mentioned_as_a_word() {
        let condition = Condition::parse("a.Status <> 'x' AND \"Ende at\" IS NULL AND `b c` = 1").unwrap();
        for name in ["status", "Ende at", "b c"] {
            assert!(condition.mentions(name), "{name}");
        }
        for name in ["stat", "status_at", "at_"] {
            assert!(!condition.mentions(name), "{name}");
        }
    }

    #[test]
    fn a_backslash_stands_for_itself() {
        for accepted in ["a = 'C:\\x\\'", "a LIKE 'x\\_%' ESCAPE '\\'", "type'\\' = a", "\"a\\b\" = 1"] {
            assert!(Condition::parse(accepted).is_ok(), "{accepted}");
        }
    }

    #[test]
    fn refuses_what_would_escape_its_parentheses() {
        for refused in [
            "",
            "  ",
            "a = 1) OR (1 = 1",
            "(a = 1",
            "a = 'x",
            "a = 1; DROP TABLE t",
            "a = 1 -- c",
            "a /* c",
            "a = $1",
            "a = ?",
            "a = :now_minus_2x",
            "a = E'x\\'",
            "e'\\' = a",
            "a # c",
            "a = $t$ x",
        ] {
            assert!(Condition::parse(refused).is_err(), "{refused}");
        }
    }
}

//! Keys of a table: what tells its rows apart in statements and for people.

use super::dialect::dialect;
use super::term::Term;
use crate::policy::{Engine, TableName};
use crate::sources::statement::SqlPart;
use crate::sources::{Sql, TableFacts};

/// A key's columns, compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerms(pub Vec<Term>);

impl SqlPart for &KeyTerms {
    /// The columns, separated by commas.
    fn write(self, sql: &mut Sql) {
        sql.separated(", ", &self.0, |sql, term| term.push(sql));
    }
}

impl KeyTerms {
    /// Writes the columns for ORDER BY.
    pub fn push_order(&self, sql: &mut Sql, table: &TableName) {
        sql.separated(", ", &self.0, |sql, term| term.push_of(sql, table));
    }

    /// Writes the columns as text, each named `k0`, `k1`, ….
    pub fn push_texts(&self, sql: &mut Sql) {
        let numbered: Vec<_> = self.0.iter().enumerate().collect();
        sql.separated(", ", &numbered, |sql, (position, term)| {
            sql.with(|sql| term.push_text(sql)).push(&format!(" AS k{position}"));
        });
    }

    /// Writes the columns, each under its own name: SQLite would give its row number that of the column that it is.
    pub fn push_columns(&self, sql: &mut Sql) {
        sql.separated(", ", &self.0, |sql, term| {
            sql.push(term).push(" AS ").push(term);
        });
    }

    /// Writes "the key is at or after `values`", in the order of the key.
    pub fn push_from(&self, sql: &mut Sql, values: &[String]) {
        self.push_ordered(sql, values, ">", ">=");
    }

    /// Writes "the key is before `values`".
    pub fn push_before(&self, sql: &mut Sql, values: &[String]) {
        self.push_ordered(sql, values, "<", "<");
    }

    /// Writes " AND …": the key is at or after `from` and before `to`, each where it is given.
    pub fn push_between(&self, sql: &mut Sql, from: Option<&[String]>, to: Option<&[String]>) {
        if let Some(from) = from {
            sql.push(" AND ").with(|sql| self.push_from(sql, from));
        }
        if let Some(to) = to {
            sql.push(" AND ").with(|sql| self.push_before(sql, to));
        }
    }

    /// Writes an ordered comparison of the key; spelled out where no index serves one of rows, and for one column.
    fn push_ordered(&self, sql: &mut Sql, values: &[String], strict: &str, last: &str) {
        if self.0.len() > 1 && sql.traits().compares_rows_by_index {
            sql.push("(").push(self).push(&format!(") {last} ("));
            sql.separated(", ", &self.pairs(values), |sql, (term, value)| term.push_value(sql, value)).push(")");
            return;
        }
        self.push_spelled(sql, &self.pairs(values), strict, last);
    }

    fn push_spelled(&self, sql: &mut Sql, pairs: &[(&Term, &String)], strict: &str, last: &str) {
        let Some(((term, value), rest)) = pairs.split_first() else { return };
        let compare = |sql: &mut Sql, operator: &str| {
            sql.push(*term).push(&format!(" {operator} ")).with(|sql| term.push_value(sql, value));
        };
        if rest.is_empty() {
            compare(sql, last);
            return;
        }
        // The outer bound on the first column is what the index is entered by.
        sql.push("(");
        compare(sql, if strict == ">" { ">=" } else { "<=" });
        sql.push(" AND (").with(|sql| compare(sql, strict)).push(" OR ");
        sql.with(|sql| self.push_spelled(sql, rest, strict, last)).push("))");
    }

    /// Writes "the key is one of `keys`"; there is at least one.
    pub fn push_among(&self, sql: &mut Sql, keys: &[Vec<String>]) {
        self.push_among_values(sql, keys, self);
    }

    /// Writes "the key is one of `keys`", with values of the types of other columns.
    pub fn push_among_values(&self, sql: &mut Sql, keys: &[Vec<String>], types: &KeyTerms) {
        self.push_written_among(sql, keys, types, |sql, _, column| column.push(sql));
    }

    /// Writes "what `write` makes of each column, with its place, is one of `keys`".
    pub(crate) fn push_written_among(
        &self,
        sql: &mut Sql,
        keys: &[Vec<String>],
        types: &KeyTerms,
        mut write: impl FnMut(&mut Sql, usize, &Term),
    ) {
        if let ([column], [term]) = (self.0.as_slice(), types.0.as_slice()) {
            write(sql, 0, column);
            sql.push(" IN (");
            sql.separated(", ", keys, |sql, key| {
                if let [value] = key.as_slice() {
                    term.push_value(sql, value);
                }
            });
            sql.push(")");
            return;
        }
        sql.push("(");
        let numbered: Vec<_> = self.0.iter().enumerate().collect();
        sql.separated(", ", &numbered, |sql, (position, column)| write(sql, *position, column));
        sql.push(sql.traits().among_rows);
        sql.separated(", ", keys, |sql, key| {
            sql.push("(").separated(", ", &types.pairs(key), |sql, (term, value)| term.push_value(sql, value));
            sql.push(")");
        });
        sql.push(")");
    }

    fn pairs<'a>(&'a self, values: &'a [String]) -> Vec<(&'a Term, &'a String)> {
        self.0.iter().zip(values).collect()
    }
}

/// The key for statements and the key for people. SQLite's row number is the shortest key there is; a table of
/// PostgreSQL that has no key is told apart by where its rows lie, which holds within a transaction.
pub(crate) fn keys(engine: Engine, facts: &TableFacts) -> (KeyTerms, Vec<Term>) {
    let columns: Vec<_> = facts
        .key
        .iter()
        .filter_map(|ident| facts.columns.iter().find(|column| column.name == *ident))
        .map(Term::column)
        .collect();
    let all = || facts.columns.iter().map(Term::column).collect::<Vec<_>>();
    match Term::row_id(&facts.columns).filter(|_| facts.has_rowid) {
        Some(row_id) if columns.is_empty() => (KeyTerms(vec![row_id.clone()]), vec![row_id]),
        Some(row_id) => (KeyTerms(vec![row_id]), columns),
        None if !columns.is_empty() => (KeyTerms(columns.clone()), columns),
        None if dialect(engine).traits().has_places => {
            (KeyTerms(Term::place(facts.relation == "partitioned table")), all())
        }
        None => (KeyTerms(columns), all()),
    }
}

/// The key as a person reads it: the value itself, or a JSON array of several.
pub(crate) fn shown(values: &[Option<String>]) -> String {
    match values {
        [Some(value)] => value.clone(),
        several => serde_json::json!(several).to_string(),
    }
}

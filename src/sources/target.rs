//! A rows policy fitted to the facts of its table: what is eligible, and how to walk to it.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::age::{Age, tells_age};
use super::dialect::{KeyTerms, Term};
use super::{Column, Sql, TableFacts};
use crate::policy::{
    Condition, Engine, FilePath, Ident, Name, OwnedFile, Param, RowsPolicy, Segment, Source, TableName,
};

/// A rows policy whose table was looked up: every column is there and of a type that can be judged.
#[derive(Debug, Clone)]
pub struct Target {
    pub source: Name,
    pub engine: Engine,
    /// As the catalog resolved it.
    pub table: TableName,
    /// What tells rows apart in statements.
    pub(super) key: KeyTerms,
    /// What tells rows apart for people: the primary key's columns.
    pub(super) shown_key: Vec<Term>,
    pub(super) age: Option<Age>,
    pub(super) age_indexed: bool,
    condition: Option<Condition>,
    /// The policy's files, each with its column.
    pub files: Vec<(OwnedFile, Term)>,
}

/// The instants of a run that its statements compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instants {
    pub now: Timestamp,
    pub cutoff: Option<Timestamp>,
}

/// Why a policy does not fit its table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("there is no table {table} in source {source_name}, or its user may not see it")]
    NoTable { source_name: Name, table: String },
    #[error("{table} is a {relation}; only tables can be governed")]
    NotTable { table: String, relation: String },
    #[error("table {table} has no column {column}{}", hint(suggestion))]
    NoColumn { table: String, column: String, suggestion: Option<String> },
    #[error("column {column} of table {table} is of type {declared}, which cannot tell an age")]
    NoAge { table: String, column: String, declared: String },
    #[error("table {table} has no primary key and no unique key without NULLs, so its rows cannot be told apart")]
    NoKey { table: String },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

impl Target {
    /// Fits a policy to its table; every misfit at once.
    pub fn fit(source: &Source, policy: &RowsPolicy, facts: Option<&TableFacts>) -> Result<Self, Vec<Unfit>> {
        let table = policy.table.to_string();
        let Some(facts) = facts else {
            return Err(vec![Unfit::NoTable { source_name: source.name.clone(), table }]);
        };
        if !facts.relation.ends_with("table") || facts.relation == "foreign table" {
            return Err(vec![Unfit::NotTable { table, relation: facts.relation.clone() }]);
        }
        let mut misfits = Vec::new();
        let mut column = |ident: &Ident| find(facts, &table, ident).map_err(|unfit| misfits.push(unfit)).ok();
        let age = policy.age.as_ref().and_then(|age| column(&age.column));
        let files: Vec<_> = policy
            .files
            .iter()
            .filter_map(|file| match &file.path {
                FilePath::Column(name) => column(name).map(|found| (file.clone(), Term::column(found))),
                FilePath::Template(_) => None,
            })
            .collect();
        let engine = source.endpoint.engine();
        let format = policy.age.as_ref().and_then(|age| age.format);
        if let Some(age) = age.filter(|age| !tells_age(engine, age.kind, format)) {
            let (column, declared) = (age.name.to_string(), age.declared.clone());
            misfits.push(Unfit::NoAge { table: table.clone(), column, declared });
        }
        let (key, shown_key) = keys(engine, facts);
        if key.0.is_empty() {
            misfits.push(Unfit::NoKey { table });
        }
        if !misfits.is_empty() {
            return Err(misfits);
        }
        let indexed = age.is_some_and(|age| leads_index(facts, &age.name));
        let timezone = source.timezone.clone();
        let age = age.map(|age| Age { term: Term::column(age), timezone, format });
        Ok(Self {
            source: source.name.clone(),
            engine,
            table: facts.name.clone(),
            key,
            shown_key,
            age_indexed: indexed && age.as_ref().is_some_and(|age| age.is_ordered(engine)),
            age,
            condition: policy.condition.clone(),
            files,
        })
    }

    /// Writes the whole eligibility: age and condition. There is at least one of them.
    pub fn push_eligible(&self, sql: &mut Sql, at: Instants) {
        let mut before = "(";
        if let (Some(age), Some(cutoff)) = (&self.age, at.cutoff) {
            sql.push(before);
            age.push_older(sql, cutoff);
            before = " AND ";
        }
        if let Some(condition) = &self.condition {
            sql.push(before).push("(");
            push_condition(sql, condition, at);
            // The line ends here, whatever a server may take for the start of a comment.
            sql.push("\n)");
        }
        sql.push(")");
    }

    /// The key as a person reads it: the value itself, or a JSON array of several.
    pub(super) fn shown(values: &[Option<String>]) -> String {
        match values {
            [value] => value.clone().unwrap_or_default(),
            several => serde_json::json!(several).to_string(),
        }
    }
}

/// Finds a column by its exact name.
pub(super) fn find<'a>(facts: &'a TableFacts, table: &str, ident: &Ident) -> Result<&'a Column, Unfit> {
    if let Some(column) = facts.columns.iter().find(|column| column.name == *ident) {
        return Ok(column);
    }
    let alike = |column: &&Column| strsim::jaro_winkler(column.name.as_str(), ident.as_str()) > 0.8;
    let suggestion = facts.columns.iter().find(alike).map(|column| column.name.to_string());
    Err(Unfit::NoColumn { table: table.to_owned(), column: ident.to_string(), suggestion })
}

fn leads_index(facts: &TableFacts, column: &Ident) -> bool {
    facts.indexes.iter().any(|index| index.columns.first() == Some(column))
}

/// The key for statements and the key for people. SQLite's row number is the shortest key there is.
fn keys(engine: Engine, facts: &TableFacts) -> (KeyTerms, Vec<Term>) {
    let columns: Vec<_> = facts
        .key
        .iter()
        .filter_map(|ident| facts.columns.iter().find(|column| column.name == *ident))
        .map(Term::column)
        .collect();
    let row_id = (engine == Engine::Sqlite && facts.has_rowid).then(|| Term::row_id(&facts.columns)).flatten();
    match row_id {
        Some(row_id) if columns.is_empty() => (KeyTerms(vec![row_id.clone()]), vec![row_id]),
        Some(row_id) => (KeyTerms(vec![row_id]), columns),
        None => (KeyTerms(columns.clone()), columns),
    }
}

fn push_condition(sql: &mut Sql, condition: &Condition, at: Instants) {
    for segment in condition.segments() {
        match segment {
            Segment::Sql(text) => {
                sql.push(text);
            }
            // SQLite takes an unknown name in double quotes for a string, which could make every row eligible; a name in
            // backticks must be a column.
            Segment::DoubleQuoted(name) if sql.engine() == Engine::Sqlite => {
                sql.push("`").push(&name.replace('`', "``")).push("`");
            }
            Segment::DoubleQuoted(text) => {
                sql.push("\"").push(text).push("\"");
            }
            Segment::Param(Param::Now) => push_instant(sql, at.now),
            // Compilation made sure that a condition with :cutoff has a keep, hence a cutoff.
            Segment::Param(Param::Cutoff) => push_instant(sql, at.cutoff.unwrap_or(at.now)),
            Segment::Param(Param::NowMinus(ago)) => {
                push_instant(sql, at.now.checked_sub(*ago).unwrap_or(Timestamp::MIN));
            }
            Segment::Param(Param::Named(_)) => {}
        }
    }
}

/// An instant as the operator's SQL compares it: timestamptz on PostgreSQL, DATETIME in UTC on MySQL, and the text of
/// `CURRENT_TIMESTAMP` on SQLite.
fn push_instant(sql: &mut Sql, at: Timestamp) {
    let utc = TimeZone::UTC.to_datetime(at);
    match sql.engine() {
        Engine::Postgres => sql.bind(format!("{}+00", super::age::seconds(utc))).push("::timestamptz"),
        Engine::MySql => sql.push("CAST(").bind(super::age::seconds(utc)).push(" AS DATETIME(6))"),
        Engine::Sqlite => sql.bind(utc.strftime("%Y-%m-%d %H:%M:%S").to_string()),
    };
}

//! Keys of a table: what tells its rows apart in statements and for people.

use super::dialect::{KeyTerms, Term};
use crate::policy::Engine;
use crate::sources::TableFacts;

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
    match (engine, Term::row_id(&facts.columns).filter(|_| facts.has_rowid)) {
        (Engine::Sqlite, Some(row_id)) if columns.is_empty() => (KeyTerms(vec![row_id.clone()]), vec![row_id]),
        (Engine::Sqlite, Some(row_id)) => (KeyTerms(vec![row_id]), columns),
        (Engine::Postgres, _) if columns.is_empty() => {
            let place = Term::place(facts.relation == "partitioned table");
            (KeyTerms(place), all())
        }
        (Engine::MySql, _) if columns.is_empty() => (KeyTerms(columns), all()),
        _ => (KeyTerms(columns.clone()), columns),
    }
}

/// The key as a person reads it: the value itself, or a JSON array of several.
pub(crate) fn shown(values: &[Option<String>]) -> String {
    match values {
        [Some(value)] => value.clone(),
        several => serde_json::json!(several).to_string(),
    }
}

//! Which rows name a file, by their keys: for a person who asks about one file.

use std::collections::HashSet;

use super::dialect::{Term, separated};
use super::fit::keys;
use super::node::shown;
use super::odd::{ODD_AT_MOST, push_odd};
use super::{ReferenceColumn, Session, SourceError, Sql, TableFacts};
use crate::policy::{FilePath, ReferenceMatch, Store, StorePath};

impl ReferenceColumn {
    /// The keys of rows that name a file, as results show them: the first few, `at_most`.
    pub async fn rows_naming(
        &self,
        session: &mut Session,
        facts: &TableFacts,
        store: &Store,
        path: &StorePath,
        at_most: usize,
    ) -> Result<Vec<String>, SourceError> {
        let mut paths = vec![path.clone()];
        if self.directory {
            paths.extend(path.ancestors());
        }
        let (_, key) = keys(self.engine(), facts);
        let mut found = Vec::new();
        if let Some(condition) = self.condition(store, &paths) {
            // Collations make more alike than are: some more are asked for than are shown.
            let sql = self.select_keys(&key, &condition, at_most.saturating_mul(100));
            found = self.matching_rows(session, &sql, &key, store, &paths).await?;
        }
        if found.is_empty()
            && let (FilePath::Column(_), ReferenceMatch::Path, [column]) = (self.path(), self.matching(), self.terms())
        {
            let mut condition = Sql::new(self.engine());
            push_odd(&mut condition, column, store);
            let sql = self.select_keys(&key, &condition, ODD_AT_MOST);
            found = self.matching_rows(session, &sql, &key, store, &paths).await?;
        }
        found.truncate(at_most);
        Ok(found)
    }

    fn select_keys(&self, key: &[Term], condition: &Sql, limit: usize) -> Sql {
        let mut sql = Sql::new(self.engine());
        let columns: Vec<_> = key.iter().chain(self.terms()).collect();
        sql.push("SELECT ");
        separated(&mut sql, ", ", &columns, |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table).push(" WHERE (").append(condition).push(&format!(") LIMIT {limit}"));
        sql
    }

    async fn matching_rows(
        &self,
        session: &mut Session,
        sql: &Sql,
        key: &[Term],
        store: &Store,
        paths: &[StorePath],
    ) -> Result<Vec<String>, SourceError> {
        let rows = session.query(&format!("asking which rows of {} name a file", self.table), sql).await?;
        let names: HashSet<_> = paths.iter().map(|path| path.split().1).collect();
        let mut found = Vec::new();
        for mut row in rows {
            let values = row.0.split_off(key.len().min(row.0.len()));
            let is_named = match self.matching() {
                ReferenceMatch::Name => self.name_of(&values).is_some_and(|name| names.contains(name)),
                ReferenceMatch::Path => self.path_of(values, store).is_some_and(|path| paths.contains(&path)),
            };
            if is_named {
                found.push(shown(&row.0));
            }
        }
        Ok(found)
    }
}

//! The rows that name a file, by their keys: for a person who asks about one file.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::policy::{
    FilePath, ReferenceMatch, Source, Store, StorePath, file_forms, name_forms, written_forms, written_name_forms,
};
use crate::sources::sql::keys::{keys, shown};
use crate::sources::sql::term::Term;
use crate::sources::{NamedPath, Naming, Reader, ReferenceColumn, Rows, Session, SourceError, Sql, TableFacts};

/// Rows that may mean a file by other spellings, at most.
const UNUSUAL_AT_MOST: usize = 1000;

/// A value of a row that may mean a file, and that no index finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusual {
    /// As the row has it; empty where it is one of several in a value.
    pub written: String,
    /// The path in the store that it leads to; none: elsewhere.
    pub path: Option<StorePath>,
}

impl ReferenceColumn {
    /// The keys of rows that name a file, as results show them: the first few, `at_most`.
    pub async fn rows_naming(
        &self,
        session: &mut Session,
        facts: &TableFacts,
        store: &Store,
        path: &StorePath,
        unusual: &[Unusual],
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
        let written: Vec<_> =
            unusual.iter().map(|unusual| unusual.written.clone()).filter(|text| !text.is_empty()).collect();
        if let (FilePath::Column(_), [column], false) = (self.path(), self.terms(), written.is_empty()) {
            let mut condition = Sql::new(self.engine());
            column.push_holds(&mut condition, &written);
            let sql = self.select_keys(&key, &condition, UNUSUAL_AT_MOST);
            for mut row in
                session.query(&format!("asking which rows of {} name a file", self.table), &sql).await?.into_iter()
            {
                let values = row.0.split_off(key.len().min(row.0.len()));
                let shown = shown(&row.0);
                let is_meant = values
                    .first()
                    .and_then(Option::as_deref)
                    .is_some_and(|read| written.contains(&column.read_path(read).into_owned()));
                if is_meant && !found.contains(&shown) {
                    found.push(shown);
                }
            }
        }
        if unusual.iter().any(|unusual| unusual.written.is_empty()) {
            found.push("(in a list of several)".to_owned());
        }
        found.truncate(at_most);
        Ok(found)
    }

    /// Values of rows that may mean a file, or a directory that it is in, by a spelling that no index finds. Reads the
    /// whole column.
    pub async fn unusual(
        &self,
        source: &Source,
        session: &mut Session,
        store: &Store,
        others: &[&Store],
        path: &StorePath,
    ) -> Result<Vec<Unusual>, SourceError> {
        let mut paths = vec![path.clone()];
        if self.directory {
            paths.extend(path.ancestors());
        }
        let mut found =
            Found { paths: HashSet::new(), names: HashSet::new(), exact: paths, others, unusual: Vec::new() };
        for path in &found.exact {
            found.paths.extend(file_forms(path.as_str()));
            found.names.extend(name_forms(path.as_str()));
        }
        if self.matching() == ReferenceMatch::Name {
            return Ok(Vec::new());
        }
        let mut each = |naming: Naming<'_>| {
            found.take(naming, false);
            if found.unusual.len() >= UNUSUAL_AT_MOST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        if !self.read_few(session, store, UNUSUAL_AT_MOST, &mut each).await? {
            self.read_all(Reader::open(source).await?, store, Rows::All, &mut each).await?;
        }
        Ok(found.unusual)
    }

    fn select_keys(&self, key: &[Term], condition: &Sql, limit: usize) -> Sql {
        let mut sql = Sql::new(self.engine());
        let columns: Vec<_> = key.iter().chain(self.terms()).collect();
        sql.push("SELECT ").separated(", ", &columns, |sql, term| term.push_text(sql));
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
                ReferenceMatch::Name => self.name_of(&values).is_some_and(|name| names.contains(name.as_str())),
                ReferenceMatch::Path => self.path_of(values, store).is_some_and(|path| paths.contains(&path)),
            };
            if is_named {
                found.push(shown(&row.0));
            }
        }
        Ok(found)
    }
}

/// A search for what may mean some paths.
struct Found<'a> {
    paths: HashSet<String>,
    names: HashSet<String>,
    exact: Vec<StorePath>,
    others: &'a [&'a Store],
    unusual: Vec<Unusual>,
}

impl Found<'_> {
    fn take(&mut self, naming: Naming<'_>, in_list: bool) {
        let as_written = |written: &str| if in_list { String::new() } else { written.to_owned() };
        let found = match naming {
            Naming::Nothing | Naming::Name(_) => None,
            Naming::Several(several) => {
                several.into_iter().for_each(|naming| self.take(naming, true));
                None
            }
            Naming::Path(NamedPath { path, is_odd, written }) => {
                let is_usual = !is_odd && !in_list && self.exact.iter().any(|exact| exact.as_str() == path);
                let meant = !is_usual && written_forms(&path).iter().any(|form| self.paths.contains(form));
                meant.then(|| Unusual { written: as_written(&written), path: StorePath::parse(&path).ok() })
            }
            Naming::Outside(written) => {
                let elsewhere = self.others.iter().any(|store| store.map_reference(&written).is_some());
                let meant = !elsewhere && written_name_forms(&written).iter().any(|form| self.names.contains(form));
                meant.then(|| Unusual { written: as_written(&written), path: None })
            }
        };
        self.unusual.extend(found);
    }
}

//! Which files rows still name: the last question before a file is removed (G3).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::dialect::{Term, separated};
use super::rows::Gone;
use super::target::{Unfit, find};
use super::{ColumnType, ErrorKind, Session, SourceError, Sql, TableFacts};
use crate::policy::{Engine, Name, Reference, Source, Store, StorePath, TableName};

/// Most paths in one question.
const PATHS_AT_ONCE: usize = 1000;
/// Most oddly spelled paths that a column may hold; beyond that nothing of its store is removed.
const ODD_AT_MOST: usize = 20_000;

/// A column whose values name files of a store.
#[derive(Debug, Clone)]
pub struct ReferenceColumn {
    pub source: Name,
    /// As the catalog resolved it.
    pub table: TableName,
    engine: Engine,
    column: Term,
}

/// Files that a column names by an odd spelling (`a//b`, `./a`, `x/../a`), as fingerprints. Two files of one
/// fingerprint make one of them look named when it may not be; the exact question then follows.
#[derive(Debug, Clone, Default)]
pub struct OddNames(HashSet<u64>);

impl OddNames {
    /// Whether the column may name the file by an odd spelling.
    pub fn may_name(&self, path: &StorePath) -> bool {
        self.0.contains(&fingerprint(path))
    }
}

fn fingerprint(path: &StorePath) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

impl ReferenceColumn {
    /// Fits a reference to its table.
    pub fn fit(source: &Source, reference: &Reference, facts: Option<&TableFacts>) -> Result<Self, Unfit> {
        let table = reference.table.to_string();
        let facts = facts.ok_or_else(|| Unfit::NoTable { source_name: source.name.clone(), table: table.clone() })?;
        let column = find(facts, &table, &reference.column)?;
        let engine = source.endpoint.engine();
        Ok(Self { source: source.name.clone(), table: facts.name.clone(), engine, column: Term::column(column) })
    }

    /// Whether both are one column.
    pub fn is_same(&self, other: &ReferenceColumn) -> bool {
        self.source == other.source && self.table == other.table && self.column == other.column
    }

    /// Those of `paths` that a row names, rows that are gone left out.
    pub async fn named(
        &self,
        session: &mut Session,
        store: &Store,
        paths: &[StorePath],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let asked: HashSet<_> = paths.iter().collect();
        let mut named = HashSet::new();
        for some in paths.chunks(PATHS_AT_ONCE) {
            let spellings: Vec<_> = some.iter().flat_map(|path| store.spellings(path)).collect();
            let sql = self.select(gone, |sql| {
                // Only a text column is compared bare, so that its index serves.
                match self.column.kind() {
                    ColumnType::Text => self.column.push(sql),
                    _ => self.column.push_text(sql),
                }
                sql.push(" IN (");
                separated(sql, ", ", &spellings, |sql, spelling| {
                    sql.bind(spelling.clone());
                });
                sql.push(")");
            });
            for row in session.query(&self.asking(), &sql).await? {
                named.extend(row.0.into_iter().flatten().filter_map(|written| store.map_reference(&written)));
            }
        }
        named.retain(|path| asked.contains(path));
        Ok(named)
    }

    /// The files that rows name by an odd spelling, rows that are gone left out.
    pub async fn oddly_named(
        &self,
        session: &mut Session,
        store: &Store,
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let mut sql = self.select(gone, |sql| self.push_odd(sql, store));
        sql.push(&format!(" LIMIT {}", ODD_AT_MOST + 1));
        let rows = session.query(&self.asking(), &sql).await?;
        if rows.len() > ODD_AT_MOST {
            return Err(SourceError {
                source_name: self.source.clone(),
                operation: self.asking(),
                kind: ErrorKind::Other,
                cause: format!(
                    "more than {ODD_AT_MOST} paths are spelled with \"//\", \"./\", \"../\" or a slash at the end, so it \
                     cannot be told which files they name; rewrite them, or set strip_prefix of store {} to how they begin",
                    store.name
                )
                .into(),
            });
        }
        let written = rows.into_iter().flat_map(|row| row.0).flatten();
        Ok(written.filter_map(|written| store.map_reference(&written)).collect())
    }

    /// The same as fingerprints, for asking about many files.
    pub async fn odd_names(&self, session: &mut Session, store: &Store) -> Result<OddNames, SourceError> {
        let named = self.oddly_named(session, store, &[]).await?;
        Ok(OddNames(named.iter().map(fingerprint).collect()))
    }

    fn select(&self, gone: &[Gone], condition: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ");
        self.column.push_text(&mut sql);
        sql.push(" FROM ").table(&self.table).push(" WHERE (");
        condition(&mut sql);
        sql.push(")");
        for gone in gone.iter().filter(|gone| gone.target.source == self.source && gone.target.table == self.table) {
            sql.push(" AND ");
            gone.push_remains(&mut sql);
        }
        sql
    }

    fn asking(&self) -> String {
        format!("asking which files {} still names", self.table)
    }

    fn push_odd(&self, sql: &mut Sql, store: &Store) {
        // A prefix that is odd by itself ("file:///srv/") would make every path odd.
        let prefix = store.strip_prefix.as_deref().filter(|prefix| prefix.contains("//") || prefix.starts_with("./"));
        let patterns = ["%//%", "%/./%", "%/../%", "./%", "../%", "%/.", "%/..", "%/"];
        separated(sql, " OR ", &patterns, |sql, pattern| {
            match prefix {
                None => self.column.push_text(sql),
                Some(prefix) => {
                    sql.push("replace(");
                    self.column.push_text(sql);
                    sql.push(", ").bind(prefix.to_owned()).push(", '')");
                }
            }
            sql.push(" LIKE ").bind((*pattern).to_owned());
        });
    }
}

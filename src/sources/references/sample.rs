//! The first rows of a column that names files, and the paths that they have: a bounded look, for `check`.

use crate::policy::{FilePath, Mapped, Store, StorePath};
use crate::sources::{ReferenceColumn, Session, SourceError, Sql};

/// Paths of the first rows, told apart by whether they are in the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Rows that were looked at.
    pub rows: u64,
    /// Paths of the store.
    pub inside: Vec<StorePath>,
    /// Values that are not a path of it, as written; empty where a template made none.
    pub outside: Vec<String>,
}

impl ReferenceColumn {
    /// Reads the first rows, in whatever order they come. `owns`: their files go with them, so that a path must map as it
    /// stands; what only protects may be spelled otherwise.
    pub async fn sample(
        &self,
        session: &mut Session,
        store: &Store,
        owns: bool,
        rows: u32,
    ) -> Result<Sampled, SourceError> {
        let mut sql = Sql::new(self.engine());
        sql.push("SELECT ").separated(", ", self.terms(), |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table).push(&format!(" LIMIT {rows}"));
        let found = session.query(&format!("looking at the first rows of {}", self.table), &sql).await?;
        let mut sampled = Sampled { rows: found.len() as u64, ..Sampled::default() };
        for row in found {
            sampled.take(self.path(), store, owns, row.0);
        }
        Ok(sampled)
    }
}

impl Sampled {
    fn take(&mut self, path: &FilePath, store: &Store, owns: bool, mut values: Vec<Option<String>>) {
        match path {
            FilePath::Column(_) => {
                let written = values.pop().flatten().filter(|written| !written.is_empty());
                let Some(written) = written else { return };
                let strict = match store.map(Some(&written)) {
                    Mapped::Inside(path) => Some(path),
                    Mapped::None | Mapped::Refused(_) => None,
                };
                match strict.or_else(|| store.map_reference(&written).filter(|_| !owns)) {
                    Some(path) => self.inside.push(path),
                    None => self.outside.push(written),
                }
            }
            FilePath::Template(template) => match template.fill(&values) {
                Ok(None) => {}
                Ok(Some(made)) => match StorePath::parse(&made) {
                    Ok(path) => self.inside.push(path),
                    Err(_) => self.outside.push(made),
                },
                Err(_) => self.outside.push(String::new()),
            },
        }
    }
}

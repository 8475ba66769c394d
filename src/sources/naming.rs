//! Every file that the rows of a reference name, one after the other: what an orphan scan begins with.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::dialect::{Term, separated};
use super::references::ReferenceColumn;
use super::{Reader, SourceError, Sql};
use crate::policy::{Engine, FilePath, ReferenceMatch, Store};

/// What a row of a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming<'a> {
    Nothing,
    /// A path beneath the store's root; owned where it is spelled oddly, or made of several columns.
    Path(Cow<'a, str>),
    /// The last segment of a path.
    Name(&'a str),
    /// What maps to no file of the store, as it is written.
    Outside(Cow<'a, str>),
}

impl ReferenceColumn {
    /// Calls `each` with what every row names, until it says to stop; the reader again, where all were read.
    pub async fn read_all(
        &self,
        reader: Reader,
        store: &Store,
        each: &mut (dyn FnMut(Naming<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Option<Reader>, SourceError> {
        let mut sql = Sql::new(self.engine());
        sql.push("SELECT ");
        separated(&mut sql, ", ", self.terms(), |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table);
        let operation = format!("reading which files {} names", self.table);
        let columns = self.terms().len();
        reader.read(&operation, &sql, columns, &mut |values| each(self.naming_of(values, store))).await
    }

    fn naming_of<'v>(&self, values: &[Option<&'v str>], store: &Store) -> Naming<'v> {
        match (self.path(), self.matching(), values) {
            (FilePath::Column(_), _, [None | Some("")]) => Naming::Nothing,
            (FilePath::Column(_), ReferenceMatch::Path, [Some(written)]) => match store.reference_text(written) {
                Some(path) => Naming::Path(path),
                None => Naming::Outside(Cow::Borrowed(written)),
            },
            (FilePath::Column(_), ReferenceMatch::Name, [Some(written)]) => {
                match ReferenceMatch::last_segment(written) {
                    Some(name) => Naming::Name(name),
                    None => Naming::Outside(Cow::Borrowed(written)),
                }
            }
            _ => self.made_of(values, store),
        }
    }

    fn made_of(&self, values: &[Option<&str>], store: &Store) -> Naming<'static> {
        let owned: Vec<_> = values.iter().map(|value| value.map(str::to_owned)).collect();
        if owned.iter().any(|value| value.as_deref().is_none_or(str::is_empty)) {
            return Naming::Nothing;
        }
        match self.path_of(owned, store) {
            Some(path) => Naming::Path(Cow::Owned(path.into())),
            None => {
                let values: Vec<_> = values.iter().flatten().copied().collect();
                Naming::Outside(Cow::Owned(values.join(", ")))
            }
        }
    }
}

/// Writes what follows the last slash of a column, slashes at its end left out.
pub(super) fn push_last_segment(sql: &mut Sql, column: &Term) {
    // The column stands between each two parts.
    let parts: &[&str] = match sql.engine() {
        Engine::Postgres => &["substring(rtrim(", ", '/') from '[^/]*$')"],
        Engine::MySql => &["SUBSTRING_INDEX(TRIM(TRAILING '/' FROM ", "), '/', -1)"],
        // SQLite finds no last slash: the length of what is left without the characters that follow it is its place.
        Engine::Sqlite => &["substr(rtrim(", ", '/'), length(rtrim(rtrim(", ", '/'), replace(", ", '/', ''))) + 1)"],
    };
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            column.push_text(sql);
        }
        sql.push(part);
    }
}

//! Every file that the rows of a reference name, one after the other: what an orphan scan begins with.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::spelling::listed;
use super::still_named::{ReferenceColumn, push_all_equal};
use crate::policy::{FilePath, ReferenceMatch, Store};
use crate::sources::sql::term::Term;
use crate::sources::{Reader, Session, SourceError, Sql};

/// The file or files that a row of a reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming<'a> {
    Nothing,
    Path(NamedPath<'a>),
    /// The last segment of a path.
    Name(Cow<'a, str>),
    /// A value that maps to no file of the store, as it is written.
    Outside(Cow<'a, str>),
    /// The value lists several, as JSON.
    Several(Vec<Naming<'static>>),
}

/// A path beneath the store's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath<'a> {
    pub path: Cow<'a, str>,
    /// It is written in none of the usual ways, so that no index finds it.
    pub is_odd: bool,
    /// As the row has it; empty where columns make it.
    pub written: Cow<'a, str>,
}

/// Rows that a scan reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Without those that have let go of their file.
    Holding,
}

impl ReferenceColumn {
    /// Calls `each` with what every row names, until it says to stop; the reader again, where all were read.
    pub async fn read_all(
        &self,
        reader: Reader,
        store: &Store,
        rows: Rows,
        each: &mut (dyn FnMut(Naming<'_>) -> ControlFlow<()> + Send),
    ) -> Result<Option<Reader>, SourceError> {
        let mut sql = Sql::new(self.engine());
        sql.push("SELECT ").separated(", ", self.terms(), |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table);
        if let (Rows::Holding, [_, ..]) = (rows, self.releases()) {
            sql.push(" WHERE (").separated(" OR ", self.releases(), |sql, values| push_all_equal(sql, values));
            sql.push(") IS NOT TRUE");
        }
        let operation = format!("reading which files {} names", self.table);
        let columns = self.terms().len();
        let sql = sql.without_binds();
        reader.read(&operation, &sql, columns, &mut |values| each(self.naming_of(values, store))).await
    }

    /// Reads as [`ReferenceColumn::read_all`] does, but over a session and only a table of few rows; false where there
    /// are more than `at_most`.
    pub async fn read_few(
        &self,
        session: &mut Session,
        store: &Store,
        at_most: usize,
        each: &mut (dyn FnMut(Naming<'_>) -> ControlFlow<()> + Send),
    ) -> Result<bool, SourceError> {
        let mut sql = Sql::new(self.engine());
        sql.push("SELECT ").separated(", ", self.terms(), |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table).push(&format!(" LIMIT {}", at_most + 1));
        let rows = session.query(&format!("reading which files {} names", self.table), &sql).await?;
        if rows.len() > at_most {
            return Ok(false);
        }
        for row in rows {
            let values: Vec<_> = row.0.iter().map(Option::as_deref).collect();
            if each(self.naming_of(&values, store)).is_break() {
                break;
            }
        }
        Ok(true)
    }

    fn naming_of<'v>(&self, values: &[Option<&'v str>], store: &Store) -> Naming<'v> {
        match (self.path(), self.terms(), values) {
            (FilePath::Column(_), _, [None | Some("")]) => Naming::Nothing,
            (FilePath::Column(_), [column], [Some(read)]) => match column.read_path(read) {
                Cow::Borrowed(written) => self.named_as(written, store),
                Cow::Owned(written) if written.is_empty() => Naming::Nothing,
                Cow::Owned(written) => self.named_as(&written, store).into_owned(),
            },
            _ => self.made_of(values, store),
        }
    }

    fn named_as<'v>(&self, written: &'v str, store: &Store) -> Naming<'v> {
        if let Some(texts) = listed(written) {
            return Naming::Several(texts.iter().map(|text| self.named_by_one(text, store).into_owned()).collect());
        }
        self.named_by_one(written, store)
    }

    fn named_by_one<'v>(&self, written: &'v str, store: &Store) -> Naming<'v> {
        let outside = || match self.ignores(written) {
            true => Naming::Nothing,
            false => Naming::Outside(Cow::Borrowed(written)),
        };
        match self.matching() {
            ReferenceMatch::Path => match store.reference_text(written) {
                Some(path) => {
                    let is_odd = matches!(path, Cow::Owned(_));
                    Naming::Path(NamedPath { path, is_odd, written: Cow::Borrowed(written) })
                }
                None => outside(),
            },
            ReferenceMatch::Name => match ReferenceMatch::last_segment(written) {
                Some(name) => Naming::Name(Cow::Borrowed(name)),
                None => outside(),
            },
        }
    }

    fn made_of(&self, values: &[Option<&str>], store: &Store) -> Naming<'static> {
        let owned: Vec<_> = values.iter().map(|value| value.map(str::to_owned)).collect();
        if owned.iter().any(|value| value.as_deref().is_none_or(str::is_empty)) {
            return Naming::Nothing;
        }
        match self.path_of(owned, store) {
            Some(path) => {
                Naming::Path(NamedPath { path: Cow::Owned(path.into()), is_odd: false, written: Cow::Borrowed("") })
            }
            None => {
                let values: Vec<_> = values.iter().flatten().copied().collect();
                Naming::Outside(Cow::Owned(values.join(", ")))
            }
        }
    }
}

impl Naming<'_> {
    /// A copy that does not borrow from what was read.
    pub fn into_owned(self) -> Naming<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Naming::Nothing => Naming::Nothing,
            Naming::Path(NamedPath { path, is_odd, written }) => {
                Naming::Path(NamedPath { path: owned(path), is_odd, written: owned(written) })
            }
            Naming::Name(name) => Naming::Name(owned(name)),
            Naming::Outside(written) => Naming::Outside(owned(written)),
            Naming::Several(several) => Naming::Several(several),
        }
    }
}

/// Writes what follows the last slash of a column, slashes at its end left out.
pub(crate) fn push_last_segment(sql: &mut Sql, column: &Term) {
    sql.template(sql.traits().last_segment, |sql, _| column.push_path_text(sql));
}

//! Which files rows still name: the last question before a file is removed (G3).

use std::collections::HashSet;

use super::dialect::{KeyTerms, Term, separated};
use super::fit::{Unfit, find};
use super::gone::{Gone, push_remaining};
use super::odd::{ODD_AT_MOST, OddNames, push_odd};
use super::{ColumnType, ErrorKind, RowId, Session, SourceError, Sql, TableFacts};
use crate::policy::{
    Engine, FilePath, Name, OwnedFile, PathTemplate, Reference, ReferenceMatch, Source, Store, StorePath, TableName,
    TemplatePart,
};

/// Most paths in one question.
const PATHS_AT_ONCE: usize = 1000;
/// Most directories in one question about what lies beneath them.
const DIRECTORIES_AT_ONCE: usize = 50;

/// Rows that name files of a store: as declared in the configuration, or recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBy {
    pub source: Name,
    pub table: TableName,
    pub path: FilePath,
    /// The path is a directory: what it names is everything in it.
    pub directory: bool,
    /// Whether it is the whole path, or its last segment, that names a file.
    pub matching: ReferenceMatch,
    /// Columns with the values that an update sets: a row that has them all has let go of its file.
    pub released: Vec<(String, String)>,
}

impl NamedBy {
    /// Rows that own a file.
    pub fn owner(source: Name, table: TableName, file: &OwnedFile, released: Vec<(String, String)>) -> Self {
        let matching = ReferenceMatch::Path;
        Self { source, table, path: file.path.clone(), directory: file.directory, matching, released }
    }
}

impl From<&Reference> for NamedBy {
    fn from(reference: &Reference) -> Self {
        let Reference { source, table, path, directory, matching } = reference.clone();
        Self { source, table, path, directory, matching, released: Vec::new() }
    }
}

/// Rows that name files of a store, fitted to their table.
#[derive(Debug, Clone)]
pub struct ReferenceColumn {
    pub source: Name,
    /// As the catalog resolved it.
    pub table: TableName,
    engine: Engine,
    path: FilePath,
    /// What it names is everything in a directory.
    pub directory: bool,
    matching: ReferenceMatch,
    /// The columns of the path.
    terms: Vec<Term>,
    released: Vec<(Term, String)>,
    /// A row that is not asked about.
    except: Option<(KeyTerms, Vec<String>)>,
}

impl ReferenceColumn {
    /// Fits it to its table.
    pub fn fit(source: &Source, named_by: &NamedBy, facts: Option<&TableFacts>) -> Result<Self, Unfit> {
        let table = named_by.table.to_string();
        let facts = facts.ok_or_else(|| Unfit::NoTable { source_name: source.name.clone(), table: table.clone() })?;
        let term = |ident: &crate::policy::Ident| find(facts, &table, ident).map(Term::column);
        let terms = named_by.path.columns().into_iter().map(term).collect::<Result<_, _>>()?;
        let mut released = Vec::new();
        for (column, value) in &named_by.released {
            // The names came from the catalog when they were recorded.
            let ident = crate::policy::Ident::parse(column).map_err(|_| Unfit::NoColumn {
                table: table.clone(),
                column: column.clone(),
                suggestion: None,
            })?;
            released.push((term(&ident)?, value.clone()));
        }
        let engine = source.endpoint.engine();
        let (source, table, path) = (source.name.clone(), facts.name.clone(), named_by.path.clone());
        let NamedBy { directory, matching, .. } = *named_by;
        Ok(Self { source, table, engine, path, directory, matching, terms, released, except: None })
    }

    pub(super) fn engine(&self) -> Engine {
        self.engine
    }

    /// Where the path of a file comes from.
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// Whether it is the whole path, or its last segment, that names a file.
    pub fn matching(&self) -> ReferenceMatch {
        self.matching
    }

    /// The columns of the path.
    pub(super) fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// The same for all rows but one.
    pub fn except(self, row: &RowId) -> Self {
        let is_here = self.source == row.source && self.table == row.table && !row.key.0.is_empty();
        Self { except: is_here.then(|| (row.key.clone(), row.values.clone())), ..self }
    }

    /// Whether both name files by the same columns.
    pub fn is_same(&self, other: &ReferenceColumn) -> bool {
        let same_files = self.path == other.path && self.matching == other.matching;
        self.source == other.source && self.table == other.table && same_files
    }

    /// Those of `paths` that a row names, rows that are gone left out.
    pub async fn named(
        &self,
        session: &mut Session,
        store: &Store,
        paths: &[StorePath],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let mut written = self.newly_written(gone);
        for some in paths.chunks(PATHS_AT_ONCE) {
            let Some(sql) = self.naming(store, some, gone) else { continue };
            let rows = session.query(&self.asking(), &sql).await?;
            written.extend(rows.into_iter().map(|row| row.0));
        }
        Ok(match self.matching {
            ReferenceMatch::Path => {
                let asked: HashSet<_> = paths.iter().collect();
                let named = written.into_iter().filter_map(|values| self.path_of(values, store));
                named.filter(|path| asked.contains(path)).collect()
            }
            ReferenceMatch::Name => {
                let names: HashSet<_> = written.iter().filter_map(|values| self.name_of(values)).collect();
                paths.iter().filter(|path| names.contains(path.split().1)).cloned().collect()
            }
        })
    }

    /// What rows name beneath some directories, rows that are gone left out.
    pub async fn named_beneath(
        &self,
        session: &mut Session,
        store: &Store,
        directories: &[StorePath],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        if self.matching == ReferenceMatch::Name && !directories.is_empty() {
            // A configuration that asks this is refused; what it left owing before it was changed stays.
            return Err(SourceError {
                source_name: self.source.clone(),
                operation: self.asking(),
                kind: ErrorKind::Other,
                cause: format!(
                    "its rows name files of store {} by name, which does not tell in what directory",
                    store.name
                )
                .into(),
            });
        }
        let mut named = HashSet::new();
        for some in directories.chunks(DIRECTORIES_AT_ONCE) {
            let beginnings = some.iter().flat_map(|path| match self.path {
                FilePath::Column(_) => store.spellings(path),
                FilePath::Template(_) => vec![path.to_string()],
            });
            let beginnings: Vec<_> = beginnings.map(|spelling| format!("{spelling}/")).collect();
            let sql = self.select(gone, |sql| {
                separated(sql, " OR ", &beginnings, |sql, beginning| {
                    sql.push("substr(");
                    self.push_path(sql);
                    sql.push(&format!(", 1, {}) = ", beginning.chars().count())).bind(beginning.clone());
                });
            });
            let rows = session.query(&self.asking(), &sql).await?;
            named.extend(rows.into_iter().filter_map(|row| self.path_of(row.0, store)));
        }
        named.extend(self.newly_written(gone).into_iter().filter_map(|values| self.path_of(values, store)));
        Ok(named)
    }

    /// What updates that a plan takes for done would have their rows write.
    fn newly_written(&self, gone: &[Gone]) -> Vec<Vec<Option<String>>> {
        let FilePath::Column(column) = &self.path else { return Vec::new() };
        let updates = gone.iter().filter(|gone| self.is_owned_by(gone));
        updates.filter_map(|gone| gone.target.literal_of(column)).map(|value| vec![Some(value)]).collect()
    }

    /// The question which rows name some paths; none where no row can.
    fn naming(&self, store: &Store, paths: &[StorePath], gone: &[Gone]) -> Option<Sql> {
        let condition = self.condition(store, paths)?;
        Some(self.select(gone, |sql| {
            sql.append(&condition);
        }))
    }

    /// That a row names one of some paths; none where no row can.
    pub(super) fn condition(&self, store: &Store, paths: &[StorePath]) -> Option<Sql> {
        let mut sql = Sql::new(self.engine);
        match (&self.path, self.terms.as_slice()) {
            (FilePath::Column(_), [column]) if self.matching == ReferenceMatch::Name => {
                let names: HashSet<_> = paths.iter().map(|path| path.split().1.to_owned()).collect();
                push_last_segment(&mut sql, column);
                push_among_texts(&mut sql, &names.into_iter().collect::<Vec<_>>());
            }
            (FilePath::Column(_), [column]) => {
                let spellings: Vec<_> = paths.iter().flat_map(|path| store.spellings(path)).collect();
                // Only a text column is compared bare, so that its index serves.
                match column.kind() {
                    ColumnType::Text => column.push(&mut sql),
                    _ => column.push_text(&mut sql),
                }
                push_among_texts(&mut sql, &spellings);
            }
            (FilePath::Template(template), [column]) => {
                let values = paths.iter().filter_map(|path| template.value_in(path.as_str()));
                let values: Vec<_> = values.filter(|value| may_be(column.kind(), value)).map(str::to_owned).collect();
                if values.is_empty() {
                    return None;
                }
                push_among_values(&mut sql, column, &values);
            }
            _ => {
                self.push_path(&mut sql);
                push_among_texts(&mut sql, &paths.iter().map(StorePath::to_string).collect::<Vec<_>>());
            }
        }
        Some(sql)
    }

    /// The file that a row names, from the columns of its path.
    pub(super) fn path_of(&self, values: Vec<Option<String>>, store: &Store) -> Option<StorePath> {
        match &self.path {
            FilePath::Column(_) => store.map_reference(values.first()?.as_deref()?),
            FilePath::Template(template) => StorePath::parse(&template.fill(&values).ok()??).ok(),
        }
    }

    /// The last segment of what a row has written.
    pub(super) fn name_of<'v>(&self, values: &'v [Option<String>]) -> Option<&'v str> {
        ReferenceMatch::last_segment(values.first()?.as_deref()?)
    }

    /// Writes the path as the row has it, or as its columns make it.
    fn push_path(&self, sql: &mut Sql) {
        match &self.path {
            FilePath::Column(_) => self.terms.iter().for_each(|term| term.push_text(sql)),
            FilePath::Template(template) => self.push_made(sql, template),
        }
    }

    fn push_made(&self, sql: &mut Sql, template: &PathTemplate) {
        let (begin, between) = if self.engine == Engine::MySql { ("CONCAT(", ", ") } else { ("(", " || ") };
        let mut terms = self.terms.iter();
        sql.push(begin);
        separated(sql, between, template.parts(), |sql, part| match part {
            TemplatePart::Text(text) => {
                sql.bind(text.clone());
            }
            TemplatePart::Column(_) => {
                if let Some(term) = terms.next() {
                    term.push_text(sql);
                }
            }
        });
        sql.push(")");
    }

    /// The files that rows name by an odd spelling, rows that are gone left out.
    pub async fn oddly_named(
        &self,
        session: &mut Session,
        store: &Store,
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let (FilePath::Column(_), [column]) = (&self.path, self.terms.as_slice()) else { return Ok(HashSet::new()) };
        if self.matching == ReferenceMatch::Name {
            // A name is the same however the path before it is spelled.
            return Ok(HashSet::new());
        }
        let mut sql = self.select(gone, |sql| push_odd(sql, column, store));
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
        let mut odd = OddNames::default();
        named.iter().for_each(|path| odd.insert(path));
        Ok(odd)
    }

    fn select(&self, gone: &[Gone], condition: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ");
        separated(&mut sql, ", ", &self.terms, |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table).push(" WHERE (");
        condition(&mut sql);
        sql.push(")");
        if !self.released.is_empty() {
            sql.push(" AND (");
            separated(&mut sql, " AND ", &self.released, |sql, (term, value)| {
                term.push(sql);
                sql.push(" = ");
                term.push_value(sql, value);
            });
            sql.push(") IS NOT TRUE");
        }
        if let Some((key, row)) = &self.except {
            sql.push(" AND NOT (");
            key.push_among(&mut sql, std::slice::from_ref(row));
            sql.push(")");
        }
        push_remaining(&mut sql, gone, &self.source, &self.table);
        for (index, updated) in gone.iter().enumerate().filter(|(_, gone)| self.lets_go(gone)) {
            sql.push(" AND ");
            updated.push_taken(&mut sql, &gone[..index]);
            sql.push(" IS NOT TRUE");
        }
        sql
    }

    /// Whether an update, by what it sets, lets go of the files that these columns name.
    fn lets_go(&self, gone: &Gone) -> bool {
        let literals = gone.target.literals();
        let is_set = |(term, value): &(Term, String)| literals.contains(&(term.name(), value.clone()));
        let sets_path = self.path.columns().into_iter().any(|column| gone.target.sets(column));
        let releases = !self.released.is_empty() && self.released.iter().all(is_set);
        self.is_owned_by(gone) && (sets_path || releases)
    }

    fn is_owned_by(&self, gone: &Gone) -> bool {
        let target = &gone.target;
        let owns = |owner: &super::FileOwner| owner.table == self.table && owner.file.path == self.path;
        target.updates() && target.source == self.source && target.owners.iter().any(owns)
    }

    fn asking(&self) -> String {
        format!("asking which files {} still names", self.table)
    }
}

/// Compared bare where that can be, so that an index on the column serves.
fn push_among_values(sql: &mut Sql, column: &Term, values: &[String]) {
    match column.kind() {
        ColumnType::Text | ColumnType::Integer | ColumnType::Uuid => {
            column.push(sql);
            sql.push(" IN (");
            separated(sql, ", ", values, |sql, value| column.push_value(sql, value));
            sql.push(")");
        }
        _ => {
            column.push_text(sql);
            push_among_texts(sql, values);
        }
    }
}

fn push_among_texts(sql: &mut Sql, texts: &[String]) {
    sql.push(" IN (");
    separated(sql, ", ", texts, |sql, text| {
        sql.bind(text.clone());
    });
    sql.push(")");
}

/// Writes what follows the last slash of a column, slashes at its end left out.
fn push_last_segment(sql: &mut Sql, column: &Term) {
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

/// Whether a column of that kind can hold the text at all: the server must not be asked to read one that is no number.
fn may_be(kind: ColumnType, value: &str) -> bool {
    match kind {
        ColumnType::Integer => value.parse::<i64>().is_ok(),
        ColumnType::Uuid => uuid::Uuid::try_parse(value).is_ok(),
        _ => true,
    }
}

//! The files that rows still name: the last question before a file is removed (G3).

use std::collections::HashSet;

use crate::policy::{
    Assignment, Engine, FilePath, Name, Namer, OwnedFile, Reference, ReferenceMatch, Source, Store, StorePath,
    TableName,
};
use crate::sources::rows::assumed_gone::{Gone, push_remaining};
use crate::sources::rows::resolve::{Unfit, find};
use crate::sources::rows::target::literal;
use crate::sources::sql::dialect::{Begins, dialect};
use crate::sources::sql::keys::KeyTerms;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, ErrorKind, RowId, Session, SourceError, Sql, TableFacts};

/// Most paths in one question.
const PATHS_AT_ONCE: usize = 1000;
/// Most directories in one question about what lies beneath them; and where an index is asked for each of them.
const DIRECTORIES_AT_ONCE: [usize; 2] = [1000, 50];

/// Rows that name files of a store: as declared in the configuration, or recorded in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBy {
    pub source: Name,
    pub table: TableName,
    pub path: FilePath,
    /// The path is a directory: it names everything in it.
    pub directory: bool,
    /// The part of the path that names a file: all of it, or its last segment.
    pub matching: ReferenceMatch,
    /// Columns with the values that an update sets: a row that has them all has let go of its file.
    pub released: Vec<(String, String)>,
    /// Beginnings of what never means a file of the store.
    pub ignore_prefix: Vec<String>,
    /// Values that updates of other policies set where they let go of the file: it is not missed then, but stays named.
    pub releases: Vec<Vec<Assignment>>,
}

impl NamedBy {
    /// Rows that own a file.
    pub fn owner(source: Name, table: TableName, file: &OwnedFile, released: Vec<(String, String)>) -> Self {
        Self { released, ..Self::from(&Reference::owner(source, table, file)) }
    }
}

impl From<&Reference> for NamedBy {
    fn from(reference: &Reference) -> Self {
        let Reference { source, table, path, directory, matching, ignore_prefix, .. } = reference.clone();
        let (released, releases) = (Vec::new(), Vec::new());
        Self { source, table, path, directory, matching, released, ignore_prefix, releases }
    }
}

impl From<&Namer<'_>> for NamedBy {
    fn from(namer: &Namer<'_>) -> Self {
        let releases = namer.releases.iter().map(|set| set.to_vec()).collect();
        Self { releases, ..Self::from(&namer.reference) }
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
    /// The path is a directory: it names everything in it.
    pub directory: bool,
    matching: ReferenceMatch,
    /// The columns of the path.
    terms: Vec<Term>,
    /// The way to ask an index for the beginning of the column; none where none serves.
    begins: Option<Begins>,
    released: Vec<(Term, String)>,
    ignore_prefix: Vec<String>,
    /// For each update that lets go of the file, what a row has then.
    releases: Vec<Vec<(Term, String)>>,
    /// A row that is not asked about.
    except: Option<(KeyTerms, Vec<String>)>,
}

impl ReferenceColumn {
    /// Fits it to its table.
    pub fn fit(source: &Source, named_by: &NamedBy, facts: Option<&TableFacts>) -> Result<Self, Unfit> {
        let table = named_by.table.to_string();
        let facts = facts.ok_or_else(|| Unfit::NoTable { source_name: source.name.clone(), table: table.clone() })?;
        let term = |ident: &crate::policy::Ident| find(facts, &table, ident).map(Term::column);
        let terms = named_by.path.columns().into_iter().map(term).collect::<Result<Vec<_>, _>>()?;
        if let Some(compound) = terms.iter().find(|term| term.kind() == ColumnType::Compound) {
            return Err(Unfit::not_a_path(&table, compound));
        }
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
        let begins = match (&named_by.path, terms.as_slice()) {
            (FilePath::Column(_), [column]) => {
                let is_found = facts.beginnings.iter().any(|found| found.as_str() == column.name());
                dialect(engine).begins(column.typed()).filter(|_| is_found)
            }
            _ => None,
        };
        let releases = named_by.releases.iter().filter_map(|set| let_go(set, facts, engine)).collect();
        let (source, table, path) = (source.name.clone(), facts.name.clone(), named_by.path.clone());
        let NamedBy { directory, matching, .. } = *named_by;
        let ignore_prefix = named_by.ignore_prefix.clone();
        Ok(Self {
            source,
            table,
            engine,
            path,
            directory,
            matching,
            terms,
            begins,
            released,
            ignore_prefix,
            releases,
            except: None,
        })
    }

    pub(crate) fn engine(&self) -> Engine {
        self.engine
    }

    /// The column or template that the path of a file comes from.
    pub fn path(&self) -> &FilePath {
        &self.path
    }

    /// The part of the path that names a file: all of it, or its last segment.
    pub fn matching(&self) -> ReferenceMatch {
        self.matching
    }

    /// For each update that lets go of the file, what a row has then.
    pub(crate) fn releases(&self) -> &[Vec<(Term, String)>] {
        &self.releases
    }

    /// The columns of the path.
    pub(crate) fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Leaves one row out of every question, where it is a row of this table.
    pub fn except(self, row: &RowId) -> Self {
        let is_here = self.source == row.source && self.table == row.table && !row.key.0.is_empty();
        Self { except: is_here.then(|| (row.key.clone(), row.values.clone())), ..self }
    }

    /// True if both name files by the same columns.
    pub fn is_same(&self, other: &ReferenceColumn) -> bool {
        let same_files = self.path == other.path && self.matching == other.matching;
        self.source == other.source && self.table == other.table && same_files
    }

    /// Takes over what another one says of the same columns.
    pub fn absorb(&mut self, other: ReferenceColumn) {
        self.directory |= other.directory;
        self.ignore_prefix.extend(other.ignore_prefix);
        self.releases.extend(other.releases);
    }

    /// The way to ask an index for the beginning of the column; none where none serves.
    pub(crate) fn begins(&self) -> Option<Begins> {
        self.begins
    }

    /// True if what a row has written never means a file of the store.
    pub(crate) fn ignores(&self, written: &str) -> bool {
        self.ignore_prefix.iter().any(|prefix| written.starts_with(prefix.as_str()))
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

    /// Files that rows name beneath some directories, rows that are gone left out.
    pub async fn named_beneath(
        &self,
        session: &mut Session,
        store: &Store,
        directories: &[StorePath],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        if self.matching == ReferenceMatch::Name && !directories.is_empty() {
            // A configuration that asks this is refused; what it left pending before it was changed stays.
            let store = &store.name;
            let cause = format!("its rows name files of store {store} by name, which does not tell in what directory");
            return Err(SourceError::new(&self.source, self.asking(), ErrorKind::Other, cause));
        }
        let mut named = HashSet::new();
        let is_asked = |path: &&StorePath| self.path.template().is_none_or(|it| it.reaches_beneath(path.as_str()));
        let directories: Vec<_> = directories.iter().filter(is_asked).collect();
        let [by_pass, by_index] = DIRECTORIES_AT_ONCE;
        let at_once = if self.begins.is_some() { by_index } else { by_pass };
        for some in directories.chunks(at_once) {
            let beginnings = some.iter().flat_map(|path| match self.path {
                FilePath::Column(_) => store.spellings(path),
                FilePath::Template(_) => vec![path.to_string()],
            });
            let beginnings: Vec<_> = beginnings.map(|spelling| format!("{spelling}/")).collect();
            let sql = self.select(gone, |sql| self.push_begins(sql, &beginnings));
            let rows = session.query(&self.asking(), &sql).await?;
            named.extend(rows.into_iter().filter_map(|row| self.path_of(row.0, store)));
        }
        named.extend(self.newly_written(gone).into_iter().filter_map(|values| self.path_of(values, store)));
        Ok(named)
    }

    /// Paths that updates write into their rows, where a plan takes the updates for done.
    pub(crate) fn newly_written(&self, gone: &[Gone]) -> Vec<Vec<Option<String>>> {
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

    pub(crate) fn select(&self, gone: &[Gone], condition: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ").separated(", ", &self.terms, |sql, term| term.push_text(sql));
        sql.push(" FROM ").table(&self.table).push(" WHERE (");
        condition(&mut sql);
        sql.push(")");
        if !self.released.is_empty() {
            sql.push(" AND ").with(|sql| push_all_equal(sql, &self.released)).push(" IS NOT TRUE");
        }
        if let Some((key, row)) = &self.except {
            sql.push(" AND NOT (").with(|sql| key.push_among(sql, std::slice::from_ref(row))).push(")");
        }
        push_remaining(&mut sql, gone, &self.source, &self.table);
        for (index, updated) in gone.iter().enumerate().filter(|(_, gone)| self.lets_go(gone)) {
            sql.push(" AND ").with(|sql| updated.push_taken(sql, &gone[..index])).push(" IS NOT TRUE");
        }
        sql
    }

    /// True if an update, by what it sets, lets go of the files that these columns name.
    fn lets_go(&self, gone: &Gone) -> bool {
        let literals = gone.target.literals();
        let is_set = |(term, value): &(Term, String)| literals.contains(&(term.name(), value.clone()));
        let sets_path = self.path.columns().into_iter().any(|column| gone.target.sets(column));
        let releases = !self.released.is_empty() && self.released.iter().all(is_set);
        self.is_owned_by(gone) && (sets_path || releases)
    }

    fn is_owned_by(&self, gone: &Gone) -> bool {
        let target = &gone.target;
        let owns = |owner: &crate::sources::FileOwner| owner.table == self.table && owner.file.path == self.path;
        target.updates() && target.source == self.source && target.owners.iter().any(owns)
    }

    pub(crate) fn asking(&self) -> String {
        format!("asking which files {} still names", self.table)
    }
}

/// Values by which a row shows that an update let go of its file; none where no literal shows it.
fn let_go(set: &[Assignment], facts: &TableFacts, engine: Engine) -> Option<Vec<(Term, String)>> {
    let literals = set.iter().filter_map(|assignment| {
        let column = facts.columns.iter().find(|column| column.name == assignment.column)?;
        Some((Term::column(column), literal(&assignment.value, engine)?))
    });
    let literals: Vec<_> = literals.collect();
    (!literals.is_empty()).then_some(literals)
}

/// Writes "the row has all these values".
pub(crate) fn push_all_equal(sql: &mut Sql, values: &[(Term, String)]) {
    sql.push("(");
    sql.separated(" AND ", values, |sql, (term, value)| {
        sql.push(term).push(" = ").with(|sql| term.push_value(sql, value));
    });
    sql.push(")");
}

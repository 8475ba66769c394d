//! A table whose rows go: how its rows are told apart, what each of them must tell, and whose rows go with them.

use std::sync::Arc;

use crate::policy::{FilePath, LONGEST_BYTES, Mapped, OnDelete, OwnedFile, Store, StorePath, TableName};
use crate::sources::session::invalid_text;
use crate::sources::sql::keys::{KeyTerms, shown};
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, Sql};
use crate::text::{SHOWN_BYTES, cut};

/// A table of a policy: its own, or one whose rows go with those of another.
#[derive(Debug, Clone)]
pub struct Node {
    /// As the catalog resolved it.
    pub table: TableName,
    /// Columns that tell rows apart in statements; empty only on MySQL, for a table without a key.
    pub(crate) key: KeyTerms,
    /// Columns that tell rows apart for people: those of the primary key, or all columns of a table without a key.
    pub(crate) shown_key: Vec<Term>,
    /// Columns that each row is asked for beside its key.
    carried: Vec<Carried>,
    pub(crate) files: Vec<RowFile>,
    pub(crate) branches: Vec<Branch>,
    /// Its foreign keys to itself, where its rows go.
    pub(crate) tree: Option<Tree>,
}

/// A column that each row is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carried {
    term: Term,
    /// No more of its text than this many characters; all of it, if none.
    chars: Option<usize>,
}

/// Characters that are read of a path: more than any path can have, with whatever prefix the configuration strips.
const PATH_CHARS: usize = 3 * LONGEST_BYTES;

/// Characters that are read for an argument of a program: as many are more than the kernel takes, so the program is not
/// started, and the row kept.
const ARGUMENT_CHARS: usize = 128 * 1024;

/// A file that each row of a node owns.
#[derive(Debug, Clone)]
pub(crate) struct RowFile {
    /// Index of its owner among those of the target.
    pub(crate) owner: usize,
    /// Places of its columns among the carried ones.
    columns: Vec<usize>,
}

/// A table whose rows point to those of a node.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    /// Its columns that point.
    pub(crate) columns: KeyTerms,
    /// The node's columns that they point to, and their places among the carried ones.
    pub(crate) referenced: Vec<(Term, usize)>,
    pub(crate) on_delete: OnDelete,
    /// Those of its columns that are set to NULL where that is what becomes of it.
    pub(crate) unlinked: Vec<Term>,
    pub(crate) node: Node,
}

/// The foreign keys of a table to itself.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    /// Never empty; all of them point to the same columns.
    pub(crate) ways: Vec<Way>,
}

/// A foreign key of a table to itself.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// The table's rows as children of its rows.
    pub(crate) branch: Branch,
    /// Places of the columns that point among those that each row is asked for.
    pub(crate) pointers: Vec<usize>,
    /// The database deletes what points by itself.
    pub(crate) cascades: bool,
}

/// A row that is, or was, eligible, or that goes with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRow {
    /// As statements compare it.
    pub key: Vec<String>,
    /// As people read it.
    pub shown: String,
    /// The carried columns.
    pub(crate) values: Vec<Option<String>>,
    /// The first column that holds no text.
    unreadable: Option<String>,
}

/// A row's claim to a file that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The row's key, as people read it.
    pub key: String,
    /// Index of its owner among those of the target.
    pub owner: usize,
    pub file: ClaimedFile,
}

/// The file that a row names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedFile {
    Inside(StorePath),
    /// None of the store's.
    Outside(Unmapped),
}

/// A path that is not one of its store's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// The row's key, as statements compare it.
    pub row: Vec<String>,
    /// As the column has it; empty where a template made no path.
    pub written: String,
    pub why: String,
}

impl Node {
    pub(crate) fn new(table: TableName, key: KeyTerms, shown_key: Vec<Term>) -> Self {
        Self { table, key, shown_key, carried: Vec::new(), files: Vec::new(), branches: Vec::new(), tree: None }
    }

    /// True if its rows can be told apart.
    pub(crate) fn has_key(&self) -> bool {
        !self.key.0.is_empty()
    }

    /// Has each row tell a column; its place among the carried ones.
    pub(crate) fn carry(&mut self, term: Term) -> usize {
        self.carry_some(term, None)
    }

    /// Carries a column that people are shown, cut at what is shown.
    pub(crate) fn carry_shown(&mut self, term: Term) -> usize {
        self.carry_some(term, Some(SHOWN_BYTES + 1))
    }

    /// Carries a column that a program is given as an argument.
    pub(crate) fn carry_argument(&mut self, term: Term) -> usize {
        self.carry_some(term, Some(ARGUMENT_CHARS))
    }

    fn carry_some(&mut self, term: Term, chars: Option<usize>) -> usize {
        let carried = Carried { term, chars };
        self.carried.iter().position(|known| *known == carried).unwrap_or_else(|| {
            self.carried.push(carried);
            self.carried.len() - 1
        })
    }

    pub(crate) fn own(&mut self, owner: usize, columns: Vec<Term>) {
        let columns = columns.into_iter().map(|term| self.carry_some(term, Some(PATH_CHARS))).collect();
        self.files.push(RowFile { owner, columns });
    }

    /// Writes what `read` reads: the key, the key for people, the carried columns.
    pub(crate) fn push_returned(&self, sql: &mut Sql) {
        let keys = self.key.0.iter().map(|term| (term, None));
        let shown = self.shown_key.iter().map(|term| (term, Some(SHOWN_BYTES + 1)));
        let carried = self.carried.iter().map(|carried| (&carried.term, carried.chars));
        let terms: Vec<_> = keys.chain(shown).chain(carried).collect();
        sql.separated(", ", &terms, |sql, (term, chars)| match chars {
            Some(chars) => term.push_beginning(sql, *chars),
            None => term.push_text(sql),
        });
    }

    /// Number of columns that [`Node::push_returned`] writes.
    pub(crate) fn returned(&self) -> usize {
        self.key.0.len() + self.shown_key.len() + self.carried.len()
    }

    pub(crate) fn read(&self, mut columns: Vec<Option<String>>) -> OwnedRow {
        let mut rest = columns.split_off(self.key.0.len().min(columns.len()));
        let values = rest.split_off(self.shown_key.len().min(rest.len()));
        let terms =
            self.key.0.iter().zip(&columns).chain(self.carried.iter().map(|carried| &carried.term).zip(&values));
        let mut unreadable = terms.filter(|(_, value)| value.as_deref().is_some_and(invalid_text::is));
        let unreadable = unreadable.next().map(|(term, _)| term.name());
        let rest: Vec<_> = rest.into_iter().map(|value| value.map(invalid_text::shown)).collect();
        let key = columns.into_iter().map(Option::unwrap_or_default).collect();
        OwnedRow { key, shown: cut(shown(&rest)), values, unreadable }
    }

    /// Collects a row's claims to its files. A path that leads into one of several stores to which the same columns
    /// lead is none of the others'.
    pub(crate) fn claims(&self, row: &OwnedRow, owners: &[FileOwner], claims: &mut Vec<Claim>) {
        let first = claims.len();
        for file in &self.files {
            let is_whole = matches!(owners[file.owner].file.path, crate::policy::FilePath::Column(_));
            let read = |place: &usize| {
                let (value, term) = (row.values.get(*place)?.as_deref()?, &self.carried[*place].term);
                Some(if is_whole { term.read_path(value) } else { term.read_part(value) }.into_owned())
            };
            let values: Vec<_> = file.columns.iter().map(read).collect();
            let claimed = match owners[file.owner].file_of(values) {
                Ok(None) => continue,
                Ok(Some(path)) => ClaimedFile::Inside(path),
                Err((written, why)) => {
                    ClaimedFile::Outside(Unmapped { row: row.key.clone(), written: cut(written), why })
                }
            };
            claims.push(Claim { key: row.shown.clone(), owner: file.owner, file: claimed });
        }
        let leads_in = |claim: &Claim| matches!(claim.file, ClaimedFile::Inside(_));
        if claims[first..].iter().all(leads_in) {
            return;
        }
        let inside: Vec<_> = claims[first..]
            .iter()
            .filter(|claim| leads_in(claim))
            .map(|claim| &owners[claim.owner].file.path)
            .collect();
        let is_elsewhere = |claim: &Claim| !leads_in(claim) && inside.contains(&&owners[claim.owner].file.path);
        let stays: Vec<bool> = claims[first..].iter().map(|claim| !is_elsewhere(claim)).collect();
        let mut stays = std::iter::repeat_n(true, first).chain(stays);
        claims.retain(|_| stays.next() != Some(false));
    }

    pub(crate) fn collect_keeping<'n>(&'n self, path: &mut Vec<&'n Branch>, paths: &mut Vec<Vec<&'n Branch>>) {
        for branch in &self.branches {
            path.push(branch);
            match branch.on_delete {
                OnDelete::KeepParent => paths.push(path.clone()),
                OnDelete::Delete => branch.node.collect_keeping(path, paths),
                OnDelete::SetNull => {}
            }
            path.pop();
        }
    }

    /// The node, and those whose rows go with its own.
    pub(crate) fn and_those_below(&self) -> Vec<&Node> {
        let below = self.branches.iter().filter(|branch| branch.on_delete == OnDelete::Delete);
        std::iter::once(self).chain(below.flat_map(|branch| branch.node.and_those_below())).collect()
    }

    /// True if rows of other tables must be dealt with before those of this one go.
    pub fn takes_others_along(&self) -> bool {
        self.branches.iter().any(|branch| branch.on_delete != OnDelete::KeepParent)
    }
}

/// A file owner of a policy: rows of a table, and how they name their file.
#[derive(Debug, Clone)]
pub struct FileOwner {
    pub file: OwnedFile,
    /// As the catalog resolved it.
    pub table: TableName,
    pub store: Arc<Store>,
}

impl FileOwner {
    /// The file of the store that a row's columns name, if they name one; or what they have instead, and why it is none of
    /// the store's.
    fn file_of(&self, mut values: Vec<Option<String>>) -> Result<Option<StorePath>, (String, String)> {
        match &self.file.path {
            FilePath::Column(_) => {
                let written = values.pop().flatten();
                match self.store.map(written.as_deref()) {
                    Mapped::None => Ok(None),
                    Mapped::Inside(path) => Ok(Some(path)),
                    Mapped::Refused(why) => Err((written.unwrap_or_default(), why)),
                }
            }
            FilePath::Template(template) => match template.fill(&values) {
                Ok(None) => Ok(None),
                Ok(Some(path)) => StorePath::parse(&path).map(Some).map_err(|why| (path, why)),
                Err(why) => Err((String::new(), why)),
            },
        }
    }
}

impl OwnedRow {
    /// Why it stays: a column that decides what goes with it holds bytes that are no text.
    pub fn unreadable(&self) -> Option<String> {
        self.unreadable.as_ref().map(|column| format!("its {column} holds bytes that are no text (UTF-8)"))
    }

    /// A carried value as JSON.
    pub(crate) fn value(&self, place: usize, kind: ColumnType) -> serde_json::Value {
        value_of(self.values.get(place).and_then(Option::as_deref), kind)
    }

    pub(crate) fn texts(&self, places: &[usize]) -> Vec<Option<String>> {
        places.iter().map(|place| self.values.get(*place).cloned().flatten()).collect()
    }
}

/// The text of a column as JSON, by the column's type.
pub(crate) fn value_of(text: Option<&str>, kind: ColumnType) -> serde_json::Value {
    match text {
        None => serde_json::Value::Null,
        Some(text) if invalid_text::is(text) => invalid_text::shown(text.to_owned()).into(),
        Some(text) => match (kind, text.parse::<i64>()) {
            (ColumnType::Integer, Ok(number)) => number.into(),
            _ => text.into(),
        },
    }
}

//! A rows policy fitted to the facts of its tables: what it asks of a row, and what is done to one.

use std::collections::BTreeMap;

use super::detail::{AskedDetails, Computed};
use super::node::{Branch, Claim, FileOwner, Node, OwnedRow};
use super::triggers::Veto;
use crate::policy::{Engine, Ident, KeepByValue, Name, OwnedFile, SetValue, TableName};
use crate::sources::ColumnType;
use crate::sources::age::Age;
use crate::sources::sql::condition::Bound;
use crate::sources::sql::dialect::{Traits, dialect};
use crate::sources::sql::fragment::Fragment;
use crate::sources::sql::term::Term;

/// A rows policy whose tables were looked up: every column is there and of a type that can be judged.
#[derive(Debug, Clone)]
pub struct Target {
    pub source: Name,
    pub engine: Engine,
    pub node: Node,
    pub(crate) age: Option<Age>,
    pub(crate) age_indexed: bool,
    pub(crate) keep: Option<KeepTerms>,
    pub(crate) condition: Option<Fragment>,
    pub(crate) protections: Vec<Protecting>,
    /// True or NULL: the row's work is still going on.
    pub(crate) alive: Option<Fragment>,
    pub(crate) bound: Bound,
    pub(crate) change: Change,
    /// Keys of rows on which the operator's SQL fails, where it does.
    pub(crate) unjudged: Option<Vec<Vec<String>>>,
    /// True if each row is asked about what points to it from its own table; a run goes by the order instead.
    pub(crate) judges_tree: bool,
    /// Triggers and rules that may keep rows of its tables back without a word.
    pub vetoes: Vec<Veto>,
    /// Column, its place among the carried ones, its type.
    pub(crate) details: Vec<(String, usize, ColumnType)>,
    /// Details that are asked for beside the run, by name.
    pub(crate) computed: Vec<(String, Computed)>,
    /// Places of the columns that a liveness probe by command is given, where there is one.
    pub(crate) probe: Option<Vec<usize>>,
    /// Everything in the policy's tables that owns a file.
    pub owners: Vec<FileOwner>,
}

/// A time for each value of a column.
#[derive(Debug, Clone)]
pub(crate) struct KeepTerms {
    pub(crate) term: Term,
    pub(crate) by: KeepByValue,
}

/// Action on an eligible row.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Delete,
    Update(Vec<(Term, NewValue)>),
}

/// Value that a column is set to.
#[derive(Debug, Clone)]
pub(crate) enum NewValue {
    Literal(SetValue),
    Sql(Fragment),
}

/// Rows of another table that keep a row.
#[derive(Debug, Clone)]
pub(crate) struct Protecting {
    /// As the catalog resolved it.
    pub(crate) table: TableName,
    pub(crate) on: Fragment,
    pub(crate) condition: Option<Fragment>,
}

impl Target {
    /// True if something beside its age and `where` may keep a row.
    pub fn can_be_kept(&self) -> bool {
        self.may_be_kept_alone() || self.judges_tree()
    }

    pub(crate) fn may_be_kept_alone(&self) -> bool {
        self.alive.is_some() || !self.protections.is_empty() || !self.keeping().is_empty()
    }

    /// Every way from a table whose rows keep the rows that they point to up to the policy's own: the last branch
    /// keeps, and the rows of those before it would go. What keeps a row that goes with another keeps that one, too.
    pub(crate) fn keeping(&self) -> Vec<Vec<&Branch>> {
        let mut paths = Vec::new();
        self.node.collect_keeping(&mut Vec::new(), &mut paths);
        paths
    }

    /// The traits of its engine.
    pub(crate) fn traits(&self) -> &'static Traits {
        dialect(self.engine).traits()
    }

    /// True if eligibility depends on other rows. Such a question is answered as of the beginning of a statement,
    /// however long that then waits for a row's lock; so the rows are locked first and asked about again.
    pub(crate) fn asks_other_rows(&self) -> bool {
        let subquery = |sql: &Option<Fragment>| sql.as_ref().is_some_and(|sql| sql.condition.has_subquery());
        !self.protections.is_empty() || !self.keeping().is_empty() || subquery(&self.condition) || subquery(&self.alive)
    }

    /// True if a statement of its own changes a scope and tells no more than how many rows.
    pub fn is_one_statement(&self, wants_details: bool) -> bool {
        let tells =
            !self.owners.is_empty() || self.is_tree() || self.may_be_vetoed() || (wants_details && self.has_details());
        let locks = self.asks_other_rows() && self.traits().locks_rows && !self.node.key.0.is_empty();
        !tells && !locks && !self.node.takes_others_along()
    }

    /// True if rows may stay without an error; MySQL knows no such trigger.
    pub(crate) fn may_be_vetoed(&self) -> bool {
        self.traits().has_silent_vetoes && !self.vetoes.is_empty() && self.has_key()
    }

    /// True if the engine cleans up behind a deletion while the next batch is under way, and a snapshot has it wait (InnoDB).
    pub fn cleans_up_behind(&self) -> bool {
        self.traits().clusters_by_key
    }

    /// True if work beside a batch pays: where one connection changes rows another one may ask and change as well.
    pub fn has_many_writers(&self) -> bool {
        self.traits().has_many_writers
    }

    /// True if its rows are those of a table that points to itself.
    pub fn is_tree(&self) -> bool {
        self.node.tree.is_some()
    }

    /// True if rows are taken in the order in which they can go.
    pub(crate) fn peels(&self) -> bool {
        self.is_tree() && !self.judges_tree
    }

    /// True if eligibility asks what points to a row from its own table.
    pub(crate) fn judges_tree(&self) -> bool {
        self.is_tree() && self.judges_tree
    }

    /// True if rows are updated and stay.
    pub fn updates(&self) -> bool {
        matches!(self.change, Change::Update(_))
    }

    /// True if a liveness probe is to be asked about each row.
    pub fn is_probed(&self) -> bool {
        self.probe.is_some()
    }

    /// True if its rows can be told apart.
    pub fn has_key(&self) -> bool {
        !self.node.key.0.is_empty()
    }

    /// True if the order of its keys may be walked along. A row of PostgreSQL that is updated lies elsewhere after it, and
    /// would be read again.
    pub(crate) fn is_walked_by_key(&self) -> bool {
        let any = |is: fn(&Term) -> bool| self.node.key.0.iter().any(is);
        let disordered = self.traits().orders_enums_by_number && any(Term::is_enumerated);
        self.has_key() && !disordered && !(self.updates() && any(Term::is_place))
    }

    /// Values that a liveness probe is given for a row, in the order of the command's placeholders.
    pub fn probe_values(&self, row: &OwnedRow) -> Vec<Option<String>> {
        row.texts(self.probe.as_deref().unwrap_or_default())
    }

    /// Everything that the operator wants to see of a row; a column stands before what was asked for under its name.
    pub fn details_of(&self, row: &OwnedRow, asked: &AskedDetails) -> BTreeMap<String, serde_json::Value> {
        let mut details = asked.of(row);
        details.extend(self.details.iter().map(|(name, place, kind)| (name.clone(), row.value(*place, *kind))));
        details
    }

    /// True if the result shows details of the affected rows.
    pub fn has_details(&self) -> bool {
        !self.details.is_empty() || !self.computed.is_empty()
    }

    /// Claims of rows of the policy's own table to their files.
    pub fn claims_of(&self, rows: &[OwnedRow]) -> Vec<Claim> {
        let mut claims = Vec::new();
        rows.iter().for_each(|row| self.node.claims(row, &self.owners, &mut claims));
        claims
    }

    /// The literals that show that a row has let go of a file: those that an update sets. None for a file whose path it
    /// sets: such a row names what it names.
    pub fn released(&self, file: &OwnedFile) -> Vec<(String, String)> {
        match file.path.columns().into_iter().any(|column| self.sets(column)) {
            true => Vec::new(),
            false => self.literals(),
        }
    }

    /// True if an update sets a column.
    pub(crate) fn sets(&self, column: &Ident) -> bool {
        match &self.change {
            Change::Delete => false,
            Change::Update(set) => set.iter().any(|(term, _)| term.name() == column.as_str()),
        }
    }

    /// The literal that an update sets a column to.
    pub(crate) fn literal_of(&self, column: &Ident) -> Option<String> {
        self.literals().into_iter().find_map(|(name, value)| (name == column.as_str()).then_some(value))
    }

    /// The literals that an update sets.
    pub(crate) fn literals(&self) -> Vec<(String, String)> {
        let Change::Update(set) = &self.change else { return Vec::new() };
        let literals = set.iter().filter_map(|(term, value)| match value {
            NewValue::Literal(value) => Some((term.name(), literal(value, self.engine)?)),
            NewValue::Sql(_) => None,
        });
        literals.collect()
    }

    /// True if the bounds of a window are what an index is entered by, because the exact predicate on the age is not.
    pub(crate) fn needs_bounds(&self) -> bool {
        self.traits().enters_by_window || self.keep.is_some()
    }
}

/// A literal as the engine is sent it.
pub(crate) fn literal(value: &SetValue, engine: Engine) -> Option<String> {
    match value {
        SetValue::Text(text) | SetValue::Number(text) => Some(text.clone()),
        SetValue::Flag(flag) => Some(dialect(engine).traits().flags[usize::from(*flag)].to_owned()),
        SetValue::Sql(_) => None,
    }
}

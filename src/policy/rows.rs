//! Policies of kind `rows`.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::{AgeFormat, CommandLine, Condition, Ident, Name, OnDelete, OwnedFile, Pace, ParamDeclaration, TableName};

/// Rows that may go or be updated, and what goes with them.
///
/// Valid by construction: at least one of `age` (then with `keep`) and `condition` is there, and a
/// condition that uses `:cutoff` has a `keep` of one duration.
#[derive(Debug, Clone)]
pub struct RowsPolicy {
    pub source: Name,
    pub table: TableName,
    /// Column that holds the row's age, or when it expires.
    pub age: Option<AgeColumn>,
    /// Time that a row is kept; for a row that expires, its grace.
    pub keep: Option<Keep>,
    /// The operator's `where`.
    pub condition: Option<Condition>,
    /// Parameters of the SQL, that of `set` included, that whoever asks for a run must give.
    pub params: Vec<ParamDeclaration>,
    pub protections: Vec<Protection>,
    pub alive: Option<Alive>,
    /// A condition that says the same at every time is meant so.
    pub allow_time_independent: bool,
    pub action: Action,
    /// Only those that are switched on.
    pub files: Vec<OwnedFile>,
    /// Those that are switched off: they stay, also where the database deletes the row by a cascade.
    pub files_off: Vec<OwnedFile>,
    pub children: Vec<Child>,
    /// Shown by the result for each affected row.
    pub details: Vec<Detail>,
    /// Rows per transaction.
    pub batch: NonZeroU32,
    /// Speed, where it is not that of the source.
    pub pace: Pace,
    /// Batches at once.
    pub parallel: NonZeroU32,
    /// Rows that one run takes, at most.
    pub at_most: Option<NonZeroU64>,
    pub max_rows: Option<NonZeroU64>,
    pub max_fraction: Option<Fraction>,
}

impl RowsPolicy {
    /// Number of rows that a run takes where so many are eligible.
    pub fn in_a_run(&self, eligible: u64) -> u64 {
        self.at_most.map_or(eligible, |most| eligible.min(most.get()))
    }

    /// The instant before which a row may be eligible, for a run that begins at `now`; a time before the first that
    /// there is makes nothing eligible. None without a time to keep.
    pub fn cutoff(&self, now: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let keep = self.keep.as_ref()?.shortest();
        Some(now.checked_sub(keep).unwrap_or(jiff::Timestamp::MIN))
    }
}

/// The column that tells how old a row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgeColumn {
    pub column: Ident,
    /// Unit of the column's numbers; none where it holds dates.
    pub format: Option<AgeFormat>,
    /// The column says when the row expires (`expires`), not when it began (`age`).
    pub expires: bool,
    /// A time before it is not a time: the row is kept.
    pub earliest: jiff::Timestamp,
}

/// Time that rows are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// Every row as long; zero only for a row that expires without grace.
    For(Duration),
    ByValue(KeepByValue),
}

/// A time for each value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepByValue {
    pub column: Ident,
    /// Never empty; each value once.
    pub values: Vec<(String, Duration)>,
    /// For every other value, and for NULL; without one such rows are kept.
    pub default: Option<Duration>,
}

/// A detail that the result shows for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A column, or one of [`AGE_SECS`] and [`KEEP_SECS`] where the table has no such column.
    Column(Ident),
    Sql {
        name: String,
        sql: Condition,
    },
}

/// Detail that is the age of a row in seconds.
pub const AGE_SECS: &str = "age_secs";
/// Detail that is the time for which a row is kept, in seconds.
pub const KEEP_SECS: &str = "keep_secs";
/// Name under which details have the columns that `set` changes.
pub const SET_DETAIL: &str = "set";

impl Detail {
    /// The name under which it is shown.
    pub fn name(&self) -> &str {
        match self {
            Detail::Column(column) => column.as_str(),
            Detail::Sql { name, .. } => name,
        }
    }
}

/// Rows of another table that keep a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    pub table: TableName,
    /// Condition under which one of its rows belongs to a row of the policy's table.
    pub on: Condition,
    pub condition: Option<Condition>,
}

/// Question whether a row's work is still going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alive {
    Sql(Condition),
    /// Exit 0: still running.
    Command(CommandLine),
}

/// Action on an eligible row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Delete,
    /// Never empty; each column once.
    Update(Vec<Assignment>),
}

/// `column = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    pub column: Ident,
    pub value: SetValue,
}

/// Value that a column is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    Text(String),
    /// As it is written in decimal.
    Number(String),
    Flag(bool),
    /// An expression.
    Sql(Condition),
}

/// Rows of another table that belong to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Child {
    pub table: TableName,
    /// Its columns that name the parent; never empty, each once.
    pub columns: Vec<Ident>,
    /// The parent's columns that they name, in the same order and as many. Where none are given: those of the foreign key
    /// over `columns`, else the primary key.
    pub references: Option<Vec<Ident>>,
    pub on_delete: OnDelete,
    /// Only those that are switched on.
    pub files: Vec<OwnedFile>,
    /// Those that are switched off: they stay.
    pub files_off: Vec<OwnedFile>,
    pub children: Vec<Child>,
}

impl RowsPolicy {
    /// Every file that its rows and their children own, each with the table of the row.
    pub fn owned_files(&self) -> Vec<(&TableName, &OwnedFile)> {
        let mut all: Vec<_> = self.files.iter().map(|file| (&self.table, file)).collect();
        self.children.iter().for_each(|child| child.collect_files(&mut all));
        all
    }

    /// Every file that they own, those that are switched off included: what a row names stays named.
    pub fn all_files(&self) -> Vec<(&TableName, &OwnedFile)> {
        let mut all: Vec<_> = self.files.iter().chain(&self.files_off).map(|file| (&self.table, file)).collect();
        self.children.iter().for_each(|child| child.collect_all_files(&mut all));
        all
    }
}

impl Child {
    /// True if it is the child that those columns of a table make, in whatever order.
    pub fn is_by(&self, columns: &[Ident]) -> bool {
        self.columns.len() == columns.len() && self.columns.iter().all(|column| columns.contains(column))
    }

    fn collect_files<'a>(&'a self, all: &mut Vec<(&'a TableName, &'a OwnedFile)>) {
        all.extend(self.files.iter().map(|file| (&self.table, file)));
        self.children.iter().for_each(|child| child.collect_files(all));
    }

    fn collect_all_files<'a>(&'a self, all: &mut Vec<(&'a TableName, &'a OwnedFile)>) {
        all.extend(self.files.iter().chain(&self.files_off).map(|file| (&self.table, file)));
        self.children.iter().for_each(|child| child.collect_all_files(all));
    }
}

/// A share, above 0 and at most 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Fraction(f64);

impl Fraction {
    /// Accepts 0 < share <= 1.
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share <= 1.0).then_some(Self(share))
    }

    /// The share as a number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Keep {
    /// The shortest time: every row that is eligible is at least this old.
    pub fn shortest(&self) -> Duration {
        match self {
            Keep::For(keep) => *keep,
            Keep::ByValue(by) => {
                let all = by.values.iter().map(|(_, keep)| *keep).chain(by.default);
                all.min().unwrap_or(Duration::MAX)
            }
        }
    }
}

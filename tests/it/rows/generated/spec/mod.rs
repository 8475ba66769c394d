//! What is generated: four tables that belong together, their rows and files, and policies over them. Values are drawn
//! freely and then settled, so that whatever is drawn (and whatever it shrinks to) is a configuration that holds.

mod draw;
mod settle;

pub use draw::{everywhere, spec};

/// The tables: a job has shots, a shot has marks, and leases protect jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Job,
    Shot,
    Mark,
    Lease,
}

impl Table {
    pub const ALL: [Table; 4] = [Table::Job, Table::Shot, Table::Mark, Table::Lease];

    pub fn name(self) -> &'static str {
        match self {
            Table::Job => "job",
            Table::Shot => "shot",
            Table::Mark => "mark",
            Table::Lease => "lease",
        }
    }

    pub fn named(name: &str) -> Table {
        Table::ALL.into_iter().find(|table| table.name() == name).expect("one of the tables")
    }
}

/// How the rows of a table are told apart. Beside it each has `num`, its number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Integer,
    Text,
    Uuid,
    Binary,
    Composite,
    None,
}

impl Key {
    /// Whether a child can point to it by one column of its own; else it points to `num`.
    pub fn is_pointed_to(self) -> bool {
        matches!(self, Key::Integer | Key::Text | Key::Uuid)
    }
}

/// What a column of time is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    Instants,
    /// RFC 3339; some cannot be read.
    Texts,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
    /// Seconds, halves among them.
    Floats,
    Decimals,
}

impl Times {
    /// What `age_format` says of it.
    pub fn format(self) -> Option<&'static str> {
        match self {
            Times::Instants | Times::Texts => None,
            Times::Seconds | Times::Floats | Times::Decimals => Some("unix"),
            Times::Milliseconds => Some("unix_ms"),
            Times::Microseconds => Some("unix_us"),
            Times::Nanoseconds => Some("unix_ns"),
        }
    }

    /// The cutoff as it compares with such a column.
    pub fn cutoff(self) -> &'static str {
        match self {
            Times::Instants | Times::Texts => ":cutoff",
            Times::Seconds | Times::Floats | Times::Decimals => ":cutoff_unix",
            Times::Milliseconds => ":cutoff_ms",
            Times::Microseconds => ":cutoff_us",
            Times::Nanoseconds => ":cutoff_ns",
        }
    }
}

/// When something was, or will be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// So many days ago.
    Ago(f64),
    /// An instant that no clock of ours has shown.
    At(&'static str),
    /// NULL; of texts, one that is no time.
    Never,
}

/// A file that each row of a table owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The column `file`, in either store.
    Column(Store),
    /// `TABLE-{num}/preview` in `images`.
    Preview,
    /// The directory `TABLE-{num}` in `images`.
    Directory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    Thumbs,
    Images,
}

impl Store {
    pub fn name(self) -> &'static str {
        match self {
            Store::Thumbs => "thumbs",
            Store::Images => "images",
        }
    }
}

#[derive(Debug, Clone)]
pub struct TableSpec {
    pub key: Key,
    /// SQLite: the table has no rowid.
    pub without_rowid: bool,
    /// What its columns of time are.
    pub times: Times,
    pub age_indexed: bool,
    /// The column `file` holds bytes.
    pub binary_file: bool,
    pub files: Vec<Owner>,
    pub rows: Vec<Row>,
}

/// Small numbers that choose a value.
#[derive(Debug, Clone)]
pub struct Row {
    pub age: usize,
    pub expires: usize,
    pub kind: usize,
    pub flag: u8,
    pub is_new: bool,
    pub file: usize,
    pub parent: usize,
    pub other: usize,
    /// The row of its own table that it points to.
    pub previous: usize,
}

/// Years that mean "never" in some languages, and the last before there is a time.
const FAR: [&str; 4] = ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1979-12-31T00:00:00Z", "9999-12-30T00:00:00Z"];
/// Some are exactly as old as they are kept, which is not old enough.
pub const AGES: [When; 13] = [
    When::Ago(1.0),
    When::Ago(45.5),
    When::Ago(30.5),
    When::Ago(29.5),
    When::Ago(15.5),
    When::Ago(5.5),
    When::Never,
    When::Ago(30.0),
    When::Ago(5.0),
    When::At(FAR[0]),
    When::At(FAR[1]),
    When::At(FAR[2]),
    When::At(FAR[3]),
];
/// Where in these the years begin that mean "never".
pub const FIRST_FAR: usize = 9;
/// Since the row expired.
pub const EXPIRES: [When; 8] = [
    When::Ago(-5.5),
    When::Ago(9.5),
    When::Ago(3.5),
    When::Ago(0.5),
    When::Never,
    When::At(FAR[0]),
    When::At(FAR[1]),
    When::At(FAR[3]),
];
pub const KINDS: [Option<&str>; 4] = [Some("a"), Some("b"), Some("c"), None];

/// What the database does to rows that point to a deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForeignKey {
    None,
    Plain,
    Cascade,
    SetNull,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    Delete,
    SetNull,
    KeepParent,
}

/// How rows of a table point to their parents.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    pub key: ForeignKey,
    /// As the policies declare it.
    pub declared: Option<OnDelete>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    None,
    Keep(u8),
    /// Days of grace.
    Expires(Option<u8>),
    ByValue {
        default: bool,
    },
    /// Days, in the words of the condition alone.
    BySql(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Delete,
    /// Sets a literal; with the table's files.
    Literal,
    /// Sets the column `file` to NULL, which it owns.
    Null,
    /// Without files.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alive {
    None,
    Sql,
    Command,
}

#[derive(Debug, Clone)]
pub struct Policy {
    pub on: Table,
    pub time: Time,
    pub condition: Option<&'static str>,
    pub protected_by: Option<Table>,
    pub alive: Alive,
    pub action: Action,
    pub declares_children: bool,
    pub batch: u32,
    pub reports: bool,
    pub shows: bool,
}

#[derive(Debug, Clone)]
pub struct Spec {
    pub tables: [TableSpec; 4],
    /// From shots to jobs.
    pub shots: Link,
    /// A second column of shots that points to jobs.
    pub others: Option<OnDelete>,
    /// From marks to shots.
    pub marks: Link,
    /// Shots point to jobs by both columns of a composite key.
    pub by_both: bool,
    /// What the database does to jobs that point to a deleted one, where they point to one another.
    pub previous: Option<ForeignKey>,
    /// The table of which a trigger lets no row go whose flag is 1.
    pub veto: Option<Table>,
    pub policies: Vec<Policy>,
}

impl Spec {
    pub fn table(&self, table: Table) -> &TableSpec {
        &self.tables[table as usize]
    }

    fn table_mut(&mut self, table: Table) -> &mut TableSpec {
        &mut self.tables[table as usize]
    }

    /// Whether a trigger lets a row not go.
    pub fn is_vetoed(&self, table: Table, num: u64) -> bool {
        self.veto == Some(table) && self.table(table).rows[num as usize - 1].flag == 1
    }

    /// The store that the column `file` of a table names files of.
    pub fn column_store(&self, table: Table) -> Option<Store> {
        self.table(table).files.iter().find_map(|owner| match owner {
            Owner::Column(store) => Some(*store),
            Owner::Preview | Owner::Directory => None,
        })
    }

    /// Whether any policy says that the rows of a table own a file, or (of a column) the store's references do.
    pub fn is_declared(&self, table: Table, owner: Owner) -> bool {
        let by_itself = |policy: &Policy| policy.on == table && self.files_of(table, policy.action).contains(&owner);
        let (shots, marks) = (self.shots.declared, self.marks.declared);
        let shots = shots == Some(OnDelete::Delete) || self.others == Some(OnDelete::Delete);
        let marks = marks == Some(OnDelete::Delete);
        let goes_with = |policy: &Policy| {
            let declares = policy.declares_children && policy.action == Action::Delete;
            declares
                && match (policy.on, table) {
                    (Table::Job, Table::Shot) => shots,
                    (Table::Job, Table::Mark) => shots && marks,
                    (Table::Shot, Table::Mark) => marks,
                    _ => false,
                }
        };
        let in_policies = self.policies.iter().any(|policy| by_itself(policy) || goes_with(policy));
        in_policies || matches!(owner, Owner::Column(_))
    }

    /// The files that a policy of that action on a table takes along.
    pub fn files_of(&self, table: Table, action: Action) -> Vec<Owner> {
        let files = self.table(table).files.iter().copied();
        match action {
            Action::Delete | Action::Literal => files.collect(),
            Action::Null => files.filter(|owner| matches!(owner, Owner::Column(_))).collect(),
            Action::Plain => vec![],
        }
    }
}

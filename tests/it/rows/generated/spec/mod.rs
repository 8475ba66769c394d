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
}

/// Some are exactly as old as they are kept, which is not old enough.
pub const AGES: [Option<f64>; 9] =
    [Some(1.0), Some(45.5), Some(30.5), Some(29.5), Some(15.5), Some(5.5), None, Some(30.0), Some(5.0)];
/// Days since the row expired.
pub const EXPIRES: [Option<f64>; 5] = [Some(-5.5), Some(9.5), Some(3.5), Some(0.5), None];
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
    pub policies: Vec<Policy>,
}

impl Spec {
    pub fn table(&self, table: Table) -> &TableSpec {
        &self.tables[table as usize]
    }

    fn table_mut(&mut self, table: Table) -> &mut TableSpec {
        &mut self.tables[table as usize]
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

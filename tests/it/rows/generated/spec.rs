//! What is generated: four tables that belong together, their rows and files, and policies over them. Values are drawn
//! freely and then settled, so that whatever is drawn (and whatever it shrinks to) is a configuration that holds.

use proptest::prelude::*;

use crate::engines::EngineKind;

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

pub const AGES: [Option<f64>; 7] = [Some(1.0), Some(45.5), Some(30.5), Some(29.5), Some(15.5), Some(5.5), None];
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

fn row() -> impl Strategy<Value = Row> {
    let times = (0..AGES.len(), 0..EXPIRES.len(), 0..KINDS.len());
    (times, 0..3u8, any::<bool>(), 0..super::build::FILES, 0..16usize, 0..16usize).prop_map(
        |((age, expires, kind), flag, is_new, file, parent, other)| Row {
            age,
            expires,
            kind,
            flag,
            is_new,
            file,
            parent,
            other,
        },
    )
}

fn owners() -> impl Strategy<Value = Vec<Owner>> {
    let column = proptest::option::of(prop_oneof![Just(Store::Images), Just(Store::Thumbs)]);
    (column, proptest::bool::weighted(0.3), proptest::bool::weighted(0.3)).prop_map(|(column, preview, directory)| {
        let preview = preview.then_some(Owner::Preview);
        column.map(Owner::Column).into_iter().chain(preview).chain(directory.then_some(Owner::Directory)).collect()
    })
}

fn table(most: usize) -> impl Strategy<Value = TableSpec> {
    let key = prop_oneof![
        3 => Just(Key::Integer),
        1 => Just(Key::Text),
        1 => Just(Key::Uuid),
        1 => Just(Key::Binary),
        1 => Just(Key::Composite),
        1 => Just(Key::None),
    ];
    let times = prop_oneof![
        3 => Just(Times::Instants),
        1 => Just(Times::Texts),
        1 => Just(Times::Seconds),
        1 => Just(Times::Milliseconds),
    ];
    let rows = proptest::collection::vec(row(), 0..most);
    (key, any::<bool>(), times, any::<bool>(), owners(), rows).prop_map(
        |(key, without_rowid, times, age_indexed, files, rows)| TableSpec {
            key,
            without_rowid,
            times,
            age_indexed,
            files,
            rows,
        },
    )
}

fn on_delete() -> impl Strategy<Value = OnDelete> {
    prop_oneof![2 => Just(OnDelete::Delete), 1 => Just(OnDelete::SetNull), 1 => Just(OnDelete::KeepParent)]
}

fn link() -> impl Strategy<Value = Link> {
    let key = prop_oneof![
        Just(ForeignKey::None),
        Just(ForeignKey::Plain),
        Just(ForeignKey::Cascade),
        Just(ForeignKey::SetNull),
    ];
    (key, proptest::option::weighted(0.7, on_delete())).prop_map(|(key, declared)| Link { key, declared })
}

fn policy() -> impl Strategy<Value = Policy> {
    let on = prop_oneof![
        4 => Just(Table::Job),
        2 => Just(Table::Shot),
        1 => Just(Table::Mark),
        1 => Just(Table::Lease),
    ];
    let time = prop_oneof![
        1 => Just(Time::None),
        2 => prop_oneof![Just(30u8), Just(10), Just(5)].prop_map(Time::Keep),
        1 => proptest::option::of(prop_oneof![Just(2u8), Just(7)]).prop_map(Time::Expires),
        1 => any::<bool>().prop_map(|default| Time::ByValue { default }),
    ];
    let condition =
        proptest::option::of(prop_oneof![Just("flag > 0"), Just("kind <> 'a'"), Just("flag <> 2 OR kind IS NULL")]);
    let protected_by = proptest::option::weighted(0.3, prop_oneof![Just(Table::Lease), Just(Table::Shot)]);
    let alive = prop_oneof![8 => Just(Alive::None), 1 => Just(Alive::Sql), 1 => Just(Alive::Command)];
    let action = prop_oneof![
        6 => Just(Action::Delete),
        1 => Just(Action::Literal),
        1 => Just(Action::Null),
        1 => Just(Action::Plain),
    ];
    let batch = prop_oneof![Just(10_000u32), Just(7), Just(3), Just(1)];
    let flags = (proptest::bool::weighted(0.8), proptest::bool::weighted(0.1), proptest::bool::weighted(0.3));
    (on, time, condition, protected_by, alive, action, batch, flags).prop_map(
        |(on, time, condition, protected_by, alive, action, batch, (declares_children, reports, shows))| Policy {
            on,
            time,
            condition,
            protected_by,
            alive,
            action,
            declares_children,
            batch,
            reports,
            shows,
        },
    )
}

/// Everything, settled for an engine.
pub fn spec(kind: EngineKind) -> impl Strategy<Value = Spec> {
    let tables = (table(14), table(16), table(14), table(6));
    let policies = proptest::collection::vec(policy(), 1..5);
    (tables, link(), proptest::option::weighted(0.3, on_delete()), link(), policies).prop_map(
        move |((job, shot, mark, lease), shots, others, marks, policies)| {
            Spec { tables: [job, shot, mark, lease], shots, others, marks, policies }.settled(kind)
        },
    )
}

impl Spec {
    pub fn table(&self, table: Table) -> &TableSpec {
        &self.tables[table as usize]
    }

    fn table_mut(&mut self, table: Table) -> &mut TableSpec {
        &mut self.tables[table as usize]
    }

    /// Makes of what was drawn something that a configuration can say and a database can do.
    fn settled(mut self, kind: EngineKind) -> Self {
        self.settle_keys(kind);
        self.settle_links();
        self.settle_policies();
        if kind.is_mysql() {
            self.settle_keyless(kind);
        }
        self
    }

    fn settle_keys(&mut self, kind: EngineKind) {
        self.table_mut(Table::Lease).key = Key::Integer;
        self.table_mut(Table::Lease).files.clear();
        for table in &mut self.tables {
            table.without_rowid &= kind == EngineKind::Sqlite && !matches!(table.key, Key::Integer | Key::None);
        }
        // A child without a key cannot go with its parent there.
        for table in [Table::Shot, Table::Mark] {
            if kind.is_mysql() && self.table(table).key == Key::None {
                self.table_mut(table).key = Key::Text;
            }
        }
    }

    fn settle_links(&mut self) {
        for (parent, shots) in [(Table::Job, true), (Table::Shot, false)] {
            let keyless = self.table(parent).key == Key::None;
            let link = if shots { &mut self.shots } else { &mut self.marks };
            if keyless {
                link.key = ForeignKey::None;
            }
            if link.key == ForeignKey::Plain && link.declared.is_none() {
                link.declared = Some(OnDelete::Delete);
            }
        }
        if self.shots.declared.is_none() {
            self.others = None;
        }
        // What goes with one row must keep no other of its table: a plan judges all of them as of its beginning.
        let keeps = self.policies.iter().any(|policy| policy.protected_by == Some(Table::Shot))
            || self.shots.declared == Some(OnDelete::KeepParent);
        let goes = self.shots.declared == Some(OnDelete::Delete);
        if (keeps && self.others == Some(OnDelete::Delete)) || (goes && self.others == Some(OnDelete::KeepParent)) {
            self.others = Some(OnDelete::SetNull);
        }
        // What the database deletes by itself is found by the declared references alone, which are columns; and what
        // belongs to it cannot be declared.
        let by_itself = |link: Link| link.key == ForeignKey::Cascade && link.declared.is_none();
        let columns = |files: &mut Vec<Owner>| files.retain(|owner| matches!(owner, Owner::Column(_)));
        if by_itself(self.shots) {
            columns(&mut self.table_mut(Table::Shot).files);
            if self.marks.key == ForeignKey::Plain {
                self.marks.key = ForeignKey::Cascade;
            }
            if self.marks.key == ForeignKey::Cascade {
                columns(&mut self.table_mut(Table::Mark).files);
            }
        }
        if by_itself(self.marks) {
            columns(&mut self.table_mut(Table::Mark).files);
        }
    }

    fn settle_policies(&mut self) {
        let (shots, marks) = (self.shots, self.marks);
        let mut updated = Vec::new();
        self.policies.retain_mut(|policy| {
            if policy.time == Time::None {
                policy.condition.get_or_insert("flag > 0");
            }
            if policy.on != Table::Job {
                policy.protected_by = None;
            }
            if policy.on == Table::Lease {
                policy.action = Action::Delete;
            }
            // Undeclared children are left alone only where no foreign key has a say.
            let says = |key| key != ForeignKey::None;
            policy.declares_children |= match policy.on {
                Table::Job => says(shots.key),
                Table::Shot => says(marks.key),
                Table::Mark | Table::Lease => false,
            };
            if policy.action == Action::Delete {
                return true;
            }
            policy.reports = false;
            let first = !updated.contains(&policy.on);
            updated.push(policy.on);
            first
        });
        // An update moves a row that its place alone tells from others: the next policy meets them in another order.
        let on = |table| self.policies.iter().filter(|policy| policy.on == table).count();
        let (on_jobs, on_shots) = (on(Table::Job), on(Table::Shot));
        if self.table(Table::Job).key == Key::None && on_jobs > 1 {
            self.policies.iter_mut().for_each(|policy| policy.action = Action::Delete);
        }
        if self.table(Table::Shot).key == Key::None && on_jobs > 0 && on_shots > 0 {
            self.table_mut(Table::Shot).key = Key::Integer;
        }
        // What an update makes of a file's column cannot be foreseen by the policies after it.
        self.policies.sort_by_key(|policy| policy.action == Action::Null);
    }

    /// MySQL tells the rows of a table without a key apart by nothing.
    fn settle_keyless(&mut self, kind: EngineKind) {
        if self.table(Table::Job).key != Key::None {
            return;
        }
        self.shots = Link { key: ForeignKey::None, declared: None };
        self.others = None;
        if kind == EngineKind::MariaDbNoReturning {
            self.table_mut(Table::Job).files.clear();
        }
        for policy in self.policies.iter_mut().filter(|policy| policy.on == Table::Job) {
            policy.shows = false;
            if policy.alive == Alive::Command {
                policy.alive = Alive::Sql;
            }
            if policy.action != Action::Delete {
                policy.action = Action::Plain;
            }
        }
    }
}

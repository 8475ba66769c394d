//! Makes of a specification a database, two stores and a configuration.

use std::fmt::Write;
use std::sync::Arc;

use super::spec::{AGES, Action, Alive, EXPIRES, ForeignKey, KINDS, Key, Link, OnDelete, Owner, Policy, Row};
use super::spec::{Spec, Store, Table, Time, Times};
use crate::engines::{Database, EngineKind};
use crate::world::World;

/// How many values the column `file` may have.
pub const FILES: usize = 20;

/// A value of the column `file`.
pub struct Value {
    /// As the row has it.
    pub written: Option<String>,
    /// The file that it names, beneath the root.
    pub path: Option<String>,
    /// Whether it is written so that the file may be removed by it.
    pub is_plain: bool,
}

/// One of the values; `root` is the store's.
pub fn value(store: Store, index: usize, root: &str) -> Value {
    let (written, path) = match index {
        0 => return Value { written: None, path: None, is_plain: false },
        1 => return Value { written: Some(String::new()), path: None, is_plain: false },
        9 => ("./f3.bin".to_owned(), "f3.bin"),
        10 => ("d//g.bin".to_owned(), "d/g.bin"),
        11 => ("d/g.bin".to_owned(), "d/g.bin"),
        12 => (format!("{root}/f5.bin"), "f5.bin"),
        13 => ("x/../f6.bin".to_owned(), "f6.bin"),
        14 => ("job-1/a".to_owned(), "job-1/a"),
        15 => ("job-2/a".to_owned(), "job-2/a"),
        16 => ("job-3/preview".to_owned(), "job-3/preview"),
        17 => ("shot-1/b/c".to_owned(), "shot-1/b/c"),
        18 => ("job-1".to_owned(), "job-1"),
        19 => ("job-2/b".to_owned(), "job-2/b"),
        n => {
            let name = format!("f{n}.bin");
            return Value { written: Some(prefixed(store, &name)), path: Some(name), is_plain: true };
        }
    };
    let written = if written.starts_with('/') { written } else { prefixed(store, &written) };
    // A path with ".." keeps what it names, and removes nothing.
    Value { written: Some(written), path: Some(path.to_owned()), is_plain: index != 13 }
}

fn prefixed(store: Store, path: &str) -> String {
    match store {
        Store::Thumbs => format!("data/thumbs/{path}"),
        Store::Images => path.to_owned(),
    }
}

/// Builds everything anew in `db`.
pub fn build(spec: &Spec, db: &Arc<Database>) -> World {
    let mut world = World::new(db.clone());
    let mut sql = String::new();
    for table in [Table::Mark, Table::Shot, Table::Job, Table::Lease] {
        let _ = write!(sql, "DROP TABLE IF EXISTS {};", table.name());
    }
    for table in Table::ALL {
        create(spec, table, db.kind(), &mut sql);
        insert(spec, table, &world, &mut sql);
    }
    db.execute(&sql);
    put_files(spec, &world);
    for table in Table::ALL {
        for owner in &spec.table(table).files {
            if let Owner::Column(store) = owner {
                world.reference(store.name(), table.name(), "file");
            }
        }
    }
    for (index, policy) in spec.policies.iter().enumerate() {
        world.declare(&toml(spec, index, policy));
    }
    world
}

/// The type of a column that points to rows of a table, and the column that it points to.
fn pointed(spec: &Spec, parent: Table, kind: EngineKind) -> (&'static str, &'static str) {
    match spec.table(parent).key {
        Key::Integer => ("INTEGER", "id"),
        Key::Text => ("VARCHAR(20)", "id"),
        Key::Uuid => (uuid_type(kind), "id"),
        Key::Binary | Key::Composite | Key::None => ("INTEGER", "num"),
    }
}

fn uuid_type(kind: EngineKind) -> &'static str {
    let has_one = kind != EngineKind::Sqlite && !kind.is_mysql_proper();
    if has_one { "uuid" } else { "VARCHAR(36)" }
}

/// Whether shots point to jobs by both columns of their key, and the database deletes them with their job.
fn points_by_both(spec: &Spec) -> bool {
    let by_itself = spec.shots.key == ForeignKey::Cascade && spec.shots.declared.is_none();
    by_itself && spec.table(Table::Job).key == Key::Composite
}

fn create(spec: &Spec, table: Table, kind: EngineKind, sql: &mut String) {
    let facts = spec.table(table);
    let (key, primary) = match (facts.key, kind) {
        (Key::Integer, _) => ("id INTEGER NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Text, _) => ("id VARCHAR(20) NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Uuid, _) if uuid_type(kind) == "uuid" => ("id uuid NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Uuid, _) => ("id VARCHAR(36) NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Binary, EngineKind::Postgres) => ("id bytea NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Binary, EngineKind::Sqlite) => ("id BLOB NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Binary, _) => ("id VARBINARY(8) NOT NULL, ", ", PRIMARY KEY (id)"),
        (Key::Composite, _) => ("a INTEGER NOT NULL, b VARCHAR(20) NOT NULL, ", ", PRIMARY KEY (a, b)"),
        (Key::None, _) => ("", ""),
    };
    let at = match (facts.times, kind) {
        (Times::Texts, _) => "VARCHAR(40)",
        (Times::Seconds | Times::Milliseconds, _) => "BIGINT",
        (Times::Instants, EngineKind::Postgres) => "timestamptz",
        (Times::Instants, EngineKind::Sqlite) => "TIMESTAMP",
        (Times::Instants, _) => "datetime(6)",
    };
    let unique = if facts.key == Key::None { "" } else { ", UNIQUE (num)" };
    // A table without a key is told by all its columns, so the number comes first.
    let mut columns = format!(
        "num INTEGER NOT NULL, {key}at {at} NULL, expires_at {at} NULL, kind VARCHAR(10), flag INTEGER NOT NULL, \
         state VARCHAR(10) NOT NULL, file VARCHAR(300), touched INTEGER NOT NULL DEFAULT 0"
    );
    if let Some(parent) = parent_of(table) {
        let (kind, column) = match table {
            Table::Lease => ("INTEGER", "num"),
            _ => pointed(spec, parent, kind),
        };
        let _ = write!(columns, ", parent {kind}, other {kind}");
        let _ = write!(columns, "{}", foreign_key(link_of(spec, table), spec, table, column));
    }
    let without = if facts.without_rowid { " WITHOUT ROWID" } else { "" };
    let _ = write!(sql, "CREATE TABLE {} ({columns}{primary}{unique}){without};", table.name());
    if facts.age_indexed {
        let _ =
            write!(sql, "CREATE INDEX {0}_at ON {0} (at); CREATE INDEX {0}_expires ON {0} (expires_at);", table.name());
    }
}

fn foreign_key(link: Option<Link>, spec: &Spec, table: Table, column: &str) -> String {
    let Some(parent) = parent_of(table) else { return String::new() };
    let action = match link.map(|link| link.key) {
        None | Some(ForeignKey::None) => return String::new(),
        Some(ForeignKey::Plain) => "",
        Some(ForeignKey::Cascade) => " ON DELETE CASCADE",
        Some(ForeignKey::SetNull) => " ON DELETE SET NULL",
    };
    let parent = parent.name();
    match table == Table::Shot && points_by_both(spec) {
        true => format!(", pa INTEGER, pb VARCHAR(20), FOREIGN KEY (pa, pb) REFERENCES {parent} (a, b){action}"),
        false => format!(", FOREIGN KEY (parent) REFERENCES {parent} ({column}){action}"),
    }
}

fn parent_of(table: Table) -> Option<Table> {
    match table {
        Table::Job => None,
        Table::Shot | Table::Lease => Some(Table::Job),
        Table::Mark => Some(Table::Shot),
    }
}

fn link_of(spec: &Spec, table: Table) -> Option<Link> {
    match table {
        Table::Shot => Some(spec.shots),
        Table::Mark => Some(spec.marks),
        Table::Job | Table::Lease => None,
    }
}

/// The values of a row's key.
fn key(key: Key, num: usize, kind: EngineKind) -> Vec<(&'static str, String)> {
    match key {
        Key::Integer => vec![("id", num.to_string())],
        Key::Text => vec![("id", format!("'k{num}'"))],
        Key::Uuid => vec![("id", format!("'00000000-0000-4000-8000-{num:012}'"))],
        Key::Binary if kind == EngineKind::Postgres => vec![("id", format!("'\\x{num:08}'"))],
        Key::Binary => vec![("id", format!("x'{num:08}'"))],
        Key::Composite => vec![("a", (num % 3).to_string()), ("b", format!("'b{num}'"))],
        Key::None => vec![],
    }
}

/// A row's number, from how a listing shows its key.
pub fn number(key: Key, shown: &str) -> u64 {
    let text = match key {
        Key::Integer => shown.to_owned(),
        Key::Text => shown.trim_start_matches('k').to_owned(),
        Key::Uuid => shown.rsplit('-').next().expect("a part").to_owned(),
        Key::Binary => shown.to_owned(),
        Key::Composite => array(shown)[1].trim_start_matches('b').to_owned(),
        Key::None if shown.starts_with('[') => array(shown)[0].clone(),
        // SQLite numbers rows by itself, in the order in which they come.
        Key::None => shown.to_owned(),
    };
    text.parse().unwrap_or_else(|_| panic!("{key:?} {shown}"))
}

fn array(shown: &str) -> Vec<String> {
    let values: Vec<Option<String>> = serde_json::from_str(shown).expect("an array");
    values.into_iter().map(Option::unwrap_or_default).collect()
}

fn insert(spec: &Spec, table: Table, world: &World, sql: &mut String) {
    let facts = spec.table(table);
    for (index, row) in facts.rows.iter().enumerate() {
        let num = index + 1;
        let mut values = vec![("num", num.to_string())];
        values.extend(key(facts.key, num, world.db.kind()));
        values.extend(plain_values(spec, table, row, world));
        values.extend(pointing_values(spec, table, row, world.db.kind()));
        let (columns, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let _ = write!(sql, "INSERT INTO {} ({}) VALUES ({});", table.name(), columns.join(", "), values.join(", "));
    }
}

fn plain_values(spec: &Spec, table: Table, row: &Row, world: &World) -> Vec<(&'static str, String)> {
    let text = |text: Option<&str>| text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
    let times = spec.table(table).times;
    let instant = |days: Option<f64>| match (days, times) {
        (None, Times::Texts) => "'soon'".to_owned(),
        (None, _) => "NULL".to_owned(),
        (Some(days), Times::Instants) => world.days_ago(days),
        (Some(days), _) => {
            let at = world.clock.now() - jiff::SignedDuration::from_secs((days * 86_400.0) as i64);
            match times {
                Times::Seconds => at.as_second().to_string(),
                Times::Milliseconds => at.as_millisecond().to_string(),
                Times::Instants | Times::Texts => format!("'{at}'"),
            }
        }
    };
    let store = spec.column_store(table).unwrap_or(Store::Images);
    let root = world.root(store.name()).display().to_string();
    let state = if row.is_new { "new" } else { "done" };
    vec![
        ("at", instant(AGES[row.age])),
        ("expires_at", instant(EXPIRES[row.expires])),
        ("kind", text(KINDS[row.kind])),
        ("flag", row.flag.to_string()),
        ("state", text(Some(state))),
        ("file", text(value(store, row.file, &root).written.as_deref())),
    ]
}

fn pointing_values(spec: &Spec, table: Table, row: &Row, kind: EngineKind) -> Vec<(&'static str, String)> {
    let Some(parent) = parent_of(table) else { return vec![] };
    let rows = spec.table(parent).rows.len();
    // One in so many points to nothing; without a foreign key one more points to nowhere.
    let pick = |drawn: usize| drawn % (rows + 1);
    let facts = spec.table(parent);
    let point = |num: usize| match (num, table) {
        (0, _) => "NULL".to_owned(),
        (num, Table::Lease) => num.to_string(),
        (num, _) if facts.key.is_pointed_to() => key(facts.key, num, kind).remove(0).1,
        (num, _) => num.to_string(),
    };
    if table == Table::Shot && points_by_both(spec) {
        return match pick(row.parent) {
            0 => vec![],
            num => vec![("pa", (num % 3).to_string()), ("pb", format!("'b{num}'"))],
        };
    }
    vec![("parent", point(pick(row.parent))), ("other", point(pick(row.other)))]
}

/// Files 2 to 6 are there; the others are missing already. Rows whose number is no multiple of four have a directory.
fn put_files(spec: &Spec, world: &World) {
    for store in [Store::Thumbs, Store::Images] {
        (2..=6).for_each(|n| world.put(store.name(), &format!("f{n}.bin"), n));
        world.put(store.name(), "d/g.bin", 7);
    }
    for table in [Table::Job, Table::Shot, Table::Mark] {
        let facts = spec.table(table);
        let owned = facts.files.iter().any(|owner| !matches!(owner, Owner::Column(_)));
        let most = if owned { facts.rows.len() } else { 3 };
        for num in (1..=most).filter(|num| num % 4 != 0) {
            for (file, size) in [("preview", 1), ("a", 10), ("b/c", 100)] {
                world.put("images", &format!("{}-{num}/{file}", table.name()), size);
            }
        }
    }
}

impl Spec {
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

/// The name of a policy.
pub fn policy_name(index: usize, policy: &Policy) -> String {
    format!("p{index}-{}", policy.on.name())
}

fn toml(spec: &Spec, index: usize, policy: &Policy) -> String {
    let mut toml = format!(
        "[policies.{}]\nkind = \"rows\"\nsource = \"app\"\ntable = \"{}\"\nbatch = {}\n",
        policy_name(index, policy),
        policy.on.name(),
        policy.batch
    );
    let mut line = |text: String| toml.push_str(&(text + "\n"));
    match (policy.time, spec.table(policy.on).times) {
        (Time::None, _) | (_, Times::Instants | Times::Texts) => {}
        (_, Times::Seconds) => line("age_format = \"unix\"".to_owned()),
        (_, Times::Milliseconds) => line("age_format = \"unix_ms\"".to_owned()),
    }
    match policy.time {
        Time::None => {}
        Time::Keep(days) => line(format!("age = \"at\"\nkeep = \"{days}d\"")),
        Time::Expires(None) => line("expires = \"expires_at\"".to_owned()),
        Time::Expires(Some(days)) => line(format!("expires = \"expires_at\"\ngrace = \"{days}d\"")),
        Time::ByValue { default } => {
            let default = if default { ", default = \"10d\"" } else { "" };
            line(format!(
                "age = \"at\"\nkeep = {{ column = \"kind\", values = {{ a = \"5d\", b = \"30d\" }}{default} }}"
            ));
        }
    }
    let conditions = [policy.condition, (policy.action == Action::Literal).then_some("state = 'new'")];
    let conditions: Vec<_> = conditions.into_iter().flatten().map(|sql| format!("({sql})")).collect();
    if !conditions.is_empty() {
        line(format!("where = \"{}\"", conditions.join(" AND ")));
    }
    match policy.protected_by {
        Some(Table::Lease) => line(
            "protected_by = [{ table = \"lease\", on = \"lease.parent = job.num\", where = \"lease.flag > 0\" }]"
                .to_owned(),
        ),
        Some(_) => line(format!(
            "protected_by = [{{ table = \"shot\", on = \"shot.parent = job.{}\", where = \"shot.flag = 1\" }}]",
            if spec.table(Table::Job).key.is_pointed_to() { "id" } else { "num" }
        )),
        None => {}
    }
    match policy.alive {
        Alive::None => {}
        Alive::Sql => line("alive = { sql = \"flag = 2\" }".to_owned()),
        Alive::Command => {
            line("alive = { command = [\"/usr/bin/test\", \"{flag}\", \"-eq\", \"2\"] }".to_owned());
        }
    }
    match policy.action {
        Action::Delete => {}
        Action::Literal => line(update("state = \"expired\", ")),
        Action::Null => line(update("file = { sql = \"NULL\" }, ")),
        Action::Plain => line(update("")),
    }
    line(format!("files = [{}]", files(spec, policy.on, policy.action)));
    if policy.declares_children && policy.action == Action::Delete {
        line(format!("children = [{}]", children(spec, policy.on).join(", ")));
    }
    if policy.reports {
        line("mode = \"report\"".to_owned());
    }
    if policy.shows {
        line("details = [\"num\", \"kind\"]".to_owned());
    }
    toml
}

fn update(set: &str) -> String {
    format!("action = \"update\"\nset = {{ {set}touched = {{ sql = \"touched + 1\" }} }}")
}

fn files(spec: &Spec, table: Table, action: Action) -> String {
    let name = table.name();
    let files = spec.files_of(table, action).into_iter().map(|owner| match owner {
        Owner::Column(store) => format!("{{ store = \"{}\", column = \"file\" }}", store.name()),
        Owner::Preview => format!("{{ store = \"images\", path = \"{name}-{{num}}/preview\" }}"),
        Owner::Directory => format!("{{ store = \"images\", path = \"{name}-{{num}}\", directory = true }}"),
    });
    files.collect::<Vec<_>>().join(", ")
}

fn children(spec: &Spec, table: Table) -> Vec<String> {
    let entry = |child: Table, column: &str, declared: Option<OnDelete>| -> Option<String> {
        let references = match spec.table(table).key.is_pointed_to() {
            true => "",
            false => ", references = \"num\"",
        };
        let on_delete = match declared? {
            OnDelete::Delete => "delete",
            OnDelete::SetNull => "set-null",
            OnDelete::KeepParent => "keep-parent",
        };
        let below = match declared? {
            OnDelete::Delete => format!(
                ", files = [{}], children = [{}]",
                files(spec, child, Action::Delete),
                children(spec, child).join(", ")
            ),
            OnDelete::SetNull | OnDelete::KeepParent => String::new(),
        };
        Some(format!(
            "{{ table = \"{}\", column = \"{column}\", on_delete = \"{on_delete}\"{references}{below} }}",
            child.name()
        ))
    };
    match table {
        Table::Job => [entry(Table::Shot, "parent", spec.shots.declared), entry(Table::Shot, "other", spec.others)]
            .into_iter()
            .flatten()
            .collect(),
        Table::Shot => entry(Table::Mark, "parent", spec.marks.declared).into_iter().collect(),
        Table::Mark | Table::Lease => vec![],
    }
}

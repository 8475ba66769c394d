//! Makes the tables, in the words of an engine.

use std::fmt::Write;

use crate::engines::EngineKind;
use crate::rows::generated::spec::{ForeignKey, Key, Link, Spec, Table, Times};

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

/// Whether shots point to jobs by both columns of their key.
pub fn points_by_both(spec: &Spec) -> bool {
    let by_itself = spec.shots.key == ForeignKey::Cascade && spec.shots.declared.is_none();
    let declared = spec.by_both && spec.shots.declared.is_some();
    (by_itself || declared) && spec.table(Table::Job).key == Key::Composite
}

pub fn create(spec: &Spec, table: Table, kind: EngineKind, sql: &mut String) {
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
        (Times::Seconds | Times::Milliseconds | Times::Microseconds | Times::Nanoseconds, _) => "BIGINT",
        (Times::Floats, _) => "DOUBLE PRECISION",
        (Times::Decimals, _) => "NUMERIC(20, 6)",
        (Times::Instants, EngineKind::Postgres) => "timestamptz",
        (Times::Instants, EngineKind::Sqlite) => "TIMESTAMP",
        (Times::Instants, _) => "datetime(6)",
    };
    // What may be NULL is unique, so that children can point to it, and still no key.
    let number = if facts.key == Key::None { "INTEGER" } else { "INTEGER NOT NULL" };
    let file = match (facts.binary_file, kind) {
        (false, _) => "VARCHAR(300)",
        (true, EngineKind::Postgres) => "bytea",
        (true, EngineKind::Sqlite) => "BLOB",
        (true, _) => "VARBINARY(300)",
    };
    // A table without a key is told by all its columns, so the number comes first.
    let mut columns = format!(
        "num {number}, {key}at {at} NULL, expires_at {at} NULL, kind VARCHAR(10), flag INTEGER NOT NULL, \
         state VARCHAR(10) NOT NULL, file {file}, touched INTEGER NOT NULL DEFAULT 0"
    );
    if let Some(parent) = parent_of(table) {
        let (kind, column) = match table {
            Table::Lease => ("INTEGER", "num"),
            _ => pointed(spec, parent, kind),
        };
        let _ = write!(columns, ", parent {kind}, other {kind}");
        if table == Table::Shot && points_by_both(spec) {
            columns.push_str(", pa INTEGER, pb VARCHAR(20)");
        }
        let _ = write!(columns, "{}", foreign_key(link_of(spec, table), spec, table, column));
    }
    if let (Table::Job, Some(action)) = (table, spec.previous) {
        let (kind, column) = pointed(spec, Table::Job, kind);
        let _ = write!(columns, ", previous {kind}");
        if let Some(action) = on_delete(action) {
            let _ = write!(columns, ", FOREIGN KEY (previous) REFERENCES job ({column}){action}");
        }
    }
    let without = if facts.without_rowid && kind == EngineKind::Sqlite { " WITHOUT ROWID" } else { "" };
    let _ = write!(sql, "CREATE TABLE {} ({columns}{primary}, UNIQUE (num)){without};", table.name());
    if facts.age_indexed {
        let _ =
            write!(sql, "CREATE INDEX {0}_at ON {0} (at); CREATE INDEX {0}_expires ON {0} (expires_at);", table.name());
    }
}

fn foreign_key(link: Option<Link>, spec: &Spec, table: Table, column: &str) -> String {
    let Some(parent) = parent_of(table) else { return String::new() };
    let Some(action) = link.and_then(|link| on_delete(link.key)) else { return String::new() };
    let parent = parent.name();
    match table == Table::Shot && points_by_both(spec) {
        true => format!(", FOREIGN KEY (pa, pb) REFERENCES {parent} (a, b){action}"),
        false => format!(", FOREIGN KEY (parent) REFERENCES {parent} ({column}){action}"),
    }
}

pub fn parent_of(table: Table) -> Option<Table> {
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

/// What a foreign key says of rows that point to a deleted one; none: there is no key.
fn on_delete(key: ForeignKey) -> Option<&'static str> {
    match key {
        ForeignKey::None => None,
        ForeignKey::Plain => Some(""),
        ForeignKey::Cascade => Some(" ON DELETE CASCADE"),
        ForeignKey::SetNull => Some(" ON DELETE SET NULL"),
    }
}

/// Makes the trigger that lets some rows of a table never go, each engine's usual one.
pub fn guard(spec: &Spec, table: Table, kind: EngineKind, sql: &mut String) {
    if spec.veto != Some(table) {
        return;
    }
    let name = table.name();
    let _ = match kind {
        EngineKind::Postgres => write!(
            sql,
            "CREATE OR REPLACE FUNCTION veto() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN IF OLD.flag = 1 THEN RETURN NULL; END IF; RETURN OLD; END'; \
             CREATE TRIGGER veto BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION veto();"
        ),
        EngineKind::Sqlite => write!(
            sql,
            "CREATE TRIGGER veto BEFORE DELETE ON {name} WHEN OLD.flag = 1 BEGIN SELECT RAISE(IGNORE); END;"
        ),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => write!(
            sql,
            "CREATE TRIGGER veto BEFORE DELETE ON {name} FOR EACH ROW \
             IF OLD.flag = 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'this row stays'; END IF;"
        ),
    };
}

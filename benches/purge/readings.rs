//! The table that is purged, its rows, and the policy for them.

use super::layout::Layout;
use crate::engines::{Database, EngineKind};

const DAY_SECS: u64 = 86_400;
/// Days over which old rows are spread, and young ones.
const SPAN_DAYS: u64 = 29;

/// Makes a table. Its old rows lie between 60 and 31 days back, the others between 29 days and now, both evenly.
pub fn fill(database: &Database, table: &str, layout: Layout, rows: u64, old_rows: u64, now_secs: u64) {
    let kind = database.kind();
    let (id, age, payload) = match kind {
        EngineKind::Postgres => ("bigserial PRIMARY KEY", "timestamptz", "repeat(md5(n::text), 3)"),
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => {
            ("BIGINT AUTO_INCREMENT PRIMARY KEY", "DATETIME", "REPEAT(MD5(n), 3)")
        }
        EngineKind::Sqlite => ("INTEGER PRIMARY KEY", "TIMESTAMP", "hex(randomblob(48))"),
    };
    database
        .execute(&format!("CREATE TABLE {table} (id {id}, recorded_at {age} NOT NULL, payload VARCHAR(200) NOT NULL)"));
    let divide = if kind.is_mysql() { "DIV" } else { "/" };
    let (place, span_secs) = (layout.place(rows), SPAN_DAYS * DAY_SECS);
    let spread = |start_secs: u64, first: u64, count: u64| {
        format!("{start_secs} + ({place} - {first}) * {span_secs} {divide} {}", count.max(1))
    };
    let at = database.instant(&format!(
        "CASE WHEN {place} <= {old_rows} THEN {} ELSE {} END",
        spread(now_secs - 60 * DAY_SECS, 1, old_rows),
        spread(now_secs - span_secs, old_rows + 1, rows - old_rows)
    ));
    database.insert_series(&format!("{table} (recorded_at, payload)"), &format!("{at}, {payload}"), 1..=rows);
    database.execute(&format!("CREATE INDEX {table}_recorded_at ON {table} (recorded_at)"));
}

/// Lets the engine do at once what it would do in the background.
pub fn settle(database: &Database, table: &str) {
    let mut client = match database.kind() {
        EngineKind::Postgres => database.connect_as_superuser(),
        _ => database.connect(),
    };
    let statements = match database.kind() {
        EngineKind::Postgres => vec![format!("VACUUM ANALYZE {table}"), "CHECKPOINT".to_owned()],
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => vec![format!("ANALYZE TABLE {table}")],
        EngineKind::Sqlite => vec!["ANALYZE".to_owned()],
    };
    for statement in statements {
        // ANALYZE TABLE answers with rows: `query` takes any statement.
        client.query(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// SQL: what is true of old rows.
pub fn old(database: &Database, now_secs: u64) -> String {
    format!("recorded_at < {}", database.instant(&(now_secs - 30 * DAY_SECS).to_string()))
}

/// A policy for the table of source `bench`, of its name, with the keys that it must have.
pub fn policy(table: &str) -> String {
    format!(
        "[policies.{table}]\nkind = \"rows\"\nsource = \"bench\"\ntable = \"{table}\"\nage = \"recorded_at\"\nkeep = \"30d\"\n"
    )
}

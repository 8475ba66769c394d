//! What may keep rows back without an error: triggers that are asked before a row goes, and rules in place of a deletion.

use crate::policy::{Engine, Ident, TableName};
use crate::sources::{Session, SourceError, Sql};

/// A trigger or rule that may keep a row as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Veto {
    pub table: TableName,
    /// "trigger" or "rule".
    pub kind: &'static str,
    pub name: String,
}

impl std::fmt::Display for Veto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} of {}", self.kind, self.name, self.table.table)
    }
}

impl Veto {
    /// Those of a table whose rows are deleted, or updated; of MySQL as far as the login may see them.
    pub(crate) async fn load(
        session: &mut Session,
        table: &TableName,
        updates: bool,
    ) -> Result<Vec<Veto>, SourceError> {
        let mut sql = session.sql();
        match session.engine() {
            Engine::Postgres => push_postgres(&mut sql, table, updates),
            Engine::MySql => push_mysql(&mut sql, table, updates),
            Engine::Sqlite => push_sqlite(&mut sql, table, updates),
        }
        let rows = session.query(&format!("looking up the triggers of {table}"), &sql).await?;
        let veto = |row: crate::sources::TextRow| {
            let mut cells = row.0.into_iter();
            let (kind, name) = (cells.next().flatten()?, cells.next().flatten()?);
            let kind = if kind == "rule" { "rule" } else { "trigger" };
            Some(Veto { table: table.clone(), kind, name })
        };
        Ok(rows.into_iter().filter_map(veto).collect())
    }
}

fn push_postgres(sql: &mut Sql, table: &TableName, updates: bool) {
    // Bits of tgtype: 1 for each row, 2 before, 8 on delete, 16 on update. Of ev_type: 2 update, 4 delete.
    let (bit, event) = if updates { (16, 2) } else { (8, 4) };
    let schema = table.schema.as_ref().map(Ident::to_string);
    sql.push(
        "SELECT found.kind, found.name FROM (SELECT t.tgrelid AS relation, 'trigger' AS kind, t.tgname::text AS name \
         FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3 AND t.tgtype & ",
    );
    sql.push(&format!("{bit} <> 0 UNION ALL SELECT r.ev_class, 'rule', r.rulename::text FROM pg_rewrite r WHERE "));
    sql.push(&format!("r.ev_type = '{event}' AND r.is_instead AND r.ev_enabled IN ('O', 'A')) AS found "));
    sql.push(
        "JOIN pg_class c ON c.oid = found.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ",
    );
    sql.bind(table.table.to_string()).push(" AND n.nspname = ").bind(schema);
    sql.push(" ORDER BY found.kind, found.name");
}

fn push_mysql(sql: &mut Sql, table: &TableName, updates: bool) {
    sql.push("SELECT 'trigger', trigger_name FROM information_schema.triggers WHERE action_timing = 'BEFORE' AND ");
    sql.push(if updates { "event_manipulation = 'UPDATE'" } else { "event_manipulation = 'DELETE'" });
    sql.push(" AND event_object_table = ").bind(table.table.to_string()).push(" AND event_object_schema = ");
    sql.bind(table.schema.as_ref().map(Ident::to_string)).push(" ORDER BY trigger_name");
}

fn push_sqlite(sql: &mut Sql, table: &TableName, updates: bool) {
    // Only the text says what a trigger is for; one that raises nothing keeps nothing back.
    sql.push("SELECT 'trigger', name FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ");
    sql.bind(table.table.to_string()).push(" COLLATE NOCASE AND sql LIKE '%RAISE%' AND sql LIKE ");
    sql.bind(if updates { "%UPDATE%" } else { "%DELETE%" }.to_owned()).push(" ORDER BY name");
}

//! Triggers that are asked before a row goes, and rules in place of a deletion: both may keep rows back without an
//! error.

use crate::policy::{Ident, TableName};
use crate::sources::{Session, SourceError};

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
        sql.template(sql.traits().vetoes, |sql, hole| {
            match hole {
                "event" => sql.push(if updates { "UPDATE" } else { "DELETE" }),
                "table" => sql.bind(table.table.to_string()),
                _ => sql.bind(table.schema.as_ref().map(Ident::to_string)),
            };
        });
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

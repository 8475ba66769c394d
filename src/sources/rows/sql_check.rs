//! Questions that `check` asks of a policy beside whether it fits: the database parses the operator's SQL part by part
//! and looks at no row.

use jiff::Timestamp;

use super::detail::Computed;
use super::target::{Protecting, Target};
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

/// A part that the database does not accept.
#[derive(Debug)]
pub struct Refused {
    /// The key of the configuration, and the table where there are several.
    pub part: String,
    pub error: SourceError,
}

impl Target {
    /// Parts of the operator's SQL that the database does not accept. A login that may not do what a part does is no
    /// fault of the part. May be asked at any time; looks at no row.
    pub async fn refused_parts(&self, session: &mut Session) -> Vec<Refused> {
        let at = Instants::new(Timestamp::UNIX_EPOCH, Some(Timestamp::UNIX_EPOCH));
        let mut refused = Vec::new();
        for (part, sql) in self.parts(at) {
            match session.query(&format!("asking whether {part} can be read"), &sql).await {
                Ok(_) => {}
                Err(error)
                    if matches!(error.kind, ErrorKind::Permission | ErrorKind::ReadOnly) && part.starts_with("set") => {
                }
                Err(error) => refused.push(Refused { part, error }),
            }
        }
        refused
    }

    /// True if a run locks rows of the policy's table before it changes them, for which PostgreSQL wants UPDATE of
    /// whoever only deletes.
    pub fn locks_rows_first(&self) -> bool {
        let asks = self.node.takes_others_along() || self.asks_other_rows() || self.is_tree();
        self.traits().locks_rows && self.has_key() && asks
    }

    fn parts(&self, at: Instants) -> Vec<(String, Sql)> {
        let mut parts = Vec::new();
        for (part, condition) in [("where", &self.condition), ("alive", &self.alive)] {
            if let Some(condition) = condition {
                let sql = self.looking(|sql| push_condition(sql, condition, at, &self.bound));
                parts.push((part.to_owned(), sql));
            }
        }
        let (before, behind) = self.traits().json_array;
        for (name, what) in &self.computed {
            if let Computed::Sql(fragment) = what {
                let sql = self.looking(|sql| {
                    sql.push(before).with(|sql| push_condition(sql, fragment, at, &self.bound)).push(behind);
                    sql.push(" IS NOT NULL");
                });
                parts.push((format!("details {name}"), sql));
            }
        }
        for (index, Protecting { table, .. }) in self.protections.iter().enumerate() {
            let sql = self.looking(|sql| {
                sql.push("EXISTS (SELECT 1").with(|sql| self.push_protecting(sql, at, index, &[])).push(")");
            });
            parts.push((format!("protected_by of {table}"), sql));
        }
        if !self.updates() && self.traits().compiles_deletions {
            for node in self.node.and_those_below() {
                let mut sql = Sql::new(self.engine);
                sql.push("EXPLAIN DELETE FROM ").table(&node.table).push(" WHERE 1 = 0");
                parts.push((format!("delete {}", node.table.table), sql));
            }
        }
        if self.updates() {
            let mut sql = Sql::new(self.engine);
            sql.push("EXPLAIN ").append(&self.changing(at)).push("1 = 0");
            parts.push(("set".to_owned(), sql));
        }
        parts
    }

    fn looking(&self, condition: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").push(self.traits().one).push(" FROM ").table(&self.node.table).push(" WHERE ");
        condition(&mut sql);
        sql.push(" LIMIT 0");
        sql
    }
}

//! Counting, listing and changing the eligible rows of a window. Every statement carries the whole eligibility (G2).

use super::assumed_gone::{Gone, push_remaining};
use super::node::{Node, OwnedRow};
use super::scope::{Counted, Scope};
use super::target::Target;
use super::window::Window;
use crate::policy::Engine;
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

impl Target {
    /// Counts the eligible rows that are not gone, no further than `limit`.
    pub async fn count(
        &self,
        session: &mut Session,
        at: Instants,
        limit: Option<u64>,
        gone: &[Gone],
    ) -> Result<u64, SourceError> {
        let sql = self.counting(limit, |sql| self.push_counted(sql, at, Counted::Eligible, gone));
        number(session, &format!("counting the eligible rows of {}", self.node.table), &sql).await
    }

    /// Counts the eligible rows of a window.
    pub async fn count_in(&self, session: &mut Session, at: Instants, window: &Window) -> Result<u64, SourceError> {
        let sql = self.counting(None, |sql| self.push_scope(sql, at, Scope::window(window), &[]));
        number(session, &format!("counting the eligible rows of a batch of {}", self.node.table), &sql).await
    }

    /// Counts the rows that would be eligible if nothing kept them: protections, children, or their work going on.
    pub async fn count_kept(&self, session: &mut Session, at: Instants, gone: &[Gone]) -> Result<u64, SourceError> {
        if !self.can_be_kept() {
            return Ok(0);
        }
        let sql = self.counting(None, |sql| self.push_counted(sql, at, Counted::Kept, gone));
        number(session, &format!("counting the rows of {} that something keeps", self.node.table), &sql).await
    }

    /// Counts all rows of the table.
    pub async fn count_all(&self, session: &mut Session) -> Result<u64, SourceError> {
        let sql = self.counting(None, |sql| {
            sql.push("1 = 1");
        });
        number(session, &format!("counting the rows of {}", self.node.table), &sql).await
    }

    /// Writes the condition of rows that are counted, those that are gone left out.
    pub(crate) fn push_counted(&self, sql: &mut Sql, at: Instants, counted: Counted, gone: &[Gone]) {
        match (counted, &self.condition) {
            (Counted::Eligible, _) => self.push_eligible(sql, at, gone),
            (Counted::Kept, _) => self.push_kept(sql, at, gone),
            (Counted::InScope, Some(condition)) => {
                sql.push("(").with(|sql| push_condition(sql, condition, at, &self.bound)).push(")");
                return;
            }
            (Counted::InScope, None) => {
                sql.push("1 = 1");
                return;
            }
        }
        self.push_open_ends(sql, at, true, true);
        push_remaining(sql, gone, &self.source, &self.node.table);
    }

    pub(crate) fn counting(&self, limit: Option<u64>, condition: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").push(self.traits().count).push(" FROM ");
        if limit.is_some() {
            sql.push("(SELECT 1 AS one FROM ");
        }
        sql.table(&self.node.table).push(" WHERE ");
        condition(&mut sql);
        if let Some(limit) = limit {
            sql.push(&format!(" LIMIT {limit}) AS counted"));
        }
        sql
    }

    /// Lists the eligible rows of a scope that are not gone, at most `limit`, in the order of the key.
    pub async fn list(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
        gone: &[Gone],
        limit: Option<u32>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let mut sql = self.node.selecting(self.engine);
        self.push_scope(&mut sql, at, scope, gone);
        push_remaining(&mut sql, gone, &self.source, &self.node.table);
        if self.has_key() {
            sql.push(" ORDER BY ").with(|sql| self.node.key.push_order(sql, &self.node.table));
        }
        if let Some(limit) = limit {
            sql.push(&format!(" LIMIT {limit}"));
        }
        self.node.rows(session, &format!("listing a batch of {}", self.node.table), &sql).await
    }

    /// Deletes or updates in one statement of its own; how many rows.
    pub async fn change(&self, session: &mut Session, at: Instants, scope: Scope<'_>) -> Result<u64, SourceError> {
        let mut sql = self.changing(at);
        self.push_scope(&mut sql, at, scope, &[]);
        session.execute(&self.doing(), &sql).await
    }

    /// The beginning of the statement that deletes or updates, up to its condition.
    pub(crate) fn changing(&self, at: Instants) -> Sql {
        let mut sql = Sql::new(self.engine);
        match self.updates() {
            true => {
                sql.push("UPDATE ").table(&self.node.table).push(" SET ").with(|sql| self.push_set(sql, at));
            }
            false => {
                sql.push("DELETE FROM ").table(&self.node.table);
            }
        }
        sql.push(" WHERE ");
        sql
    }

    pub(crate) fn push_scope(&self, sql: &mut Sql, at: Instants, scope: Scope<'_>, gone: &[Gone]) {
        self.push_eligible(sql, Instants { above_floor: scope.window.is_above_floor(), ..at }, gone);
        self.push_window(sql, at, scope.window);
        if let Some(keys) = scope.keys {
            sql.push(" AND ").with(|sql| self.node.key.push_among(sql, keys));
        }
    }

    /// The operation in words, for an error.
    pub(crate) fn doing(&self) -> String {
        match self.updates() {
            true => format!("updating a batch of {}", self.node.table),
            false => format!("deleting a batch of {}", self.node.table),
        }
    }
}

impl Node {
    /// The beginning of a question for whole rows, up to its condition.
    pub(crate) fn selecting(&self, engine: Engine) -> Sql {
        let mut sql = Sql::new(engine);
        sql.push("SELECT ").with(|sql| self.push_returned(sql)).push(" FROM ").table(&self.table).push(" WHERE ");
        sql
    }

    pub(crate) async fn rows(
        &self,
        session: &mut Session,
        operation: &str,
        sql: &Sql,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let rows = session.query(operation, sql).await?;
        Ok(rows.into_iter().map(|row| self.read(row.0)).collect())
    }
}

pub(crate) async fn number(session: &mut Session, operation: &str, sql: &Sql) -> Result<u64, SourceError> {
    let number = session.single(operation, sql).await?.and_then(|text| text.parse().ok());
    // A count that cannot be read must never pass for "nothing": a guard stands on it.
    let unread =
        || SourceError::new(session.source_name(), operation, ErrorKind::Other, "the server answered no number");
    number.ok_or_else(unread)
}

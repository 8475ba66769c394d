//! Rows that a policy leaves alone because they cannot be judged, and values that nobody foresaw.

use super::gone::{Gone, push_remaining};
use super::node::OwnedRow;
use super::rows::number;
use super::target::{Instants, Target};
use super::{Session, SourceError, Sql};

/// Values that a note names at most.
const VALUES_AT_MOST: usize = 20;

/// A row whose age cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The row's key, as people read it.
    pub key: String,
    /// What its age column holds; of a long text the beginning.
    pub value: String,
}

impl Target {
    /// The name of the age column.
    pub fn age_column(&self) -> Option<String> {
        self.age.as_ref().map(|age| age.term.name())
    }

    /// Rows that `where` includes, that are not gone, and whose age is there and cannot be read: how many, and the first
    /// `limit` of them.
    pub async fn unreadable(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
        limit: usize,
    ) -> Result<(u64, Vec<Unreadable>), SourceError> {
        let Some(condition) = self.unreadable_condition(at, gone) else { return Ok((0, Vec::new())) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ");
        self.node.push_returned(&mut sql);
        sql.push(", ");
        if let Some(age) = &self.age {
            age.push_instant_text(&mut sql);
        }
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ").append(&condition).push(&format!(" LIMIT {limit}"));
        let operation = format!("looking for ages in {} that cannot be read", self.node.table);
        let rows = session.query(&operation, &sql).await?;
        let found: Vec<_> = rows.into_iter().map(|row| self.read_unreadable(row.0)).collect();
        if found.len() < limit {
            return Ok((found.len() as u64, found));
        }
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").push(super::rows::count_text(self.engine)).push(" FROM ").table(&self.node.table);
        sql.push(" WHERE ").append(&condition);
        Ok((number(session, &operation, &sql).await?, found))
    }

    fn unreadable_condition(&self, at: Instants, gone: &[Gone]) -> Option<Sql> {
        let mut sql = Sql::new(self.engine);
        sql.push("(");
        if !self.age.as_ref()?.push_unreadable(&mut sql) {
            return None;
        }
        sql.push(")");
        if let Some(condition) = &self.condition {
            sql.push(" AND ");
            super::condition::push_condition(&mut sql, condition, at, &self.bound);
        }
        push_remaining(&mut sql, gone, &self.source, &self.node.table);
        Some(sql)
    }

    fn read_unreadable(&self, mut columns: Vec<Option<String>>) -> Unreadable {
        let value = columns.pop().flatten().unwrap_or_default();
        let OwnedRow { shown, .. } = self.node.read(columns);
        Unreadable { key: shown, value }
    }

    /// Values, of the rows that `where` includes and that are not gone, that decide a row's time and are not listed; NULL
    /// as "NULL".
    pub async fn unlisted_values(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
    ) -> Result<Vec<String>, SourceError> {
        let Some(keep) = &self.keep else { return Ok(Vec::new()) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ");
        keep.term.push_text(&mut sql);
        sql.push(" FROM ").table(&self.node.table).push(" WHERE (");
        self.push_unlisted(&mut sql);
        sql.push(")");
        if let Some(condition) = &self.condition {
            sql.push(" AND ");
            super::condition::push_condition(&mut sql, condition, at, &self.bound);
        }
        push_remaining(&mut sql, gone, &self.source, &self.node.table);
        sql.push(&format!(" ORDER BY 1 LIMIT {VALUES_AT_MOST}"));
        let operation = format!("looking for values of {} that keep does not list", keep.term.name());
        let rows = session.query(&operation, &sql).await?;
        let values = rows.into_iter().map(|row| row.0.into_iter().next().flatten());
        Ok(values.map(|value| value.map_or_else(|| "NULL".to_owned(), |value| format!("{value:?}"))).collect())
    }
}

//! Layout of a table: where the keys of rows of some ages lie, together as in a log, or all over the table, as where the age
//! is that of the last change.

use super::window::Window;
use super::windows::Walker;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, ErrorKind, Session, SourceError, Sql};

/// Number of keys below which it does not matter how a table is walked.
const SMALL: i128 = 50_000;
/// Rows of one window that lie over more than this share of the keys lie all over the table: one in so many.
const APART: i128 = 4;
/// Share of the keys that has to be eligible, for all of them to be walked over: one in so many.
const WORTH: i128 = 20;

impl Walker {
    /// True if a walk along the keys is the faster one, although the age has an index: many rows are eligible, and those of each
    /// window of ages lie all over the table, so that each of its pages would be changed again and again. InnoDB besides takes
    /// four times as long where the oldest rows have the greatest keys, as it goes through its pages backwards then.
    pub(super) async fn is_scattered(&self, session: &mut Session) -> Result<bool, SourceError> {
        match self.scattered(session).await {
            // It is asked for speed alone.
            Err(error) if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Other) => Ok(false),
            scattered => scattered,
        }
    }

    async fn scattered(&self, session: &mut Session) -> Result<bool, SourceError> {
        let target = &self.target;
        let (Some(key), Some(age), Some(cutoff)) = (self.integer_key(), &target.age, self.at.cutoff) else {
            return Ok(false);
        };
        if self.oldest_first || !target.age_indexed || !target.is_walked_by_key() {
            return Ok(false);
        }
        let table = |sql: &mut Sql| {
            sql.table(&target.node.table);
        };
        let Some((least, greatest)) = numbers(self.ends_of_keys(session, key, table).await?) else { return Ok(false) };
        let (all, rows) = (greatest - least, i128::from(self.rows));
        if all < SMALL || all / APART < rows * APART {
            return Ok(false);
        }
        let oldest = |sql: &mut Sql| {
            sql.push("(SELECT ").push(key).push(" FROM ").table(&target.node.table).push(" WHERE ");
            sql.with(|sql| age.push_floor(sql)).push(" AND ").with(|sql| age.push_ceiling(sql, cutoff));
            sql.push(" ORDER BY ").with(|sql| age.term.push_of(sql, &target.node.table));
            sql.push(&format!(" LIMIT {rows}) AS oldest"));
        };
        let Some((from, to)) = numbers(self.ends_of_keys(session, key, oldest).await?) else { return Ok(false) };
        let is_apart = to - from > all / APART;
        let is_backwards = target.traits().clusters_by_key && from - least > all / 2;
        let worth = u64::try_from(all / WORTH).unwrap_or(u64::MAX);
        Ok((is_apart || is_backwards) && self.age_after(session, None, worth).await?.is_some())
    }

    /// The least and the greatest key of a window. MySQL keeps its rows in the order of the key: where rows of one age
    /// lie close together it deletes a range of keys in half the time that it takes to look up each row of an age. It
    /// chooses by itself whether to go by the one or the other.
    pub(super) async fn keys_within(
        &self,
        session: &mut Session,
        window: &Window,
    ) -> Result<Option<(String, String)>, SourceError> {
        let target = &self.target;
        let (Some(key), Some(age), Some(cutoff)) = (self.integer_key(), &target.age, self.at.cutoff) else {
            return Ok(None);
        };
        if !target.traits().clusters_by_key {
            return Ok(None);
        }
        let within = |sql: &mut Sql| {
            sql.table(&target.node.table).push(" WHERE ").with(|sql| age.push_floor(sql));
            sql.push(" AND ").with(|sql| age.push_ceiling(sql, cutoff));
            target.push_window(sql, self.at, window);
        };
        self.ends_of_keys(session, key, within).await
    }

    /// The key of the table, where it is a single integer.
    fn integer_key(&self) -> Option<&Term> {
        match self.target.node.key.0.as_slice() {
            [key] if key.kind() == ColumnType::Integer => Some(key),
            _ => None,
        }
    }

    /// The least and the greatest key of some rows; none where there are none.
    async fn ends_of_keys(
        &self,
        session: &mut Session,
        key: &Term,
        push_rows: impl FnOnce(&mut Sql),
    ) -> Result<Option<(String, String)>, SourceError> {
        let mut sql = Sql::new(self.target.engine);
        for (before, end) in [("SELECT ", "min("), (", ", "max(")] {
            let text = sql.dialect().text(key.typed());
            sql.push(before).template(text, |sql, _| {
                sql.push(end).push(key).push(")");
            });
        }
        push_rows(sql.push(" FROM "));
        let rows = session.query(&format!("finding where keys of {} lie", self.target.node.table), &sql).await?;
        let ends = rows.into_iter().next().and_then(|row| row.0.into_iter().collect::<Option<Vec<_>>>());
        Ok(ends.and_then(|ends| <[String; 2]>::try_from(ends).ok()).map(<(String, String)>::from))
    }
}

fn numbers(ends: Option<(String, String)>) -> Option<(i128, i128)> {
    let (least, greatest) = ends?;
    Some((least.parse().ok()?, greatest.parse().ok()?))
}

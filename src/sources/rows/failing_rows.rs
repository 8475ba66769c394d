//! The operator's SQL may fail on one row: a division by its zero, a text that is no number. Such a row is found by halving
//! the table, and is kept; the others are judged without it.

use super::assumed_gone::Gone;
use super::node::OwnedRow;
use super::statements::number;
use super::target::Target;
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

/// More rows than this are no exceptions.
pub const UNJUDGED_AT_MOST: usize = 1000;
/// Rows that are tried one by one before the halving: where all of them fail, so will the rest.
const TRIED_FIRST: u64 = 16;

/// A row on which the operator's SQL fails.
#[derive(Debug)]
pub struct Unjudged {
    pub row: OwnedRow,
    /// The database's error.
    pub cause: String,
}

/// A part of the table, by its keys: from the first, up to and without the second.
type Range = (Option<Vec<String>>, Option<Vec<String>>);

impl Target {
    /// True if SQL of the operator's decides about rows.
    pub fn has_sql(&self) -> bool {
        self.condition.is_some() || self.alive.is_some() || !self.protections.is_empty()
    }

    /// The target without the rows on which its SQL fails, and these rows. None where it fails on none, or on so many
    /// that something else is wrong.
    pub async fn judging(
        &self,
        session: &mut Session,
        at: Instants,
    ) -> Result<Option<(Target, Vec<Unjudged>)>, SourceError> {
        if !self.has_sql() || !self.is_walked_by_key() || self.node.key.0.iter().any(crate::sources::Term::is_place) {
            return Ok(None);
        }
        let mut judging = Target { unjudged: Some(Vec::new()), ..self.clone() };
        let mut found = Vec::new();
        let mut ranges: Vec<Range> = vec![(None, None)];
        while let Some(range) = ranges.pop() {
            let cause = match judging.try_range(session, at, &range).await {
                Ok(_) => continue,
                Err(error) if error.kind == ErrorKind::Other => error.cause.to_string(),
                Err(error) => return Err(error),
            };
            let rows = judging.count_range(session, at, &range).await?;
            if found.is_empty() && rows > TRIED_FIRST * 4 && judging.fails_on_all(session, at, &range, rows).await? {
                return Ok(None);
            }
            match rows {
                0 => return Ok(None),
                1 => {
                    found.extend(judging.row_at(session, at, &range, 0).await?.map(|row| Unjudged { row, cause }));
                    if found.len() > UNJUDGED_AT_MOST {
                        return Ok(None);
                    }
                }
                several => {
                    let middle = judging.row_at(session, at, &range, several / 2).await?.map(|row| row.key);
                    let Some(middle) = middle.filter(|middle| Some(middle) != range.0.as_ref()) else {
                        return Ok(None);
                    };
                    ranges.push((Some(middle.clone()), range.1));
                    ranges.push((range.0, Some(middle)));
                }
            }
        }
        judging.unjudged = Some(found.iter().map(|unjudged: &Unjudged| unjudged.row.key.clone()).collect());
        Ok((!found.is_empty()).then_some((judging, found)))
    }

    async fn try_range(&self, session: &mut Session, at: Instants, range: &Range) -> Result<u64, SourceError> {
        let sql = self.counting(None, |sql| {
            self.push_eligible_alone(sql, at, &[]);
            self.node.key.push_between(sql, range.0.as_deref(), range.1.as_deref());
        });
        number(session, &format!("judging rows of {}", self.node.table), &sql).await
    }

    async fn count_range(&self, session: &mut Session, at: Instants, range: &Range) -> Result<u64, SourceError> {
        let sql = self.counting(None, |sql| self.push_old_within(sql, at, range));
        number(session, &format!("counting rows of {}", self.node.table), &sql).await
    }

    async fn row_at(
        &self,
        session: &mut Session,
        at: Instants,
        range: &Range,
        offset: u64,
    ) -> Result<Option<OwnedRow>, SourceError> {
        let mut sql = self.node.selecting(self.engine);
        sql.with(|sql| self.push_old_within(sql, at, range)).push(" ORDER BY ");
        sql.with(|sql| self.node.key.push_order(sql, &self.node.table)).push(&format!(" LIMIT 1 OFFSET {offset}"));
        let operation = format!("looking for rows of {} that cannot be judged", self.node.table);
        Ok(self.node.rows(session, &operation, &sql).await?.into_iter().next())
    }

    /// True if it fails on each of some rows from all over a range.
    async fn fails_on_all(
        &self,
        session: &mut Session,
        at: Instants,
        range: &Range,
        rows: u64,
    ) -> Result<bool, SourceError> {
        for part in 0..TRIED_FIRST {
            let Some(row) = self.row_at(session, at, range, rows / TRIED_FIRST * part).await? else { return Ok(false) };
            let sql = self.counting(None, |sql| {
                sql.with(|sql| self.push_eligible_alone(sql, at, &[])).push(" AND ");
                self.node.key.push_among(sql, std::slice::from_ref(&row.key));
            });
            match number(session, &format!("judging a row of {}", self.node.table), &sql).await {
                Ok(_) => return Ok(false),
                Err(error) if error.kind == ErrorKind::Other => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn push_old_within(&self, sql: &mut Sql, at: Instants, range: &Range) {
        match self.age.is_some() && at.cutoff.is_some() {
            true => self.push_old(sql, at),
            false => {
                sql.push("1 = 1");
            }
        }
        self.node.key.push_between(sql, range.0.as_deref(), range.1.as_deref());
    }

    /// Writes "the row is old enough, and as `rest` says", so that `rest` is asked of no row that is young or on which it is
    /// known to fail: a database may evaluate the parts of a condition in any order, but not those of a CASE.
    pub(crate) fn push_judged(&self, sql: &mut Sql, at: Instants, rest: impl FnOnce(&mut Sql)) {
        let has_age = self.age.is_some() && at.cutoff.is_some();
        sql.push("(");
        if has_age {
            sql.with(|sql| self.push_old(sql, at)).push(" AND ");
        }
        sql.push("CASE");
        if has_age {
            sql.push(" WHEN (").with(|sql| self.push_old(sql, at)).push(") IS NOT TRUE THEN FALSE");
        }
        if let Some(unjudged) = self.unjudged.as_ref().filter(|keys| !keys.is_empty()) {
            sql.push(" WHEN ").with(|sql| self.node.key.push_among(sql, unjudged)).push(" THEN FALSE");
        }
        if !has_age && self.unjudged.as_ref().is_none_or(Vec::is_empty) {
            sql.push(" WHEN 1 = 0 THEN FALSE");
        }
        sql.push(" ELSE (");
        rest(sql);
        sql.push(") END)");
    }

    /// Writes what `where` says; nothing but the truth where there is none.
    pub(crate) fn push_condition(&self, sql: &mut Sql, at: Instants) {
        match &self.condition {
            Some(condition) => push_condition(sql, condition, at, &self.bound),
            None => {
                sql.push("1 = 1");
            }
        }
    }

    /// Writes "the row would be eligible, and something keeps it".
    pub(crate) fn push_kept(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        let kept = |sql: &mut Sql| {
            sql.push(" AND ").with(|sql| self.push_unkept(sql, at, gone)).push(" IS NOT TRUE");
        };
        if self.unjudged.is_some() {
            return self.push_judged(sql, at, |sql| {
                self.push_condition(sql, at);
                kept(sql);
            });
        }
        self.push_matching(sql, at);
        kept(sql);
    }
}

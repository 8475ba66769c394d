//! Layout of a table by age: whether rows of one age lie together, as in a log, or all over it, as where the age is
//! that of the last change.

use super::windows::Walker;
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
        let by_integer = matches!(target.node.key.0.as_slice(), [key] if key.kind() == ColumnType::Integer);
        if self.oldest_first || !target.age_indexed || !target.is_walked_by_key() || !by_integer {
            return Ok(false);
        }
        let (least, greatest) = self.ends_of_keys(session, None).await?;
        let (all, rows) = (greatest - least, i128::from(self.rows));
        if all < SMALL || all / APART < rows * APART {
            return Ok(false);
        }
        let (from, to) = self.ends_of_keys(session, Some(self.rows)).await?;
        let is_apart = to - from > all / APART;
        let is_backwards = target.traits().clusters_by_key && from - least > all / 2;
        let worth = u64::try_from(all / WORTH).unwrap_or(u64::MAX);
        Ok((is_apart || is_backwards) && self.age_after(session, None, worth).await?.is_some())
    }

    /// The least and the greatest key, of all rows or of so many of the oldest.
    async fn ends_of_keys(&self, session: &mut Session, oldest: Option<u32>) -> Result<(i128, i128), SourceError> {
        let target = &self.target;
        let ([key], Some(age), Some(cutoff)) = (target.node.key.0.as_slice(), &target.age, self.at.cutoff) else {
            return Ok((0, 0));
        };
        let mut sql = Sql::new(target.engine);
        sql.push("SELECT ");
        for (separator, end) in [("", "min("), (", ", "max(")] {
            let text = sql.dialect().text(key.typed());
            sql.push(separator).template(text, |sql, _| {
                sql.push(end).push(key).push(")");
            });
        }
        match oldest {
            None => {
                sql.push(" FROM ").table(&target.node.table);
            }
            Some(rows) => {
                sql.push(" FROM (SELECT ").push(key).push(" FROM ").table(&target.node.table).push(" WHERE ");
                sql.with(|sql| age.push_floor(sql)).push(" AND ").with(|sql| age.push_ceiling(sql, cutoff));
                sql.push(" ORDER BY ").with(|sql| age.term.push_of(sql, &target.node.table));
                sql.push(&format!(" LIMIT {rows}) AS oldest"));
            }
        }
        let rows = session.query(&format!("finding how {} lies", target.node.table), &sql).await?;
        let ends: Option<Vec<i128>> =
            rows.into_iter().next().and_then(|row| row.0.into_iter().map(|end| end?.parse().ok()).collect());
        Ok(ends.map_or((0, 0), |ends| (ends[0], ends[1])))
    }
}

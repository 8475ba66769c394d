//! Rows that could be changed now, for a look in passing: counts that stop early, what the planner expects where
//! counting takes too long, and the oldest eligible row. Never part of a decision.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::scope::Counted;
use super::statements::number;
use super::target::{KeepTerms, Target};
use crate::decide::rows::AgeValue;
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

/// Number of rows of an SQLite table that stand for all.
const SAMPLED: i64 = 500;

/// The eligible row that has waited longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oldest {
    /// Its age, as the column has it.
    pub value: String,
    pub at: Timestamp,
    /// Since when it has been eligible.
    pub eligible_since: Timestamp,
}

/// Rows that share a time to keep.
#[derive(Clone, Copy)]
enum Sharing<'a> {
    All,
    Value(&'a str),
    Unlisted,
}

impl Target {
    /// Counts rows, no further than `limit`.
    pub async fn count_up_to(
        &self,
        session: &mut Session,
        at: Instants,
        counted: Counted,
        limit: Option<u64>,
    ) -> Result<u64, SourceError> {
        if counted == Counted::Kept && !self.can_be_kept() {
            return Ok(0);
        }
        let operation = format!("counting rows of {}", self.node.table);
        number(session, &operation, &self.counting(limit, |sql| self.push_counted(sql, at, counted, &[]))).await
    }

    /// Number of rows that the planner expects; on SQLite, whose planner tells no numbers, what a sample suggests,
    /// where the table has row ids.
    pub async fn estimate(
        &self,
        session: &mut Session,
        at: Instants,
        counted: Counted,
    ) -> Result<Option<u64>, SourceError> {
        let Some(explain) = self.traits().explain else { return self.sample(session, at, counted).await };
        let mut sql = Sql::new(self.engine);
        sql.push(explain).push("SELECT 1 FROM ").table(&self.node.table).push(" WHERE ");
        self.push_counted(&mut sql, at, counted, &[]);
        let plan = session.single(&format!("asking how many rows of {} to expect", self.node.table), &sql).await?;
        let plan = plan.and_then(|plan| serde_json::from_str(&plan).ok());
        Ok(plan.and_then(|plan| expected_rows(&plan, self.node.table.table.as_str())))
    }

    /// Judges one row id, chosen at random, of each of so many equal parts of the table.
    async fn sample(&self, session: &mut Session, at: Instants, counted: Counted) -> Result<Option<u64>, SourceError> {
        let table = &self.node.table;
        let operation = format!("sampling rows of {table}");
        let mut ends = Sql::new(self.engine);
        ends.push("SELECT CAST((SELECT MIN(rowid) FROM ").table(table).push(") AS TEXT), ");
        ends.push("CAST((SELECT MAX(rowid) FROM ").table(table).push(") AS TEXT)");
        let rows = match session.query(&operation, &ends).await {
            // A table without row ids.
            Err(error) if error.kind == ErrorKind::Other => return Ok(None),
            rows => rows?,
        };
        let mut ends = rows.into_iter().flat_map(|row| row.0).map(|end| end?.parse::<i64>().ok());
        let (Some(Some(first)), Some(Some(last))) = (ends.next(), ends.next()) else { return Ok(None) };
        let part = last.saturating_sub(first) / SAMPLED + 1;
        let Some(within) = first.checked_add(part.saturating_mul(SAMPLED)) else { return Ok(None) };
        let mut sql = Sql::new(self.engine);
        sql.push(&format!(
            "WITH RECURSIVE retaind_sample(retaind_from, retaind_rowid) AS ( \
             SELECT {first}, {first} + ABS(RANDOM() % {part}) \
             UNION ALL SELECT retaind_from + {part}, retaind_from + {part} + ABS(RANDOM() % {part}) \
             FROM retaind_sample WHERE retaind_from + {part} < {within}) \
             SELECT CAST(COUNT(*) AS TEXT) FROM retaind_sample CROSS JOIN "
        ));
        sql.table(table).push(" WHERE ").table(table).push(".rowid = retaind_sample.retaind_rowid AND ");
        self.push_counted(&mut sql, at, counted, &[]);
        let found = number(session, &operation, &sql).await?;
        Ok(Some(found.saturating_mul(part.unsigned_abs())))
    }

    /// The eligible row that has waited longest; none where there is none, or where rows have no age.
    pub async fn oldest(&self, session: &mut Session, at: Instants) -> Result<Option<Oldest>, SourceError> {
        let mut found: Vec<Oldest> = Vec::new();
        for (sharing, keep) in self.sharings(at) {
            found.extend(self.oldest_of(session, at, sharing, keep).await?);
        }
        Ok(found.into_iter().min_by_key(|oldest| oldest.eligible_since))
    }

    fn sharings(&self, at: Instants) -> Vec<(Sharing<'_>, Duration)> {
        let (Some(_), Some(cutoff)) = (&self.age, at.cutoff) else { return Vec::new() };
        let Some(KeepTerms { by, .. }) = &self.keep else {
            return vec![(Sharing::All, at.now.duration_since(cutoff).unsigned_abs())];
        };
        let listed = by.values.iter().map(|(value, keep)| (Sharing::Value(value), *keep));
        listed.chain(by.default.map(|keep| (Sharing::Unlisted, keep))).collect()
    }

    async fn oldest_of(
        &self,
        session: &mut Session,
        at: Instants,
        sharing: Sharing<'_>,
        keep: Duration,
    ) -> Result<Option<Oldest>, SourceError> {
        let Some(age) = &self.age else { return Ok(None) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").with(|sql| age.push_instant_text(sql));
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ");
        self.push_counted(&mut sql, at, Counted::Eligible, &[]);
        match (sharing, &self.keep) {
            (Sharing::All, _) | (_, None) => {}
            (Sharing::Value(value), Some(KeepTerms { term, .. })) => {
                sql.push(" AND ").with(|sql| term.push_text(sql)).push(" = ").bind(value.to_owned());
            }
            (Sharing::Unlisted, Some(_)) => {
                sql.push(" AND (").with(|sql| self.push_unlisted(sql)).push(")");
            }
        }
        sql.push(" ORDER BY ").with(|sql| age.term.push_of(sql, &self.node.table)).push(" LIMIT 1");
        let value =
            session.single(&format!("looking for the oldest eligible row of {}", self.node.table), &sql).await?;
        Ok(value.and_then(|value| {
            let AgeValue::At(at) = age.read(&value) else { return None };
            Some(Oldest { value, at, eligible_since: at.checked_add(keep).unwrap_or(Timestamp::MAX) })
        }))
    }
}

/// Rows that a plan expects: what PostgreSQL writes at its top, and MySQL at the table.
fn expected_rows(plan: &Value, table: &str) -> Option<u64> {
    let at_the_top = plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_f64).map(rounded);
    at_the_top.or_else(|| expected_by_mysql(plan, table))
}

/// Rows that MySQL or MariaDB expects a table to yield: those that it reads, and the share of them that it takes. MySQL 9
/// writes its plan as a tree of steps, in which the share is that of the filter right above.
fn expected_by_mysql(plan: &Value, table: &str) -> Option<u64> {
    let mut level = VecDeque::from([(plan, None)]);
    while let Some((value, filtered)) = level.pop_front() {
        match value {
            Value::Object(object) if object.get("table_name").and_then(Value::as_str) == Some(table) => {
                if let Some(yielded) = object.get("estimated_rows").and_then(read_number) {
                    return Some(rounded(filtered.unwrap_or(yielded)));
                }
                let read = ["rows", "rows_examined_per_scan"].iter().find_map(|key| read_number(object.get(*key)?))?;
                let share = object.get("filtered").and_then(read_number).unwrap_or(100.0);
                return Some(rounded(read * share / 100.0));
            }
            Value::Object(object) => {
                let is_filter = object.get("access_type").and_then(Value::as_str) == Some("filter");
                let filters = is_filter.then(|| object.get("estimated_rows").and_then(read_number)).flatten();
                level.extend(object.values().map(|value| (value, filters)));
            }
            Value::Array(items) => level.extend(items.iter().map(|item| (item, filtered))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    None
}

fn read_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn rounded(number: f64) -> u64 {
    number.max(0.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_of_mysql_tell_what_they_expect() {
        let mariadb = serde_json::json!({ "query_block": {
            "select_id": 1,
            "subqueries": [{ "query_block": { "table": { "table_name": "item", "rows": 7, "filtered": 100 } } }],
            "table": { "table_name": "item", "access_type": "range", "rows": 4000, "filtered": 50 }
        } });
        assert_eq!(expected_by_mysql(&mariadb, "item"), Some(2000));
        let mysql = serde_json::json!({ "query_block": { "table": {
            "table_name": "item", "rows_examined_per_scan": 300, "rows_produced_per_join": 99, "filtered": "33.33"
        } } });
        assert_eq!(expected_by_mysql(&mysql, "item"), Some(100));
        assert_eq!(expected_by_mysql(&mysql, "other"), None);
    }

    #[test]
    fn the_steps_of_mysql_9_give_an_estimate() {
        let scan = serde_json::json!({ "table_name": "item", "access_type": "table", "estimated_rows": 900.0 });
        let plan = |step: &Value| serde_json::json!({ "query_plan": step, "json_schema_version": "2.0" });
        assert_eq!(expected_by_mysql(&plan(&scan), "item"), Some(900));
        let filter = |inputs: &[&Value]| serde_json::json!({ "access_type": "filter", "estimated_rows": 36.5, "inputs": inputs, "condition": "…" });
        assert_eq!(expected_by_mysql(&plan(&filter(&[&scan])), "item"), Some(37));
        let join =
            serde_json::json!({ "access_type": "join", "estimated_rows": 5000.0, "inputs": [scan, filter(&[&scan])] });
        assert_eq!(
            expected_by_mysql(&plan(&filter(&[&join])), "item"),
            Some(900),
            "a filter of a join is not the table's"
        );
    }
}

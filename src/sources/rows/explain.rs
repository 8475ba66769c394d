//! Why one row would or would not go: each part of its eligibility by the SQL that a run uses, asked about that row alone.
//! Changes nothing; a look at its lock is taken back.

use super::node::{Branch, OwnedRow};
use super::target::{KeepTerms, Target};
use crate::decide::rows::{Keeper, RowAge, RowFacts};
use crate::policy::{Engine, Name, TableName};
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::instants::Instants;
use crate::sources::sql::keys::{self, KeyTerms, keys};
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, ErrorKind, Session, SourceError, Sql, TableFacts};

/// A row that somebody asks about, by the key that results show.
#[derive(Debug, Clone)]
pub struct AskedRow {
    pub table: TableName,
    key: Vec<(Term, Option<String>)>,
}

/// One row of a table, told apart from all others.
#[derive(Debug, Clone)]
pub struct RowId {
    pub(crate) source: Name,
    pub(crate) table: TableName,
    pub(crate) key: KeyTerms,
    pub(crate) values: Vec<String>,
}

/// A row of a policy's table, and what the parts of the policy say of it.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub row: OwnedRow,
    pub facts: RowFacts,
}

/// A row of a policy's own table, by what was asked about.
#[derive(Debug, Clone)]
pub enum WhichRow<'a> {
    Asked(&'a AskedRow),
    /// The one that rows of another table point to.
    PointedTo(Vec<(Term, String)>),
}

impl AskedRow {
    /// Reads a key as results show it; the error says how it is written.
    pub fn parse(engine: Engine, facts: &TableFacts, text: &str) -> Result<Self, String> {
        let (_, shown) = keys(engine, facts);
        let values: Vec<Option<String>> = match shown.as_slice() {
            [_] => vec![Some(text.to_owned())],
            several => match serde_json::from_str::<Vec<serde_json::Value>>(text) {
                Ok(values) if values.len() == several.len() => values.into_iter().map(key_text).collect(),
                Ok(_) | Err(_) => {
                    let columns: Vec<_> = several.iter().map(Term::name).collect();
                    return Err(format!(
                        "the key of {} is a JSON array of {}, in this order",
                        facts.name,
                        columns.join(", ")
                    ));
                }
            },
        };
        Ok(Self { table: facts.name.clone(), key: shown.into_iter().zip(values).collect() })
    }

    /// True if the table has it.
    pub async fn exists(&self, session: &mut Session) -> Result<bool, SourceError> {
        let mut sql = session.sql();
        sql.push("SELECT ").with(|sql| self.push_texts(sql)).push(" FROM ").table(&self.table).push(" WHERE ");
        sql.with(|sql| self.push_it(sql)).push(" LIMIT 1");
        Ok(!session.query(&format!("looking for a row of {}", self.table), &sql).await?.is_empty())
    }

    fn push_texts(&self, sql: &mut Sql) {
        sql.separated(", ", &self.key, |sql, (term, _)| term.push_text(sql));
    }

    /// Writes "it is the row". A value that the column cannot hold must not make the statement fail.
    pub(crate) fn push_it(&self, sql: &mut Sql) {
        sql.separated(" AND ", &self.key, |sql, (term, value)| match value {
            None => {
                sql.push(term).push(" IS NULL");
            }
            Some(value) => push_equal(sql, term, value),
        });
    }
}

/// Compares by the column's type where the value is one of it, so that an index serves; else as text.
pub(crate) fn push_equal(sql: &mut Sql, term: &Term, value: &str) {
    let typed = match term.kind() {
        ColumnType::Integer => value.parse::<i64>().is_ok(),
        ColumnType::Uuid => uuid::Uuid::try_parse(value).is_ok(),
        ColumnType::Text => true,
        _ => false,
    };
    if term.kind() == ColumnType::Binary {
        push_equal_bytes(sql, term, value);
    } else if typed {
        sql.push(term).push(" = ").with(|sql| term.push_value(sql, value));
    } else {
        sql.with(|sql| term.push_text(sql)).push(" = ").bind(value.to_owned());
    }
}

/// Compares bytes that are written as a text, in hexadecimal as results show them, or as a UUID.
fn push_equal_bytes(sql: &mut Sql, term: &Term, value: &str) {
    let value = uuid::Uuid::try_parse(value).map_or_else(|_| value.to_owned(), |uuid| uuid.simple().to_string());
    sql.push("(").with(|sql| term.push_holds(sql, std::slice::from_ref(&value)));
    if value.len().is_multiple_of(2) && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        sql.push(" OR ").push(term).push(" = ").with(|sql| term.push_value(sql, &value));
    }
    sql.push(")");
}

fn key_text(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// Writes '1', '0' or NULL for what a condition says.
fn push_truth(sql: &mut Sql, condition: impl Fn(&mut Sql)) {
    sql.push(", CASE WHEN (");
    condition(sql);
    sql.push(") IS TRUE THEN '1' WHEN (");
    condition(sql);
    sql.push(") IS FALSE THEN '0' END");
}

fn truth(text: Option<String>) -> Option<bool> {
    text.map(|text| text == "1")
}

impl Target {
    /// Judges a row by the policy; none where there is no such row.
    pub async fn judge(
        &self,
        session: &mut Session,
        at: Instants,
        which: &WhichRow<'_>,
    ) -> Result<Option<Judgement>, SourceError> {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").with(|sql| self.node.push_returned(sql));
        let returned = self.node.returned();
        sql.with(|sql| self.push_parts(sql, at)).push(" FROM ").table(&self.node.table).push(" WHERE ");
        sql.with(|sql| self.push_which(sql, which)).push(" LIMIT 1");
        let rows = session.query(&format!("judging a row of {}", self.node.table), &sql).await?;
        let Some(mut columns) = rows.into_iter().next().map(|row| row.0) else { return Ok(None) };
        let mut parts = columns.split_off(returned.min(columns.len())).into_iter();
        let mut next = || parts.next().flatten();
        let eligible = truth(next()) == Some(true);
        let old = (self.age.is_some() && at.cutoff.is_some()).then(|| truth(next()));
        let matches = self.condition.is_some().then(|| truth(next()));
        let alive = self.alive.is_some().then(|| truth(next()));
        let value = self.age.is_some().then(&mut next);
        let decided_by = self.keep.as_ref().map(|keep| {
            let value = next().map(|value| keep.term.read_path(&value).into_owned());
            (keep.term.name(), value)
        });
        let age = value.map(|value| self.judged_age(at, value, decided_by));
        let flags: Vec<bool> = (0..self.keepers().len()).map(|_| truth(next()) == Some(true)).collect();
        let mut kept_by = Vec::new();
        for (keeper, keeps) in self.keepers().into_iter().zip(flags) {
            if keeps {
                kept_by.push(self.first_keeper(session, at, which, &keeper).await?);
            }
        }
        let facts = RowFacts { eligible, old, matches, alive, age, kept_by };
        Ok(Some(Judgement { row: self.node.read(columns), facts }))
    }

    /// Writes ", …" for each part, in the order in which `judge` reads them.
    fn push_parts(&self, sql: &mut Sql, at: Instants) {
        push_truth(sql, |sql| self.push_eligible(sql, at, &[]));
        if self.age.is_some() && at.cutoff.is_some() {
            push_truth(sql, |sql| self.push_old(sql, at));
        }
        for condition in [&self.condition, &self.alive].into_iter().flatten() {
            push_truth(sql, |sql| push_condition(sql, condition, at, &self.bound));
        }
        if let Some(age) = &self.age {
            sql.push(", ").with(|sql| age.push_instant_text(sql));
        }
        if let Some(keep) = &self.keep {
            sql.push(", ").with(|sql| keep.term.push_text(sql));
        }
        for keeper in self.keepers() {
            push_truth(sql, |sql| {
                sql.push("EXISTS (SELECT 1").with(|sql| self.push_keeping(sql, at, &keeper)).push(")");
            });
        }
    }

    fn push_which(&self, sql: &mut Sql, which: &WhichRow<'_>) {
        match which {
            WhichRow::Asked(row) => row.push_it(sql),
            WhichRow::PointedTo(values) => {
                sql.separated(" AND ", values, |sql, (term, value)| push_equal(sql, term, value));
            }
        }
    }

    fn judged_age(&self, at: Instants, value: Option<String>, decided_by: Option<(String, Option<String>)>) -> RowAge {
        let age = self.age.as_ref();
        let read = age.and_then(|age| Some(age.read(value.as_deref()?)));
        let keep = match (&self.keep, &decided_by, at.cutoff) {
            (Some(KeepTerms { by, .. }), Some((_, value)), _) => {
                let listed = by.values.iter().find(|(listed, _)| Some(listed) == value.as_ref());
                listed.map(|(_, keep)| *keep).or(by.default)
            }
            (_, _, Some(cutoff)) => Some(at.now.duration_since(cutoff).unsigned_abs()),
            (_, _, None) => None,
        };
        let column = age.map(|age| age.term.name()).unwrap_or_default();
        RowAge { column, value, read, keep, decided_by }
    }

    fn keepers(&self) -> Vec<KeeperOf<'_>> {
        let protections = (0..self.protections.len()).map(KeeperOf::Protection);
        let tree = self.judges_tree().then_some(KeeperOf::Tree);
        protections.chain(self.keeping().into_iter().map(KeeperOf::Child)).chain(tree).collect()
    }

    fn push_keeping(&self, sql: &mut Sql, at: Instants, keeper: &KeeperOf<'_>) {
        match keeper {
            KeeperOf::Protection(index) => self.push_protecting(sql, at, *index, &[]),
            KeeperOf::Child(path) => self.push_pointing(sql, &self.node.table, path, &[]),
            KeeperOf::Tree => self.push_needing(sql, at),
        }
    }

    async fn first_keeper(
        &self,
        session: &mut Session,
        at: Instants,
        which: &WhichRow<'_>,
        keeper: &KeeperOf<'_>,
    ) -> Result<Keeper, SourceError> {
        let (table, child) = match keeper {
            KeeperOf::Protection(index) => (&self.protections[*index].table, false),
            // Along a longer way it is the row that would go, and that has a keeper of its own.
            KeeperOf::Child(path) => (path.first().map_or(&self.node.table, |branch| &branch.node.table), true),
            KeeperOf::Tree => (&self.node.table, true),
        };
        let facts = TableFacts::load(session, table).await?;
        let shown = facts.map(|facts| keys(self.engine, &facts).1).unwrap_or_default();
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ");
        // One column at a time, all of them of the same row.
        sql.separated(", ", &shown, |sql, term| {
            sql.push("(SELECT ").with(|sql| term.push_text(sql)).with(|sql| self.push_keeping(sql, at, keeper));
            sql.push(" ORDER BY ").separated(", ", &shown, |sql, term| term.push(sql)).push(" LIMIT 1)");
        });
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ").with(|sql| self.push_which(sql, which));
        sql.push(" LIMIT 1");
        let operation = format!("looking for what keeps a row of {}", self.node.table);
        let rows = if shown.is_empty() { Vec::new() } else { session.query(&operation, &sql).await? };
        let values = rows.into_iter().next().map(|row| row.0).unwrap_or_default();
        Ok(Keeper { table: table.clone(), key: keys::shown(&values), child })
    }

    /// True if another session holds the row locked; none where that cannot be asked.
    pub async fn is_locked(&self, session: &mut Session, row: &OwnedRow) -> Result<Option<bool>, SourceError> {
        if !self.traits().locks_rows || !self.has_key() {
            return Ok(None);
        }
        let mut sql = self.node.selecting(self.engine);
        sql.with(|sql| self.node.key.push_among(sql, std::slice::from_ref(&row.key))).push(" FOR UPDATE NOWAIT");
        session.begin().await?;
        let asked = session.query(&format!("asking whether a row of {} is locked", self.node.table), &sql).await;
        session.rollback().await?;
        match asked {
            Ok(_) => Ok(Some(false)),
            Err(error) if error.kind == ErrorKind::Busy => Ok(Some(true)),
            // Whoever may only delete may not lock on PostgreSQL.
            Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::ReadOnly) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Something that may keep a row.
enum KeeperOf<'a> {
    Protection(usize),
    Child(Vec<&'a Branch>),
    /// Rows of the same table.
    Tree,
}

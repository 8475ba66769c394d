//! Counting, listing and deleting the eligible rows of a window. Every statement carries the whole eligibility (G2).

use std::sync::Arc;

use super::dialect::Term;
use super::target::{Instants, Target};
use super::walk::Window;
use super::{ErrorKind, Returning, Session, SourceError, Sql};
use crate::policy::Engine;

/// Which rows of a window a statement is about.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All of them.
    Window(&'a Window),
    /// Those that nobody else has locked.
    Unlocked(&'a Window),
    /// Those with one of these keys.
    Keys(&'a Window, &'a [Vec<String>]),
}

/// A row that is, or was, eligible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRow {
    /// As statements compare it.
    pub key: Vec<String>,
    /// As people read it.
    pub shown: String,
    /// What the policy's file columns held, in the policy's order.
    pub paths: Vec<Option<String>>,
}

/// What a plan takes for deleted already: the rows of an earlier policy, or the windows that it has passed.
#[derive(Debug, Clone)]
pub struct Gone {
    pub target: Arc<Target>,
    pub at: Instants,
    /// Up to and including this window; none: every eligible row.
    pub until: Option<Window>,
}

impl Gone {
    /// Writes "the row is not among those gone".
    pub fn push_remains(&self, sql: &mut Sql) {
        sql.push("((");
        self.target.push_eligible(sql, self.at);
        if let Some(window) = &self.until {
            self.target.push_until(sql, window);
        }
        sql.push(") IS NOT TRUE)");
    }
}

impl Target {
    /// Counts the eligible rows that are not gone, no further than `limit`.
    pub async fn count(
        &self,
        session: &mut Session,
        at: Instants,
        limit: Option<u64>,
        gone: &[Gone],
    ) -> Result<u64, SourceError> {
        let mut sql = Sql::new(self.engine);
        match limit {
            None => sql.push("SELECT ").push(count_text(self.engine)).push(" FROM ").table(&self.table),
            Some(_) => sql
                .push("SELECT ")
                .push(count_text(self.engine))
                .push(" FROM (SELECT 1 AS one FROM ")
                .table(&self.table),
        };
        sql.push(" WHERE ");
        self.push_eligible(&mut sql, at);
        self.push_sqlite_ends(&mut sql, at, true, true);
        self.push_remaining(&mut sql, gone);
        if let Some(limit) = limit {
            sql.push(&format!(" LIMIT {limit}) AS counted"));
        }
        number(session, &format!("counting the eligible rows of {}", self.table), &sql).await
    }

    /// Counts all rows of the table.
    pub async fn count_all(&self, session: &mut Session) -> Result<u64, SourceError> {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").push(count_text(self.engine)).push(" FROM ").table(&self.table);
        number(session, &format!("counting the rows of {}", self.table), &sql).await
    }

    /// Lists the eligible rows of a window that are not gone, at most `limit`, in the order of the key.
    pub async fn list(
        &self,
        session: &mut Session,
        at: Instants,
        window: &Window,
        gone: &[Gone],
        limit: Option<u32>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ");
        self.push_returned(&mut sql);
        sql.push(" FROM ").table(&self.table).push(" WHERE ");
        self.push_eligible(&mut sql, at);
        self.push_window(&mut sql, at, window);
        self.push_remaining(&mut sql, gone);
        sql.push(" ORDER BY ");
        self.key.push_order(&mut sql, &self.table);
        if let Some(limit) = limit {
            sql.push(&format!(" LIMIT {limit}"));
        }
        let rows = session.query(&format!("listing a batch of {}", self.table), &sql).await?;
        Ok(rows.into_iter().map(|row| self.owned(row.0)).collect())
    }

    /// Deletes in one statement of its own; how many rows.
    pub async fn delete(&self, session: &mut Session, at: Instants, scope: Scope<'_>) -> Result<u64, SourceError> {
        let mut sql = Sql::new(self.engine);
        self.push_delete(&mut sql, at, scope);
        session.execute(&self.deleting(), &sql).await
    }

    /// Deletes within the session's transaction and tells which rows went and what files they named.
    pub async fn delete_owned(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let locks = matches!(scope, Scope::Unlocked(_)) || session.returning() == Returning::No;
        if locks && self.engine != Engine::Sqlite {
            return self.lock_and_delete(session, at, scope).await;
        }
        let mut sql = Sql::new(self.engine);
        self.push_delete(&mut sql, at, scope);
        sql.push(" RETURNING ");
        self.push_returned(&mut sql);
        let rows = session.query(&self.deleting(), &sql).await?;
        Ok(rows.into_iter().map(|row| self.owned(row.0)).collect())
    }

    /// For servers without RETURNING, and for passing over rows that somebody else has locked: locks the rows, reads
    /// them, and deletes just those.
    async fn lock_and_delete(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ");
        self.push_returned(&mut sql);
        sql.push(" FROM ").table(&self.table).push(" WHERE ");
        self.push_scope(&mut sql, at, scope);
        sql.push(" FOR UPDATE");
        if matches!(scope, Scope::Unlocked(_)) {
            sql.push(" SKIP LOCKED");
        }
        let rows = session.query(&format!("locking a batch of {}", self.table), &sql).await?;
        let mut owned: Vec<_> = rows.into_iter().map(|row| self.owned(row.0)).collect();
        let window = match scope {
            Scope::Window(window) | Scope::Unlocked(window) | Scope::Keys(window, _) => window,
        };
        // A scan of several keys may stop at a row that is locked; the look-up of a single key never does.
        let at_once = match (scope, self.engine) {
            (Scope::Unlocked(_), Engine::MySql) => 1,
            _ => KEYS_AT_ONCE,
        };
        let mut deleted = 0;
        for some in owned.chunks(at_once) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            deleted += self.delete(session, at, Scope::Keys(window, &keys)).await?;
        }
        if deleted != owned.len() as u64 {
            // The locked rows were eligible and locked, so this is a trigger or rule that kept some: tell by asking.
            let left = self.among(session, &owned).await?;
            owned.retain(|row| !left.contains(&row.key));
        }
        Ok(owned)
    }

    /// Which of these rows the table still has.
    async fn among(&self, session: &mut Session, rows: &[OwnedRow]) -> Result<Vec<Vec<String>>, SourceError> {
        let mut left = Vec::new();
        for some in rows.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let mut sql = Sql::new(self.engine);
            sql.push("SELECT ");
            self.key.push_texts(&mut sql);
            sql.push(" FROM ").table(&self.table).push(" WHERE ");
            self.key.push_among(&mut sql, &keys);
            let found = session.query(&format!("looking for kept rows of {}", self.table), &sql).await?;
            left.extend(found.into_iter().filter_map(|row| row.0.into_iter().collect::<Option<Vec<_>>>()));
        }
        Ok(left)
    }

    fn deleting(&self) -> String {
        format!("deleting a batch of {}", self.table)
    }

    fn push_delete(&self, sql: &mut Sql, at: Instants, scope: Scope<'_>) {
        sql.push("DELETE FROM ").table(&self.table).push(" WHERE ");
        self.push_scope(sql, at, scope);
    }

    fn push_scope(&self, sql: &mut Sql, at: Instants, scope: Scope<'_>) {
        self.push_eligible(sql, at);
        match scope {
            Scope::Window(window) | Scope::Unlocked(window) => self.push_window(sql, at, window),
            Scope::Keys(window, keys) => {
                self.push_window(sql, at, window);
                sql.push(" AND ");
                self.key.push_among(sql, keys);
            }
        }
    }

    fn push_remaining(&self, sql: &mut Sql, gone: &[Gone]) {
        for gone in gone.iter().filter(|gone| gone.target.is_same_table(self)) {
            sql.push(" AND ");
            gone.push_remains(sql);
        }
    }

    /// Whether both are about one table of one source.
    pub fn is_same_table(&self, other: &Target) -> bool {
        self.source == other.source && self.table == other.table
    }

    /// Writes what `owned` reads: the key, the key for people, the file columns.
    fn push_returned(&self, sql: &mut Sql) {
        let terms: Vec<&Term> =
            self.key.0.iter().chain(&self.shown_key).chain(self.files.iter().map(|(_, term)| term)).collect();
        super::dialect::separated(sql, ", ", &terms, |sql, term| term.push_text(sql));
    }

    fn owned(&self, mut columns: Vec<Option<String>>) -> OwnedRow {
        let mut rest = columns.split_off(self.key.0.len().min(columns.len()));
        let paths = rest.split_off(self.shown_key.len().min(rest.len()));
        OwnedRow { key: columns.into_iter().map(Option::unwrap_or_default).collect(), shown: Self::shown(&rest), paths }
    }
}

/// Most keys in one statement; each key column is one of at most 32,766 bound values (SQLite's limit).
pub const KEYS_AT_ONCE: usize = 5000;

fn count_text(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "count(*)::text",
        Engine::MySql => "CAST(count(*) AS CHAR)",
        Engine::Sqlite => "CAST(count(*) AS TEXT)",
    }
}

async fn number(session: &mut Session, operation: &str, sql: &Sql) -> Result<u64, SourceError> {
    let rows = session.query(operation, sql).await?;
    let text = rows.into_iter().next().and_then(|row| row.0.into_iter().next().flatten());
    // A count that cannot be read must never pass for "nothing": a guard stands on it.
    text.and_then(|text| text.parse().ok()).ok_or_else(|| SourceError {
        source_name: session.source_name().clone(),
        operation: operation.to_owned(),
        kind: ErrorKind::Other,
        cause: "the server answered no number".into(),
    })
}

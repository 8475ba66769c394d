//! Walking to what is eligible in windows of at most a batch, so that no batch pays for those before it.
//!
//! How a table is walked is chosen here and nowhere else: along the index of the age column where there is one, else
//! along the key. What fits into one batch is taken at once. Each window begins where the last one ended, by value
//! and not by what is left, so that deleted rows are never walked over again and a failed window can be tried later.

use std::collections::VecDeque;
use std::sync::Arc;

use super::assumed_gone::Gone;
use super::target::Target;
use super::window::{AgeBound, Window};
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

/// For a table whose rows take others along, the first window is this much smaller than a batch.
const FIRST_SHARE: u32 = 16;

/// Finds one window after the other.
pub struct Walker {
    pub(super) target: Arc<Target>,
    pub(super) at: Instants,
    /// Rows that a batch may have, those of other tables included.
    batch: u32,
    /// Rows of the policy's own table that a window has.
    pub(super) rows: u32,
    /// The oldest windows come first wherever that can be.
    pub(super) oldest_first: bool,
    /// Rows that a plan takes for gone.
    gone: Vec<Gone>,
    next: Next,
}

enum Next {
    Probe,
    Ages(Option<AgeBound>),
    SameAge { age: String, starts: VecDeque<Vec<String>> },
    Keys(Option<Vec<String>>),
    Done,
}

impl Walker {
    /// A walk over what is eligible for `target`, at most about `batch` rows a window.
    pub fn new(target: Arc<Target>, at: Instants, batch: u32) -> Self {
        // How many rows go along is not known before the first batch.
        let rows = if target.node.takes_others_along() { (batch / FIRST_SHARE).max(1) } else { batch };
        Self { target, at, batch, rows, oldest_first: false, gone: Vec::new(), next: Next::Probe }
    }

    /// A walk that takes the oldest windows first wherever that can be, however long it takes.
    pub fn oldest_first(self, oldest_first: bool) -> Self {
        Self { oldest_first, ..self }
    }

    /// The windows as a plan walks them: what is gone may have kept something that is not.
    pub fn without(self, gone: &[Gone]) -> Self {
        Self { gone: gone.to_vec(), ..self }
    }

    /// A walk with nothing left.
    pub fn at_its_end(self) -> Self {
        Self { next: Next::Done, ..self }
    }

    /// Makes the windows to come as large as a batch of that many rows.
    pub fn fit(&mut self, batch: u32) {
        self.batch = batch;
        if !self.target.node.takes_others_along() {
            self.rows = batch;
        }
    }

    /// Hears how many rows the last window had, and how many rows of other tables went along: the next windows are to
    /// be as large as fits.
    pub fn took(&mut self, rows: u64, others: u64) {
        if self.target.node.takes_others_along() && rows > 0 {
            let fitting = u64::from(self.batch) * rows / (rows + others);
            // Never much more at once: the next rows may take more along than these did.
            let most = u64::from(self.rows) * 2;
            self.rows = u32::try_from(fitting.min(most).max(1)).unwrap_or(self.batch);
        }
    }

    /// True if the next window does not depend on how many rows go along with those of the last one.
    pub fn may_look_ahead(&self) -> bool {
        !self.target.node.takes_others_along()
    }

    /// The next window; `None` at the end. After an error it may be asked again, with another session too.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<Window>, SourceError> {
        while !matches!(self.next, Next::Done) {
            // The walk moves on only once the question was answered, so that a lost connection loses no window.
            let (window, next) = self.step(session).await?;
            self.next = next;
            if window.is_some() {
                return Ok(window);
            }
        }
        Ok(None)
    }

    async fn step(&self, session: &mut Session) -> Result<(Option<Window>, Next), SourceError> {
        Ok(match &self.next {
            Next::Done => (None, Next::Done),
            Next::Probe => match self.probe(session).await {
                Ok(0) => (None, Next::Done),
                Ok(few) if few <= u64::from(self.rows) => (Some(Window::All), Next::Done),
                Ok(_) if self.is_scattered(session).await? => (None, Next::Keys(None)),
                Ok(_) => self.first(),
                // Few rows in a large table without an index: they are found window by window.
                Err(error) if error.kind == ErrorKind::Timeout => self.first(),
                Err(error) => return Err(error),
            },
            Next::Ages(from) => match (self.age_after(session, from.as_ref(), u64::from(self.rows)).await?, from) {
                (Some(to), Some(AgeBound::At(from))) if to == *from && !self.target.is_walked_by_key() => {
                    let window = Window::SameAge { age: to.clone(), from: None, to: None };
                    (Some(window), Next::Ages(Some(AgeBound::After(to))))
                }
                (Some(to), Some(AgeBound::At(from))) if to == *from => {
                    let starts = self.same_age_starts(session, from).await?;
                    (None, Next::SameAge { age: to, starts })
                }
                (to, from) => {
                    let next = to.clone().map_or(Next::Done, |to| Next::Ages(Some(AgeBound::At(to))));
                    let mut window = Window::Ages { from: from.clone(), to, keys: None };
                    let found = self.keys_within(session, &window).await?;
                    if let Window::Ages { keys, .. } = &mut window {
                        *keys = found;
                    }
                    (Some(window), next)
                }
            },
            Next::SameAge { age, starts } => {
                let mut starts = starts.clone();
                match starts.pop_front() {
                    None => (None, Next::Ages(Some(AgeBound::After(age.clone())))),
                    Some(from) => {
                        let to = starts.front().cloned();
                        let window = Window::SameAge { age: age.clone(), from: Some(from), to };
                        (Some(window), Next::SameAge { age: age.clone(), starts })
                    }
                }
            }
            Next::Keys(from) => {
                let to = self.key_after(session, from.as_deref()).await?;
                let next = to.clone().map_or(Next::Done, |to| Next::Keys(Some(to)));
                (Some(Window::Keys { from: from.clone(), to }), next)
            }
        })
    }

    fn first(&self) -> (Option<Window>, Next) {
        match (self.target.age_indexed, self.target.is_walked_by_key()) {
            (true, _) => (None, Next::Ages(None)),
            (false, true) => (None, Next::Keys(None)),
            // Nothing to walk along: one statement for everything.
            (false, false) => (Some(Window::All), Next::Done),
        }
    }

    /// Counts eligible rows, no further than one past a batch.
    async fn probe(&self, session: &mut Session) -> Result<u64, SourceError> {
        self.target.count(session, self.at, Some(u64::from(self.rows) + 1), &self.gone).await
    }

    /// Age of the row that so many others come before.
    pub(super) async fn age_after(
        &self,
        session: &mut Session,
        from: Option<&AgeBound>,
        rows: u64,
    ) -> Result<Option<String>, SourceError> {
        let (Some(age), Some(cutoff)) = (&self.target.age, self.at.cutoff) else { return Ok(None) };
        let mut sql = Sql::new(self.target.engine);
        // Of the boundary alone: PostgreSQL would make a text of each row that it skips.
        sql.push("SELECT ").with(|sql| age.term.push_text(sql)).push(" FROM (SELECT ").push(&age.term);
        sql.push(" FROM ").table(&self.target.node.table).push(" WHERE ").with(|sql| age.push_ceiling(sql, cutoff));
        match from {
            Some(_) => self.target.push_age_from(&mut sql, from),
            None => {
                sql.push(" AND ").with(|sql| age.push_floor(sql));
            }
        }
        sql.push(" ORDER BY ").with(|sql| age.term.push_of(sql, &self.target.node.table));
        sql.push(&format!(" LIMIT 1 OFFSET {rows}) AS boundary"));
        session.single(&format!("finding the next batch of {}", self.target.node.table), &sql).await
    }

    async fn key_after(
        &self,
        session: &mut Session,
        from: Option<&[String]>,
    ) -> Result<Option<Vec<String>>, SourceError> {
        let mut sql = Sql::new(self.target.engine);
        sql.push("SELECT ").with(|sql| self.target.node.key.push_texts(sql));
        sql.push(" FROM (SELECT ").with(|sql| self.target.node.key.push_columns(sql));
        sql.push(" FROM ").table(&self.target.node.table);
        if let Some(from) = from {
            sql.push(" WHERE ").with(|sql| self.target.node.key.push_from(sql, from));
        }
        sql.push(" ORDER BY ").with(|sql| self.target.node.key.push_order(sql, &self.target.node.table));
        sql.push(&format!(" LIMIT 1 OFFSET {}) AS boundary", self.rows));
        let rows = session.query(&format!("finding the next batch of {}", self.target.node.table), &sql).await?;
        Ok(rows.into_iter().next().and_then(|row| row.0.into_iter().collect()))
    }

    /// The keys at which the windows of one age begin: one sort for all of them.
    async fn same_age_starts(&self, session: &mut Session, age: &str) -> Result<VecDeque<Vec<String>>, SourceError> {
        let target = &self.target;
        let mut sql = Sql::new(target.engine);
        let names: Vec<_> = (0..target.node.key.0.len()).map(|position| format!("k{position}")).collect();
        sql.push(&format!("SELECT {} FROM (SELECT ", names.join(", "))).with(|sql| target.node.key.push_texts(sql));
        sql.push(", row_number() OVER (ORDER BY ").with(|sql| target.node.key.push_order(sql, &target.node.table));
        sql.push(") AS n FROM ").table(&target.node.table).push(" WHERE ").with(|sql| target.push_same_age(sql, age));
        sql.push(&format!(") AS numbered WHERE (n - 1) % {} = 0 ORDER BY n", self.rows));
        let rows = session.query(&format!("finding batches of one age in {}", target.node.table), &sql).await?;
        Ok(rows.into_iter().filter_map(|row| row.0.into_iter().collect()).collect())
    }
}

impl Target {
    /// Writes " AND …" for a window's bounds; nothing for a window without bounds.
    pub(crate) fn push_window(&self, sql: &mut Sql, at: Instants, window: &Window) {
        match window {
            Window::All => self.push_open_ends(sql, at, true, true),
            Window::Ages { from, to, keys } => {
                self.push_age_from(sql, from.as_ref());
                self.push_age_before(sql, to.as_deref());
                if let (Some((least, greatest)), [key]) = (keys, self.node.key.0.as_slice()) {
                    sql.push(" AND ").push(key).push(" BETWEEN ").with(|sql| key.push_value(sql, least)).push(" AND ");
                    key.push_value(sql, greatest);
                }
                self.push_open_ends(sql, at, from.is_none(), to.is_none());
            }
            Window::SameAge { age, from, to } => {
                // It must come by the key then.
                let by_key = sql.traits().same_age_is_unordered && self.age.is_some() && from.is_some();
                sql.push(if by_key { " AND (" } else { " AND " }).with(|sql| self.push_same_age(sql, age));
                sql.push(if by_key { ") IS TRUE" } else { "" });
                self.node.key.push_between(sql, from.as_deref(), to.as_deref());
            }
            Window::Keys { from, to } => self.node.key.push_between(sql, from.as_deref(), to.as_deref()),
        }
    }

    /// Writes the ends that a window leaves open, where no index serves the exact predicate but one serves the bounds.
    pub(crate) fn push_open_ends(&self, sql: &mut Sql, at: Instants, floor: bool, ceiling: bool) {
        let (Some(age), Some(cutoff)) = (&self.age, at.cutoff) else { return };
        if !self.needs_bounds() || !age.is_ordered(self.engine) {
            return;
        }
        if floor {
            sql.push(" AND ").with(|sql| age.push_floor(sql));
        }
        if ceiling {
            sql.push(" AND ").with(|sql| age.push_ceiling(sql, cutoff));
        }
    }

    /// Writes "the row is in this window or in one before it", for a plan: what a run would have deleted by then.
    pub(crate) fn push_until(&self, sql: &mut Sql, window: &Window) {
        match window {
            Window::All => {}
            Window::Ages { to, .. } => self.push_age_before(sql, to.as_deref()),
            Window::SameAge { age, to, .. } => {
                sql.push(" AND (").with(|sql| self.push_age(sql, "<", age)).push(" OR ");
                self.push_same_age(sql, age);
                sql.with(|sql| self.node.key.push_between(sql, None, to.as_deref())).push(")");
            }
            Window::Keys { to, .. } => self.node.key.push_between(sql, None, to.as_deref()),
        }
    }

    fn push_age_from(&self, sql: &mut Sql, from: Option<&AgeBound>) {
        let (operator, value) = match from {
            None => return,
            Some(AgeBound::At(value)) => (">=", value),
            Some(AgeBound::After(value)) => (">", value),
        };
        sql.push(" AND ").with(|sql| self.push_age(sql, operator, value));
    }

    fn push_age_before(&self, sql: &mut Sql, to: Option<&str>) {
        if let Some(to) = to {
            sql.push(" AND ").with(|sql| self.push_age(sql, "<", to));
        }
    }

    fn push_same_age(&self, sql: &mut Sql, age: &str) {
        self.push_age(sql, "=", age);
    }

    fn push_age(&self, sql: &mut Sql, operator: &str, value: &str) {
        // Windows of ages exist only for targets with an age.
        let Some(age) = &self.age else { return };
        sql.push(&age.term).push(&format!(" {operator} ")).with(|sql| age.term.push_value(sql, value));
    }
}

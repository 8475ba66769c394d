//! Taking a batch within a transaction: the rows, the rows of other tables that go with them, and what they all say of
//! their files.
//!
//! Rows are locked before anything depends on them. What asks about other rows is asked again once they are locked,
//! because a statement sees other rows as of its beginning, however long it then waits for a lock: a writer that locks
//! a row, protects it and commits would be overlooked.

use std::collections::{BTreeMap, HashSet};

use super::assumed_gone::{Gone, push_remaining};
use super::node::{Branch, Claim, Node, OwnedRow};
use super::scope::{KEYS_AT_ONCE, Scope};
use super::statements::number;
use super::target::Target;
use crate::policy::{Engine, OnDelete, TableName};
use crate::sources::sql::dialect::dialect;
use crate::sources::sql::instants::Instants;
use crate::sources::{ErrorKind, Returning, Session, SourceError, Sql};

/// A batch: what was taken, or, for a plan, what would be.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows of the policy's own table.
    pub rows: Vec<OwnedRow>,
    /// Rows of other tables that go with them: the table and the key as people read it.
    pub others: Vec<(TableName, String)>,
    /// Number of rows of each other table that go, or lose what they point to.
    pub children: BTreeMap<String, u64>,
    pub claims: Vec<Claim>,
    /// Eligible rows that stay for a reason of their own.
    pub stayed: Vec<Stayed>,
    /// Eligible rows to which others of their table point that stay, so far.
    pub deferred: u64,
    /// The changes are to be rolled back, and tried again with `rows` alone.
    pub spoiled: bool,
}

/// A row that was to go and stays.
#[derive(Debug)]
pub struct Stayed {
    pub row: OwnedRow,
    /// None: the database left it as it was, and said nothing.
    pub why: Option<String>,
}

impl Target {
    /// Deletes or updates the rows of a scope within the session's transaction. An error leaves the transaction to be
    /// rolled back.
    pub async fn take(&self, session: &mut Session, at: Instants, scope: Scope<'_>) -> Result<Batch, SourceError> {
        let mut batch = Batch::default();
        let rows = if self.takes_in_one_statement(session, scope) {
            let mut sql = self.changing(at);
            sql.with(|sql| self.push_scope(sql, at, scope, &[])).push(" RETURNING ");
            self.node.push_returned(&mut sql);
            let rows = self.node.rows(session, &self.doing(), &sql).await?;
            let rows = batch.readable(rows);
            // They are deleted already.
            batch.spoiled = !batch.stayed.is_empty();
            rows
        } else {
            let locked = self.lock(session, at, scope).await?;
            let locked = batch.readable(locked);
            self.change_locked(session, at, scope, locked, &mut batch).await?
        };
        batch.rows = rows;
        let mut claims = self.claims_of(&batch.rows);
        claims.append(&mut batch.claims);
        batch.claims = claims;
        Ok(batch)
    }

    /// The batch that `take` would take of `rows`, listed before; other rows that are gone are left out.
    pub async fn foresee(
        &self,
        session: &mut Session,
        rows: Vec<OwnedRow>,
        gone: &[Gone],
    ) -> Result<Batch, SourceError> {
        let mut batch = Batch { claims: self.claims_of(&rows), ..Batch::default() };
        let mut foreseen = Some(HashSet::new());
        Box::pin(self.descend(session, &self.node, &rows, gone, &mut foreseen, &mut batch)).await?;
        batch.rows = rows;
        Ok(batch)
    }

    fn takes_in_one_statement(&self, session: &Session, scope: Scope<'_>) -> bool {
        if self.updates() || self.node.takes_others_along() || self.is_tree() || self.may_be_vetoed() {
            return false;
        }
        let needs_locks = self.traits().locks_rows && (scope.unlocked || self.asks_other_rows());
        match self.has_key() {
            true => session.returning() == Returning::Yes && !needs_locks,
            false => true,
        }
    }

    async fn lock(&self, session: &mut Session, at: Instants, scope: Scope<'_>) -> Result<Vec<OwnedRow>, SourceError> {
        let mut sql = self.node.selecting(self.engine);
        self.push_scope(&mut sql, at, scope, &[]);
        // Whoever only deletes may not lock on PostgreSQL.
        sql.push(if self.only_counts(scope) { "" } else { locking(self.engine, scope.unlocked) });
        self.node.rows(session, &format!("locking a batch of {}", self.node.table), &sql).await
    }

    /// True if rows are told before they are deleted for no other reason than to see which stay.
    fn only_counts(&self, scope: Scope<'_>) -> bool {
        let locks = scope.unlocked || self.updates() || self.is_tree() || self.asks_other_rows();
        !locks && self.may_be_vetoed() && !self.node.takes_others_along()
    }

    async fn change_locked(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
        mut locked: Vec<OwnedRow>,
        batch: &mut Batch,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let takes_others = self.node.takes_others_along();
        if self.asks_other_rows() && self.traits().locks_rows {
            locked = self.still_eligible(session, at, scope, locked).await?;
        }
        let mut generations = vec![locked];
        if self.peels() {
            let locked = generations.pop().unwrap_or_default();
            (generations, batch.deferred) = self.peel(session, locked).await?;
        }
        let statements = match self.peels() {
            true => super::row_tree::statements(self.engine, generations),
            false => generations,
        };
        let mut locked: Vec<OwnedRow> = statements.concat();
        if takes_others {
            Box::pin(self.descend(session, &self.node, &locked, &[], &mut None, batch)).await?;
        }
        let at_once = if scope.unlocked && self.traits().scan_stops_at_locks { 1 } else { KEYS_AT_ONCE };
        let (mut changed, mut updated) = (0, HashSet::new());
        for some in statements.iter().flat_map(|rows| rows.chunks(at_once)) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let mut sql = self.changing(at);
            match takes_others || self.peels() || self.may_not_ask_itself(session) {
                // What was done to other rows may have changed the answers about them; the row itself is locked.
                true => self.push_locked(&mut sql, at, &keys),
                false => self.push_scope(&mut sql, at, Scope { keys: Some(&keys), ..scope }, &[]),
            }
            if self.peels() {
                super::row_tree::push_in_order(&mut sql, &self.node.key, &keys);
            }
            if self.updates() && self.may_be_vetoed() {
                sql.push(" RETURNING ").with(|sql| self.node.push_returned(sql));
                let rows = self.node.rows(session, &self.doing(), &sql).await?;
                changed += rows.len() as u64;
                updated.extend(rows.into_iter().map(|row| row.key));
            } else {
                changed += session.execute(&self.doing(), &sql).await?;
            }
        }
        if changed == locked.len() as u64 {
            return Ok(locked);
        }
        // The rows were eligible and are locked, so a trigger or rule kept some, or something that came to keep them
        // since without a lock: tell by asking.
        let left = match self.updates() {
            true if updated.is_empty() && changed > 0 => return Err(self.changed_meanwhile()),
            true => locked.iter().map(|row| row.key.clone()).filter(|key| !updated.contains(key)).collect(),
            false if self.only_counts(scope) => self.still_due(session, at, scope, &locked).await?,
            false => self.among(session, &locked).await?,
        };
        if left.is_empty() && takes_others {
            return Err(self.changed_meanwhile());
        }
        // What belongs to those that stay has gone already; and what changed between is not among those that went.
        let told = left.len() as u64 + changed;
        batch.spoiled = takes_others || self.peels() || told != locked.len() as u64;
        let (stayed, went) = locked.drain(..).partition(|row| left.contains(&row.key));
        let stayed: Vec<OwnedRow> = stayed;
        batch.stayed.extend(stayed.into_iter().map(|row| Stayed { row, why: None }));
        Ok(went)
    }

    /// True if a statement that changes the table may not ask about other rows of it: MySQL refuses that (error 1093),
    /// also where the question is a view's. The locked rows have been asked about right before.
    fn may_not_ask_itself(&self, session: &Session) -> bool {
        !self.traits().may_ask_itself && session.returning() == Returning::No && self.asks_other_rows()
    }

    fn push_locked(&self, sql: &mut Sql, at: Instants, keys: &[Vec<String>]) {
        if self.age.is_some() && at.cutoff.is_some() {
            sql.with(|sql| self.push_old(sql, at)).push(" AND ");
        }
        self.node.key.push_among(sql, keys);
    }

    fn changed_meanwhile(&self) -> SourceError {
        let cause = "rows that were locked stayed as they were: a trigger or rule keeps them, or something has just come \
                     to keep them";
        SourceError::new(&self.source, self.doing(), ErrorKind::Other, cause)
    }

    fn unreadable_child(&self, table: &TableName, why: String) -> SourceError {
        let cause = format!("a row of {table} that goes with it cannot be read: {why}");
        SourceError::new(&self.source, self.doing(), ErrorKind::Constraint, cause)
    }

    /// Deals with the rows of other tables that point to `rows`, deepest first; with `foreseen`, only looks.
    async fn descend(
        &self,
        session: &mut Session,
        node: &Node,
        rows: &[OwnedRow],
        gone: &[Gone],
        foreseen: &mut Option<HashSet<(TableName, Vec<String>)>>,
        batch: &mut Batch,
    ) -> Result<(), SourceError> {
        for branch in node.branches.iter().filter(|branch| branch.on_delete != OnDelete::KeepParent) {
            for values in branch.values(rows).chunks(KEYS_AT_ONCE) {
                let unlinks = branch.on_delete == OnDelete::SetNull;
                if unlinks && foreseen.is_none() {
                    let unlinked = self.unlink(session, branch, values).await?;
                    batch.count(&branch.node.table, unlinked);
                    continue;
                }
                let mut pointing = self.pointing(session, branch, values, gone, foreseen.is_some()).await?;
                if let Some(foreseen) = foreseen {
                    let place = |row: &OwnedRow| (branch.node.table.clone(), row.key.clone());
                    match unlinks {
                        // One that goes by another way is not there any more to be unlinked.
                        true => pointing.retain(|row| !branch.node.has_key() || !foreseen.contains(&place(row))),
                        false => pointing.retain(|row| foreseen.insert(place(row))),
                    }
                }
                if unlinks {
                    batch.count(&branch.node.table, pointing.len() as u64);
                    continue;
                }
                let lock = foreseen.is_none().then(|| locking(self.engine, false));
                let is_new = |row: &OwnedRow| match foreseen {
                    Some(foreseen) => foreseen.insert((branch.node.table.clone(), row.key.clone())),
                    None => true,
                };
                let pointing = self.with_cascade(session, &branch.node, pointing, gone, is_new, lock).await?;
                if foreseen.is_none() {
                    if let Some(why) = pointing.iter().find_map(OwnedRow::unreadable) {
                        return Err(self.unreadable_child(&branch.node.table, why));
                    }
                    self.refuse_kept(session, &branch.node, &pointing).await?;
                }
                Box::pin(self.descend(session, &branch.node, &pointing, gone, foreseen, batch)).await?;
                if foreseen.is_none() {
                    self.delete_pointing(session, branch, &pointing).await?;
                }
                batch.count(&branch.node.table, pointing.len() as u64);
                pointing.iter().for_each(|row| branch.node.claims(row, &self.owners, &mut batch.claims));
                batch.others.extend(pointing.into_iter().map(|row| (branch.node.table.clone(), row.shown)));
            }
        }
        Ok(())
    }

    async fn pointing(
        &self,
        session: &mut Session,
        branch: &Branch,
        values: &[Vec<String>],
        gone: &[Gone],
        foresees: bool,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let mut sql = branch.node.selecting(self.engine);
        branch.push_among(&mut sql, values);
        match foresees {
            true => push_remaining(&mut sql, gone, &self.source, &branch.node.table),
            false => {
                sql.push(locking(self.engine, false));
            }
        }
        let operation =
            format!("looking for rows of {} that go with a batch of {}", branch.node.table, self.node.table);
        branch.node.rows(session, &operation, &sql).await
    }

    async fn delete_pointing(
        &self,
        session: &mut Session,
        branch: &Branch,
        rows: &[OwnedRow],
    ) -> Result<(), SourceError> {
        let operation = format!("deleting rows of {} with a batch of {}", branch.node.table, self.node.table);
        let statements = match &branch.node.tree {
            Some(tree) => super::row_tree::statements(self.engine, tree.generations(rows.to_vec())),
            None => vec![rows.to_vec()],
        };
        for some in statements.iter().flat_map(|rows| rows.chunks(KEYS_AT_ONCE)) {
            let keys: Vec<_> = some.iter().map(|row| row.key.clone()).collect();
            let mut sql = Sql::new(self.engine);
            sql.push("DELETE FROM ").table(&branch.node.table).push(" WHERE ");
            branch.node.key.push_among(&mut sql, &keys);
            if branch.node.tree.is_some() {
                super::row_tree::push_in_order(&mut sql, &branch.node.key, &keys);
            }
            let deleted = session.execute(&operation, &sql).await?;
            if deleted != some.len() as u64 {
                return Err(SourceError { operation, ..self.changed_meanwhile() });
            }
        }
        Ok(())
    }

    /// Rows were found to be kept by nothing, and have been locked since: something may have come to keep them between.
    async fn refuse_kept(&self, session: &mut Session, node: &Node, rows: &[OwnedRow]) -> Result<(), SourceError> {
        for branch in node.branches.iter().filter(|branch| branch.on_delete == OnDelete::KeepParent) {
            let table = &branch.node.table;
            let operation = format!("looking for rows of {table} that keep those of {}", node.table);
            for values in branch.values(rows).chunks(KEYS_AT_ONCE) {
                let mut sql = Sql::new(self.engine);
                sql.push("SELECT ").push(self.traits().count).push(" FROM ").table(table).push(" WHERE ");
                branch.push_among(&mut sql, values);
                if number(session, &operation, &sql).await? > 0 {
                    let cause = format!("rows of {table} came that keep what was about to go");
                    return Err(SourceError::new(&self.source, operation, ErrorKind::Busy, cause));
                }
            }
        }
        Ok(())
    }

    /// Sets what points to NULL; how many rows.
    async fn unlink(&self, session: &mut Session, branch: &Branch, values: &[Vec<String>]) -> Result<u64, SourceError> {
        let table = &branch.node.table;
        let operation = format!("unlinking rows of {table} from a batch of {}", self.node.table);
        let mut sql = Sql::new(self.engine);
        sql.push("UPDATE ").table(table).push(" SET ");
        sql.separated(", ", &branch.unlinked, |sql, column| {
            sql.push(column).push(" = NULL");
        });
        sql.push(" WHERE ").with(|sql| branch.push_among(sql, values));
        session.execute(&operation, &sql).await
    }
}

impl Batch {
    /// Those of some rows that could be read as a whole; the others stay.
    fn readable(&mut self, rows: Vec<OwnedRow>) -> Vec<OwnedRow> {
        let mut readable = Vec::with_capacity(rows.len());
        for row in rows {
            match row.unreadable() {
                None => readable.push(row),
                why => self.stayed.push(Stayed { row, why }),
            }
        }
        readable
    }

    fn count(&mut self, table: &TableName, rows: u64) {
        if rows > 0 {
            *self.children.entry(table.table.to_string()).or_default() += rows;
        }
    }
}

pub(crate) fn locking(engine: Engine, unlocked: bool) -> &'static str {
    match (dialect(engine).traits().locks_rows, unlocked) {
        (false, _) => "",
        (true, false) => " FOR UPDATE",
        (true, true) => " FOR UPDATE SKIP LOCKED",
    }
}

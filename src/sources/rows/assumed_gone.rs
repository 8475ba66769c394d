//! Rows that a plan takes for gone already: a run would have deleted, or updated, them by then.

use std::sync::Arc;

use super::node::{Branch, Node};
use super::scope::KEYS_AT_ONCE;
use super::target::Target;
use super::window::Window;
use crate::policy::{Name, OnDelete, TableName};
use crate::sources::Sql;
use crate::sources::sql::instants::Instants;

/// The rows of an earlier policy, or the windows that the policy itself has passed.
#[derive(Debug, Clone)]
pub struct Gone {
    pub(crate) target: Arc<Target>,
    at: Instants,
    /// Up to and including this window; none: every eligible row.
    until: Option<Window>,
    /// Keys of eligible rows that are kept all the same, because their work still goes on.
    kept: Vec<Vec<String>>,
}

impl Gone {
    /// `kept`: keys of eligible rows that are kept all the same, because their work still goes on. None where they are
    /// too many for a statement: then nothing is taken for gone, and a plan foresees less.
    pub fn new(target: Arc<Target>, at: Instants, until: Option<Window>, kept: Vec<Vec<String>>) -> Option<Self> {
        (kept.len() <= KEYS_AT_ONCE).then_some(Self { target, at, until, kept })
    }

    /// Writes "the row of the target's own table is among them".
    pub(crate) fn push_taken(&self, sql: &mut Sql, before: &[Gone]) {
        sql.push("(").with(|sql| self.target.push_eligible(sql, self.at, before));
        if let Some(window) = &self.until {
            self.target.push_until(sql, window);
        }
        if !self.kept.is_empty() {
            sql.push(" AND NOT ").with(|sql| self.target.node.key.push_among(sql, &self.kept));
        }
        sql.push(")");
    }

    /// Writes "the row of `table` is among them": by itself, or because the row that it points to is.
    fn push_gone(&self, sql: &mut Sql, path: &[&Branch], before: &[Gone]) {
        let Some((branch, above)) = path.split_last() else { return self.push_taken(sql, before) };
        let parent = above.last().map_or(&self.target.node, |branch| &branch.node);
        sql.push("EXISTS (SELECT 1 FROM ").table(&parent.table).push(" WHERE ");
        branch.push_joined(sql, &parent.table, &|sql, column| column.push_of(sql, &branch.node.table));
        sql.push(" AND ").with(|sql| self.push_gone(sql, above, before));
        for (index, earlier) in
            before.iter().enumerate().filter(|(_, earlier)| self.finds_left_by(earlier, branch, parent))
        {
            earlier.push_remaining(sql, &parent.table, &before[..index]);
        }
        sql.push(")");
    }

    /// True if what points to a row of `parent` by that branch is left behind where `earlier` took the row: then it is not
    /// found by way of it any more.
    fn finds_left_by(&self, earlier: &Gone, branch: &Branch, parent: &Node) -> bool {
        let takes = |other: &&Branch| {
            let same = other.node.table == branch.node.table && other.columns == branch.columns;
            same && other.on_delete == OnDelete::Delete
        };
        let mut paths = Vec::new();
        collect_paths(&earlier.target.node, &parent.table, &mut Vec::new(), &mut paths);
        let nodes = paths.iter().map(|path| path.last().map_or(&earlier.target.node, |branch| &branch.node));
        let mut leaving = nodes.filter(|node| node.branches.iter().find(takes).is_none());
        earlier.deletes_in(&self.target.source) && leaving.next().is_some()
    }

    fn deletes_in(&self, source: &Name) -> bool {
        self.target.source == *source && !self.target.updates()
    }

    /// Writes " AND …": the row of `table` is not among those that go.
    fn push_remaining(&self, sql: &mut Sql, table: &TableName, before: &[Gone]) {
        let mut paths = Vec::new();
        collect_paths(&self.target.node, table, &mut Vec::new(), &mut paths);
        for path in paths {
            sql.push(" AND (").with(|sql| self.push_gone(sql, &path, before)).push(") IS NOT TRUE");
        }
    }
}

/// Writes " AND …": the row of `table` is not among those that are deleted by then.
pub(crate) fn push_remaining(sql: &mut Sql, gone: &[Gone], source: &Name, table: &TableName) {
    for (index, gone_by_then) in gone.iter().enumerate().filter(|(_, gone)| gone.deletes_in(source)) {
        gone_by_then.push_remaining(sql, table, &gone[..index]);
    }
}

/// Every way from a policy's own table to `table` along which deletions go.
fn collect_paths<'n>(node: &'n Node, table: &TableName, path: &mut Vec<&'n Branch>, paths: &mut Vec<Vec<&'n Branch>>) {
    if node.table == *table {
        paths.push(path.clone());
    }
    for branch in node.branches.iter().filter(|branch| branch.on_delete == OnDelete::Delete) {
        path.push(branch);
        collect_paths(&branch.node, table, path, paths);
        path.pop();
    }
}

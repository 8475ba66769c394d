//! What a plan takes for gone already: rows that a run would have deleted, or updated, by then.

use std::sync::Arc;

use super::Sql;
use super::node::{Branch, Node};
use super::target::{Instants, Target};
use super::walk::Window;
use crate::policy::{Name, OnDelete, TableName};

/// The rows of an earlier policy, or the windows that the policy itself has passed.
#[derive(Debug, Clone)]
pub struct Gone {
    pub target: Arc<Target>,
    pub at: Instants,
    /// Up to and including this window; none: every eligible row.
    pub until: Option<Window>,
}

impl Gone {
    /// Writes "the row of the target's own table is among them".
    pub(super) fn push_taken(&self, sql: &mut Sql, before: &[Gone]) {
        sql.push("(");
        self.target.push_eligible(sql, self.at, before);
        if let Some(window) = &self.until {
            self.target.push_until(sql, window);
        }
        sql.push(")");
    }

    /// Writes "the row of `table` is among them": by itself, or because the row that it points to is.
    fn push_gone(&self, sql: &mut Sql, path: &[&Branch], before: &[Gone]) {
        let Some((branch, above)) = path.split_last() else { return self.push_taken(sql, before) };
        let parent = above.last().map_or(&self.target.node, |branch| &branch.node);
        sql.push("EXISTS (SELECT 1 FROM ").table(&parent.table).push(" WHERE ");
        let pairs: Vec<_> = branch.columns.0.iter().zip(&branch.referenced).collect();
        super::dialect::separated(sql, " AND ", &pairs, |sql, (column, (referenced, _))| {
            referenced.push_of(sql, &parent.table);
            sql.push(" = ");
            column.push_of(sql, &branch.node.table);
        });
        sql.push(" AND ");
        self.push_gone(sql, above, before);
        sql.push(")");
    }
}

/// Writes " AND …": the row of `table` is not among those that are deleted by then.
pub(super) fn push_remaining(sql: &mut Sql, gone: &[Gone], source: &Name, table: &TableName) {
    for (index, gone_by_then) in gone.iter().enumerate() {
        let target = &gone_by_then.target;
        if target.source != *source || target.updates() {
            continue;
        }
        let mut paths = Vec::new();
        collect_paths(&target.node, table, &mut Vec::new(), &mut paths);
        for path in paths {
            sql.push(" AND (");
            gone_by_then.push_gone(sql, &path, &gone[..index]);
            sql.push(") IS NOT TRUE");
        }
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

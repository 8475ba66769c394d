//! Rows of other tables that follow those of a policy's own: which row one of them follows, and what it says of its
//! files. For a person who asks about one row.

use super::explain::{AskedRow, RowId, WhichRow, push_equal};
use super::node::{Branch, Claim, Node, OwnedRow};
use super::target::Target;
use crate::policy::{OnDelete, TableName};
use crate::sources::sql::keys::KeyTerms;
use crate::sources::sql::term::Term;
use crate::sources::{Session, SourceError, Sql};

/// A table of a policy whose rows follow those of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Following {
    pub on_delete: OnDelete,
    /// The table that its rows point to, and in which columns.
    pub parent: TableName,
    pub columns: Vec<String>,
    /// Places of the branches on the way from the policy's own table.
    way: Vec<usize>,
}

impl Target {
    /// The ways on which rows of a table follow rows of the policy's own.
    pub fn following(&self, table: &TableName) -> Vec<Following> {
        let mut found = Vec::new();
        collect(&self.node.branches, &self.node.table, table, &mut Vec::new(), &mut found);
        found
    }

    /// Identity of a row of the policy's own table.
    pub fn identity(&self, row: &OwnedRow) -> RowId {
        self.identity_in(&self.node, row)
    }

    fn identity_in(&self, node: &Node, row: &OwnedRow) -> RowId {
        let (source, table, key) = (self.source.clone(), node.table.clone(), node.key.clone());
        RowId { source, table, key, values: row.key.clone() }
    }

    /// Identity of a row that follows others, and the files that it claims; none where there is no such row.
    pub async fn claims_of_following(
        &self,
        session: &mut Session,
        row: &AskedRow,
        following: &Following,
    ) -> Result<Option<(RowId, Vec<Claim>)>, SourceError> {
        let Some(Branch { node, .. }) = self.branches_of(following).pop() else { return Ok(None) };
        let mut sql = node.selecting(self.engine);
        sql.with(|sql| row.push_it(sql)).push(" LIMIT 1");
        let found = node.rows(session, &format!("looking for a row of {}", node.table), &sql).await?;
        Ok(found.into_iter().next().map(|row| {
            let mut claims = Vec::new();
            node.claims(&row, &self.owners, &mut claims);
            (self.identity_in(node, &row), claims)
        }))
    }

    fn branches_of(&self, following: &Following) -> Vec<&Branch> {
        let mut branches: Vec<&Branch> = Vec::new();
        for place in &following.way {
            let here = branches.last().map_or(&self.node, |branch| &branch.node);
            branches.extend(here.branches.get(*place));
        }
        branches
    }

    /// The row of the policy's own table that a row of another one follows; none where it points to nothing.
    pub async fn followed(
        &self,
        session: &mut Session,
        row: &AskedRow,
        following: &Following,
    ) -> Result<Option<WhichRow<'static>>, SourceError> {
        let mut condition = Sql::new(self.engine);
        row.push_it(&mut condition);
        let mut pointed_to = Vec::new();
        for branch in self.branches_of(following).into_iter().rev() {
            let mut sql = Sql::new(self.engine);
            sql.push("SELECT ").separated(", ", &branch.columns.0, |sql, term| term.push_text(sql));
            sql.push(" FROM ").table(&branch.node.table).push(" WHERE ").append(&condition).push(" LIMIT 1");
            let operation = format!("looking for what a row of {} points to", branch.node.table);
            let values = session.query(&operation, &sql).await?.into_iter().next().map(|row| row.0);
            let Some(values) = values.and_then(|values| values.into_iter().collect::<Option<Vec<_>>>()) else {
                return Ok(None);
            };
            pointed_to = branch.referenced.iter().map(|(term, _)| term.clone()).zip(values).collect();
            condition = Sql::new(self.engine);
            condition.separated(" AND ", &pointed_to, |sql, (term, value)| push_equal(sql, term, value));
        }
        Ok(Some(WhichRow::PointedTo(pointed_to)))
    }
}

fn collect(
    branches: &[Branch],
    parent: &TableName,
    table: &TableName,
    way: &mut Vec<usize>,
    found: &mut Vec<Following>,
) {
    for (place, branch) in branches.iter().enumerate() {
        way.push(place);
        if branch.node.table == *table {
            let KeyTerms(columns) = &branch.columns;
            found.push(Following {
                on_delete: branch.on_delete,
                parent: parent.clone(),
                columns: columns.iter().map(Term::name).collect(),
                way: way.clone(),
            });
        }
        collect(&branch.node.branches, &branch.node.table, table, way, found);
        way.pop();
    }
}

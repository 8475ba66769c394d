//! Rows whose files are none of their store's: which rows of the policy's own table they would go with, and the first
//! eligible rows, for a look at their files before any goes.

use std::collections::{HashMap, HashSet};

use super::assumed_gone::{Gone, push_remaining};
use super::node::{Branch, Node, OwnedRow};
use super::scope::KEYS_AT_ONCE;
use super::target::Target;
use crate::sources::sql::instants::Instants;
use crate::sources::sql::keys::KeyTerms;
use crate::sources::{Session, SourceError, Sql, Window};

/// Rows of other tables go with each row: so many times fewer rows are looked at first.
const FEWER_WITH_OTHERS: u32 = 10;

impl Target {
    /// Keys of the policy's own rows with which some rows go, each given by the owner of its file and its key: the row
    /// itself, or the one that it points to.
    pub async fn rows_behind(
        &self,
        session: &mut Session,
        rows: &[(usize, &Vec<String>)],
    ) -> Result<HashSet<Vec<String>>, SourceError> {
        let mut by_owner: HashMap<usize, HashSet<&Vec<String>>> = HashMap::new();
        for (owner, key) in rows {
            by_owner.entry(*owner).or_default().insert(key);
        }
        let mut behind = HashSet::new();
        for (owner, keys) in by_owner {
            let keys: Vec<Vec<String>> = keys.into_iter().cloned().collect();
            match way_to(&self.node, owner) {
                Some(way) if !way.is_empty() => behind.extend(self.climb(session, &way, keys).await?),
                Some(_) | None => behind.extend(keys),
            }
        }
        Ok(behind)
    }

    /// Keys of the rows at the beginning of a way from which rows at its end are pointed at.
    async fn climb(
        &self,
        session: &mut Session,
        way: &[&Branch],
        keys: Vec<Vec<String>>,
    ) -> Result<Vec<Vec<String>>, SourceError> {
        let mut known = keys;
        for (depth, branch) in way.iter().enumerate().rev() {
            let node = depth.checked_sub(1).map_or(&self.node, |above| &way[above].node);
            let mut above = HashSet::new();
            for some in known.chunks(KEYS_AT_ONCE) {
                let pointed_at = self.pointed_at(session, branch, some).await?;
                for values in pointed_at.chunks(KEYS_AT_ONCE) {
                    let mut sql = node.selecting(self.engine);
                    let terms = KeyTerms(branch.referenced.iter().map(|(term, _)| term.clone()).collect());
                    terms.push_among(&mut sql, values);
                    let operation = format!("looking for the rows of {} that others go with", node.table);
                    above.extend(node.rows(session, &operation, &sql).await?.into_iter().map(|row| row.key));
                }
            }
            known = above.into_iter().collect();
        }
        Ok(known)
    }

    /// Values that rows of a branch, each given by its key, have in the columns that point.
    async fn pointed_at(
        &self,
        session: &mut Session,
        branch: &Branch,
        keys: &[Vec<String>],
    ) -> Result<Vec<Vec<String>>, SourceError> {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ").with(|sql| branch.columns.push_texts(sql));
        sql.push(" FROM ").table(&branch.node.table).push(" WHERE ").with(|sql| branch.node.key.push_among(sql, keys));
        let operation = format!("looking for what rows of {} point to", branch.node.table);
        let rows = session.query(&operation, &sql).await?;
        Ok(rows.into_iter().filter_map(|row| row.0.into_iter().collect()).collect())
    }

    /// The first eligible rows that are not gone, from old to young where an index says which those are: few, to look at
    /// their files.
    pub async fn first(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
        most: u32,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let most = if self.node.takes_others_along() { (most / FEWER_WITH_OTHERS).max(1) } else { most };
        let mut sql = self.node.selecting(self.engine);
        sql.with(|sql| self.push_eligible(sql, at, gone)).with(|sql| self.push_window(sql, at, &Window::All));
        push_remaining(&mut sql, gone, &self.source, &self.node.table);
        if let Some(age) = self.age.as_ref().filter(|_| self.age_indexed) {
            sql.push(" ORDER BY ").with(|sql| age.term.push_of(sql, &self.node.table));
        }
        sql.push(&format!(" LIMIT {most}"));
        self.node.rows(session, &format!("looking at the first rows of {}", self.node.table), &sql).await
    }
}

/// The branches from a node to the one whose rows own files by an owner.
fn way_to(node: &Node, owner: usize) -> Option<Vec<&Branch>> {
    if node.files.iter().any(|file| file.owner == owner) {
        return Some(Vec::new());
    }
    node.branches.iter().find_map(|branch| {
        let mut way = vec![branch];
        way.extend(way_to(&branch.node, owner)?);
        Some(way)
    })
}

//! Tables with a foreign key to themselves. A row goes when everything that points to it, at any depth, goes as well; what a
//! row that stays needs stays. No row is left to the database's own cascade, which asks nobody's age.
//!
//! A plan judges by a recursive question. A run goes by the rows that it has locked: of these it takes those to which
//! nothing else points, the youngest generation first, and comes back to the others, so that no statement is longer than a
//! batch, however deep the tree is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::assumed_gone::{Gone, push_remaining};
use super::node::{Node, OwnedRow, Tree, Way};
use super::scope::KEYS_AT_ONCE;
use super::target::Target;
use crate::policy::Engine;
use crate::sources::sql::dialect::{TreeOrder, dialect};
use crate::sources::sql::instants::Instants;
use crate::sources::sql::keys::KeyTerms;
use crate::sources::sql::term::Term;
use crate::sources::{Session, SourceError, Sql};

/// Most rows that are taken together from a table that points to itself: each is bound twice.
pub const TREE_ROWS_AT_ONCE: u32 = 4000;

impl Tree {
    fn referenced(&self) -> impl Iterator<Item = &Term> {
        self.ways.iter().take(1).flat_map(|way| way.branch.referenced.iter().map(|(term, _)| term))
    }

    /// Sorts rows into generations, those first to which no other of them points. Rows that point to one another in a
    /// circle are the last one.
    pub(crate) fn generations(&self, rows: Vec<OwnedRow>) -> Vec<Vec<OwnedRow>> {
        let parents = self.parents(&rows);
        let mut pointing = vec![0_usize; rows.len()];
        parents.iter().flatten().for_each(|parent| pointing[*parent] += 1);
        let mut generation: Vec<usize> = (0..rows.len()).filter(|row| pointing[*row] == 0).collect();
        let mut rows: Vec<Option<OwnedRow>> = rows.into_iter().map(Some).collect();
        let mut sorted = Vec::new();
        while !generation.is_empty() {
            let mut next = Vec::new();
            for parent in generation.iter().flat_map(|row| &parents[*row]) {
                pointing[*parent] -= 1;
                if pointing[*parent] == 0 {
                    next.push(*parent);
                }
            }
            sorted.push(generation.iter().filter_map(|row| rows[*row].take()).collect());
            generation = next;
        }
        let circle: Vec<_> = rows.into_iter().flatten().collect();
        if !circle.is_empty() {
            sorted.push(circle);
        }
        sorted
    }

    /// For each of some rows, those of them that it points to, itself left out.
    fn parents(&self, rows: &[OwnedRow]) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
        for way in &self.ways {
            let places: Vec<_> = way.branch.referenced.iter().map(|(_, place)| *place).collect();
            let by_value: HashMap<Vec<Option<String>>, usize> =
                rows.iter().enumerate().map(|(index, row)| (row.texts(&places), index)).collect();
            for (index, row) in rows.iter().enumerate() {
                let parent = by_value.get(&row.texts(&way.pointers));
                found[index].extend(parent.filter(|parent| **parent != index));
            }
        }
        found
    }
}

impl Target {
    /// The target as a run uses it, which takes rows in the order in which they can go instead of asking about each.
    pub fn peeling(&self) -> Arc<Target> {
        Arc::new(Target { judges_tree: false, ..self.clone() })
    }

    /// Writes "no row that stays needs the row": none points to it, nor to one that points to it.
    pub(crate) fn push_unneeded(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        let Some(tree) = &self.node.tree else { return };
        let referenced: Vec<&Term> = tree.referenced().collect();
        let names: Vec<_> = (0..referenced.len()).map(|number| format!("r{number}")).collect();
        sql.push("((").separated(", ", &referenced, |sql, term| term.push(sql));
        sql.push(&format!(") IN (WITH RECURSIVE retaind_needed({}) AS (", names.join(", ")));
        sql.separated(" UNION ", &tree.ways, |sql, way| self.push_needed_at_once(sql, at, way, gone)).push(" UNION ");
        self.push_needed_above(sql, tree, &names);
        sql.push(&format!(") SELECT {} FROM retaind_needed)) IS NOT TRUE", names.join(", ")));
    }

    /// Writes the question for what rows that stay point to.
    fn push_needed_at_once(&self, sql: &mut Sql, at: Instants, way: &Way, gone: &[Gone]) {
        let (node, columns) = (&self.node, &way.branch.columns.0);
        let pointing = |sql: &mut Sql, term: &Term| {
            sql.push("pointing.").push(term);
        };
        sql.push("SELECT ").separated(", ", columns, |sql, term| pointing(sql, term));
        sql.push(" FROM ").table(&node.table).push(" AS pointing WHERE (");
        sql.separated(", ", columns, |sql, term| pointing(sql, term)).push(") IN (SELECT ");
        let referenced: Vec<&Term> = way.branch.referenced.iter().map(|(term, _)| term).collect();
        sql.separated(", ", &referenced, |sql, term| term.push(sql)).push(" FROM ").table(&node.table).push(" WHERE ");
        sql.with(|sql| self.push_matching(sql, at)).push(") AND NOT ");
        self.push_same_row(sql, |sql| self.push_eligible_alone(sql, at, gone));
        if !gone.is_empty() {
            sql.push(" AND ");
            self.push_same_row(sql, |sql| {
                sql.push("1 = 1").with(|sql| push_remaining(sql, gone, &self.source, &node.table));
            });
        }
    }

    /// Writes "the row called `pointing` is as `condition` says", which is written for the table's own name.
    fn push_same_row(&self, sql: &mut Sql, condition: impl FnOnce(&mut Sql)) {
        let table = &self.node.table;
        sql.push("EXISTS (SELECT 1 FROM ").table(table).push(" WHERE ");
        sql.separated(" AND ", &self.node.key.0, |sql, term| {
            sql.with(|sql| term.push_of(sql, table)).push(" = pointing.").push(term);
        });
        sql.push(" AND ");
        condition(sql);
        sql.push(")");
    }

    /// Writes the question for what those that are needed point to.
    fn push_needed_above(&self, sql: &mut Sql, tree: &Tree, names: &[String]) {
        let numbered: Vec<usize> = (0..names.len()).collect();
        let pointer = |sql: &mut Sql, number: usize| {
            sql.push("CASE ways.n");
            for (which, way) in tree.ways.iter().enumerate() {
                sql.push(&format!(" WHEN {which} THEN pointing."));
                if let Some(term) = way.branch.columns.0.get(number) {
                    term.push(sql);
                }
            }
            sql.push(" END");
        };
        sql.push("SELECT ").separated(", ", &numbered, |sql, number| pointer(sql, *number));
        // From what is needed to what it points to, by index: a server that turns this round reads the table at each level.
        let join = sql.traits().join_in_order;
        let ways = 0..tree.ways.len();
        let ways: Vec<_> =
            ways.map(|which| format!("SELECT {which}{}", if which == 0 { " AS n" } else { "" })).collect();
        let ways = ways.join(" UNION ALL ");
        sql.push(&format!(" FROM retaind_needed CROSS JOIN ({ways}) AS ways {join} "));
        sql.table(&self.node.table).push(" AS pointing ON ");
        let referenced: Vec<_> = tree.referenced().zip(names).collect();
        sql.separated(" AND ", &referenced, |sql, (term, name)| {
            sql.push("pointing.").push(term).push(&format!(" = retaind_needed.{name}"));
        });
        sql.push(" WHERE ");
        sql.separated(" AND ", &numbered, |sql, number| {
            pointer(sql, *number);
            sql.push(" IS NOT NULL");
        });
    }

    /// Writes " FROM … WHERE …": rows of the table, called `pointing`, that point to a row and stay.
    pub(crate) fn push_needing(&self, sql: &mut Sql, at: Instants) {
        let Some(tree) = &self.node.tree else { return };
        sql.push(" FROM ").table(&self.node.table).push(" AS pointing WHERE (");
        sql.separated(" OR ", &tree.ways, |sql, way| {
            sql.push("(").with(|sql| self.push_points_to(sql, way)).push(")");
        });
        sql.push(") AND NOT ");
        self.push_same_row(sql, |sql| self.push_eligible(sql, at, &[]));
    }

    fn push_points_to(&self, sql: &mut Sql, way: &Way) {
        way.branch.push_joined(sql, &self.node.table, &|sql, column| {
            sql.push("pointing.").push(column);
        });
    }

    /// Those of some locked rows to which no other row points any more, in generations, and how many others there are. A
    /// row to which one of the table points that is not among them would take that one along, or could not go.
    pub(crate) async fn peel(
        &self,
        session: &mut Session,
        mut rows: Vec<OwnedRow>,
    ) -> Result<(Vec<Vec<OwnedRow>>, u64), SourceError> {
        let Some(tree) = &self.node.tree else { return Ok((vec![rows], 0)) };
        let found = rows.len();
        rows.truncate(TREE_ROWS_AT_ONCE as usize * 5 / 4);
        loop {
            let needed = self.pointed_to_from_elsewhere(session, tree, &rows).await?;
            if needed.is_empty() {
                let deferred = (found - rows.len()) as u64;
                return Ok((tree.generations(rows), deferred));
            }
            let parents = tree.parents(&rows);
            let mut stays: Vec<usize> = (0..rows.len()).filter(|row| needed.contains(&rows[*row].key)).collect();
            let mut is_needed = vec![false; rows.len()];
            while let Some(row) = stays.pop() {
                if !std::mem::replace(&mut is_needed[row], true) {
                    stays.extend(&parents[row]);
                }
            }
            let mut is_needed = is_needed.into_iter();
            rows.retain(|_| !is_needed.next().unwrap_or(true));
        }
    }

    async fn pointed_to_from_elsewhere(
        &self,
        session: &mut Session,
        tree: &Tree,
        rows: &[OwnedRow],
    ) -> Result<HashSet<Vec<String>>, SourceError> {
        let mut needed = HashSet::new();
        if rows.is_empty() {
            return Ok(needed);
        }
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        let node = &self.node;
        for way in &tree.ways {
            let mut sql = Sql::new(self.engine);
            sql.push("SELECT ").with(|sql| node.key.push_texts(sql)).push(" FROM ").table(&node.table).push(" WHERE ");
            node.key.push_among(&mut sql, &keys);
            sql.push(" AND EXISTS (SELECT 1 FROM ").table(&node.table).push(" AS pointing WHERE ");
            sql.with(|sql| self.push_points_to(sql, way)).push(" AND NOT (");
            node.key.push_written_among(&mut sql, &keys, &node.key, |sql, _, column| {
                sql.push("pointing.").push(column);
            });
            sql.push("))");
            // What others have committed by now, also where the transaction sees an older state.
            sql.push(self.traits().share_lock);
            let operation = format!("asking what points to a batch of {}", node.table);
            let rows = session.query(&operation, &sql).await?;
            needed.extend(rows.into_iter().filter_map(|row| row.0.into_iter().collect::<Option<Vec<_>>>()));
        }
        Ok(needed)
    }

    /// Rows that the database deletes by itself with some of another table's that go: what points to them, at any depth.
    pub(crate) async fn with_cascade(
        &self,
        session: &mut Session,
        node: &Node,
        mut rows: Vec<OwnedRow>,
        gone: &[Gone],
        mut is_new: impl FnMut(&OwnedRow) -> bool,
        locking: Option<&str>,
    ) -> Result<Vec<OwnedRow>, SourceError> {
        let Some(tree) = &node.tree else { return Ok(rows) };
        let mut known: HashSet<Vec<String>> = rows.iter().map(|row| row.key.clone()).collect();
        let mut begin = 0;
        while begin < rows.len() {
            let mut next = Vec::new();
            for way in tree.ways.iter().filter(|way| way.cascades) {
                for values in way.branch.values(&rows[begin..]).chunks(KEYS_AT_ONCE) {
                    let mut sql = node.selecting(self.engine);
                    way.branch.push_among(&mut sql, values);
                    match locking {
                        Some(locking) => sql.push(locking),
                        None => {
                            push_remaining(&mut sql, gone, &self.source, &node.table);
                            &mut sql
                        }
                    };
                    let operation = format!("looking for rows of {} that go with others of it", node.table);
                    let found = node.rows(session, &operation, &sql).await?;
                    next.extend(found.into_iter().filter(|row| known.insert(row.key.clone()) && is_new(row)));
                }
            }
            begin = rows.len();
            rows.append(&mut next);
        }
        Ok(rows)
    }
}

/// The statements in which rows of a table that points to itself are deleted: the rows of each, and whether their order
/// counts.
pub(crate) fn statements(engine: Engine, generations: Vec<Vec<OwnedRow>>) -> Vec<Vec<OwnedRow>> {
    match dialect(engine).traits().tree_order {
        TreeOrder::AtTheEnd => vec![generations.concat()],
        TreeOrder::ByGeneration => generations,
        TreeOrder::InOrder(at_once) => generations.concat().chunks(at_once).map(<[OwnedRow]>::to_vec).collect(),
    }
}

/// Writes " ORDER BY …" for a deletion in the order of `keys`, where that order counts.
pub(crate) fn push_in_order(sql: &mut Sql, key: &KeyTerms, keys: &[Vec<String>]) {
    if !matches!(sql.traits().tree_order, TreeOrder::InOrder(_)) || keys.len() < 2 {
        return;
    }
    sql.push(" ORDER BY CASE");
    for (number, one) in keys.iter().enumerate() {
        sql.push(" WHEN ").with(|sql| key.push_among(sql, std::slice::from_ref(one))).push(&format!(" THEN {number}"));
    }
    sql.push(" END");
}

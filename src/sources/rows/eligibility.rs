//! Eligibility, written into statements: old enough, as `where` says, and kept by nothing.

use jiff::Timestamp;

use super::assumed_gone::{Gone, push_remaining};
use super::node::Branch;
use super::target::{Change, KeepTerms, NewValue, Protecting, Target, literal};
use crate::policy::{Name, TableName};
use crate::sources::Sql;
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::instants::Instants;

impl Target {
    /// Writes the whole eligibility: old enough, as `where` says, and kept by nothing.
    pub fn push_eligible(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        if self.judges_tree() {
            sql.push("(").with(|sql| self.push_eligible_alone(sql, at, gone)).push(" AND ");
            sql.with(|sql| self.push_unneeded(sql, at, gone)).push(")");
        } else {
            self.push_eligible_alone(sql, at, gone);
        }
    }

    /// Writes the eligibility of a row by itself, whatever points to it from its own table.
    pub(crate) fn push_eligible_alone(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        if self.unjudged.is_some() {
            return self.push_judged(sql, at, |sql| {
                self.push_condition(sql, at);
                if self.may_be_kept_alone() {
                    sql.push(" AND ").with(|sql| self.push_unkept_alone(sql, at, gone));
                }
            });
        }
        sql.push("(").with(|sql| self.push_matching(sql, at));
        if self.may_be_kept_alone() {
            sql.push(" AND ").with(|sql| self.push_unkept_alone(sql, at, gone));
        }
        sql.push(")");
    }

    /// Writes "the row is old enough and as `where` says"; at least one of the two is asked for.
    pub(crate) fn push_matching(&self, sql: &mut Sql, at: Instants) {
        if self.unjudged.is_some() {
            return self.push_judged(sql, at, |sql| self.push_condition(sql, at));
        }
        let mut before = "(";
        if let (Some(_), Some(_)) = (&self.age, at.cutoff) {
            sql.push(before).with(|sql| self.push_old(sql, at));
            before = " AND ";
        }
        if let Some(condition) = &self.condition {
            sql.push(before).with(|sql| push_condition(sql, condition, at, &self.bound));
        }
        sql.push(")");
    }

    /// Writes "the row is old enough".
    pub(crate) fn push_old(&self, sql: &mut Sql, at: Instants) {
        let (Some(age), Some(cutoff)) = (&self.age, at.cutoff) else { return };
        let Some(KeepTerms { term, by }) = &self.keep else { return age.push_older(sql, cutoff, at.above_floor) };
        let before = |keep| at.now.checked_sub(keep).unwrap_or(Timestamp::MIN);
        sql.push("(");
        sql.separated(" OR ", &by.values, |sql, (value, keep)| {
            sql.push("(").with(|sql| term.push_is_one_of(sql, std::slice::from_ref(value))).push(" AND ");
            sql.with(|sql| age.push_older(sql, before(*keep), at.above_floor)).push(")");
        });
        if let Some(keep) = by.default {
            sql.push(" OR ((").with(|sql| self.push_unlisted(sql)).push(") AND ");
            sql.with(|sql| age.push_older(sql, before(keep), at.above_floor)).push(")");
        }
        sql.push(")");
    }

    /// Writes "the value that decides the time is none of those listed".
    pub(crate) fn push_unlisted(&self, sql: &mut Sql) {
        let Some(KeepTerms { term, by }) = &self.keep else { return };
        let values: Vec<_> = by.values.iter().map(|(value, _)| value.clone()).collect();
        sql.push(term).push(" IS NULL OR NOT (").with(|sql| term.push_is_one_of(sql, &values)).push(")");
    }

    /// Writes "nothing keeps the row": no liveness in SQL, no protection, no child that keeps its parent, no row of the same
    /// table that needs it.
    pub(crate) fn push_unkept(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        sql.push("(");
        if self.may_be_kept_alone() {
            sql.with(|sql| self.push_unkept_alone(sql, at, gone)).push(if self.judges_tree() { " AND " } else { "" });
        }
        if self.judges_tree() {
            self.push_unneeded(sql, at, gone);
        }
        sql.push(")");
    }

    fn push_unkept_alone(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        let mut before = "(";
        if let Some(alive) = &self.alive {
            sql.push(before).with(|sql| push_condition(sql, alive, at, &self.bound)).push(" IS FALSE");
            before = " AND ";
        }
        for index in 0..self.protections.len() {
            sql.push(before).push("NOT EXISTS (SELECT 1").with(|sql| self.push_protecting(sql, at, index, gone));
            sql.push(")");
            before = " AND ";
        }
        for path in self.keeping() {
            sql.push(before).push("NOT EXISTS (SELECT 1");
            sql.with(|sql| self.push_pointing(sql, &self.node.table, &path, gone)).push(")");
            before = " AND ";
        }
        sql.push(")");
    }

    /// Writes " FROM … WHERE …": the rows that point to a row of `parent` and, by the rest of the path, are pointed to.
    pub(crate) fn push_pointing(&self, sql: &mut Sql, parent: &TableName, path: &[&Branch], gone: &[Gone]) {
        let Some((branch, rest)) = path.split_first() else { return };
        branch.push_pointing(sql, &self.source, parent, gone);
        if !rest.is_empty() {
            sql.push(" AND EXISTS (SELECT 1").with(|sql| self.push_pointing(sql, &branch.node.table, rest, gone));
            sql.push(")");
        }
    }

    /// Writes " FROM … WHERE …": the rows that protect a row of the policy's table.
    pub(crate) fn push_protecting(&self, sql: &mut Sql, at: Instants, index: usize, gone: &[Gone]) {
        let Protecting { table, on, condition } = &self.protections[index];
        sql.push(" FROM ").table(table).push(" WHERE ").with(|sql| push_condition(sql, on, at, &self.bound));
        if let Some(condition) = condition {
            sql.push(" AND ").with(|sql| push_condition(sql, condition, at, &self.bound));
        }
        push_remaining(sql, gone, &self.source, table);
    }

    /// Writes what is set, for an update.
    pub(crate) fn push_set(&self, sql: &mut Sql, at: Instants) {
        let Change::Update(set) = &self.change else { return };
        sql.separated(", ", set, |sql, (term, value)| {
            sql.push(term).push(" = ");
            match value {
                NewValue::Sql(expression) => push_condition(sql, expression, at, &self.bound),
                NewValue::Literal(value) => {
                    if let Some(text) = literal(value, self.engine) {
                        term.push_value(sql, &text);
                    }
                }
            }
        });
    }
}

impl Branch {
    /// Writes " FROM … WHERE …": the rows that point to a row of `parent`.
    pub(crate) fn push_pointing(&self, sql: &mut Sql, source: &Name, parent: &TableName, gone: &[Gone]) {
        // A table that points to itself needs another name for the rows that point.
        let itself = self.node.table == *parent;
        sql.push(" FROM ").table(&self.node.table).push(if itself { " AS pointing WHERE " } else { " WHERE " });
        self.push_joined(sql, parent, &|sql, column| match itself {
            true => {
                sql.push("pointing.").push(column);
            }
            false => column.push_of(sql, &self.node.table),
        });
        if !itself {
            push_remaining(sql, gone, source, &self.node.table);
        }
    }
}

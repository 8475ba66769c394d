//! Details of affected rows that are no columns: expressions of the operator's, how old a row is and how long it was kept,
//! and what an update makes of the columns that it sets. They are asked for beside the run, of few rows and in a read-only
//! transaction: nothing is decided by them, and a row goes whatever comes of such a question.

use std::collections::BTreeMap;

use serde_json::Value;

use super::detail::{AskedDetails, Computed};
use super::node::{OwnedRow, value_of};
use super::scope::Scope;
use super::target::{Change, KeepTerms, NewValue, Target};
use crate::decide::rows::AgeValue;
use crate::policy::SET_DETAIL;
use crate::sources::sql::condition::push_condition;
use crate::sources::sql::fragment::Fragment;
use crate::sources::sql::instants::Instants;
use crate::sources::sql::term::Term;
use crate::sources::{ErrorKind, Session, SourceError, Sql};
use crate::text::SHOWN_BYTES;

/// Columns that a question returns behind the key, in this order.
struct Returned<'t> {
    computed: Vec<(&'t str, &'t Computed)>,
    /// Expressions, which come together as a JSON array.
    expressions: Vec<(&'t str, &'t Fragment)>,
    set: &'t [(Term, NewValue)],
    foresees: bool,
}

impl Target {
    /// True if the result shows of rows what has to be asked for.
    pub fn asks_details(&self) -> bool {
        !self.computed.is_empty() || (self.has_details() && self.updates())
    }

    /// Asks about the first rows of a scope, before they are changed.
    pub async fn details_before(
        &self,
        session: &mut Session,
        at: Instants,
        scope: Scope<'_>,
        limit: usize,
    ) -> Result<AskedDetails, SourceError> {
        // Where a row lies says nothing of it once it is updated.
        let foresees = self.node.key.0.iter().any(Term::is_place);
        self.ask(session, (at, limit), foresees, |sql| self.push_scope(sql, at, scope, &[])).await
    }

    /// Asks about rows that a run would change, and what it would make of them.
    pub async fn details_foreseen(
        &self,
        session: &mut Session,
        at: Instants,
        rows: &[OwnedRow],
    ) -> Result<AskedDetails, SourceError> {
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        let among = |sql: &mut Sql| self.node.key.push_among(sql, &keys);
        match self.ask(session, (at, keys.len()), true, among).await {
            // What is set may be something that only a change can tell, such as the next number of a sequence.
            Err(error) if self.sets_by_sql() && error.kind == ErrorKind::ReadOnly => {
                self.ask(session, (at, keys.len()), false, among).await
            }
            asked => asked,
        }
    }

    /// Adds what has become of the columns that an update sets.
    pub async fn details_after(
        &self,
        session: &mut Session,
        rows: &[OwnedRow],
        asked: &mut AskedDetails,
    ) -> Result<(), SourceError> {
        let (Change::Update(set), Some(known)) = (&self.change, &mut asked.0) else { return Ok(()) };
        if rows.is_empty() || self.node.key.0.iter().any(Term::is_place) {
            return Ok(());
        }
        let keys: Vec<_> = rows.iter().map(|row| row.key.clone()).collect();
        let mut sql = self.keyed();
        for (term, _) in set {
            sql.push(", ").with(|sql| term.push_beginning(sql, SHOWN_BYTES + 1));
        }
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ");
        self.node.key.push_among(&mut sql, &keys);
        let operation = format!("looking at updated rows of {}", self.node.table);
        for row in session.query(&operation, &sql).await? {
            let (key, values) = self.split(row.0);
            let Some(Value::Object(changed)) = known.get_mut(&key).and_then(|details| details.get_mut(SET_DETAIL))
            else {
                continue;
            };
            for ((term, _), value) in set.iter().zip(values) {
                if let Some(Value::Object(column)) = changed.get_mut(&term.name()) {
                    column.insert("new".to_owned(), value_of(value.as_deref(), term.kind()));
                }
            }
        }
        Ok(())
    }

    fn sets_by_sql(&self) -> bool {
        matches!(&self.change, Change::Update(set) if set.iter().any(|(_, value)| matches!(value, NewValue::Sql(_))))
    }

    async fn ask(
        &self,
        session: &mut Session,
        (at, limit): (Instants, usize),
        foresees: bool,
        condition: impl FnOnce(&mut Sql),
    ) -> Result<AskedDetails, SourceError> {
        let returned = self.returned_details(foresees);
        let mut sql = self.keyed();
        self.push_details(&mut sql, at, &returned);
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ");
        condition(&mut sql);
        sql.push(" ORDER BY ").with(|sql| self.node.key.push_order(sql, &self.node.table));
        sql.push(&format!(" LIMIT {limit}"));
        session.begin_snapshot().await?;
        let asked = session.query(&format!("asking for details of rows of {}", self.node.table), &sql).await;
        session.rollback().await?;
        let read = |columns| {
            let (key, values) = self.split(columns);
            (key, self.read_details(at, &returned, values))
        };
        Ok(AskedDetails(Some(asked?.into_iter().map(|row| read(row.0)).collect())))
    }

    fn returned_details(&self, foresees: bool) -> Returned<'_> {
        let mut expressions = Vec::new();
        let mut computed = Vec::new();
        for (name, what) in &self.computed {
            match what {
                Computed::Sql(fragment) => expressions.push((name.as_str(), fragment)),
                what => computed.push((name.as_str(), what)),
            }
        }
        let set = match &self.change {
            Change::Update(set) => set.as_slice(),
            Change::Delete => &[],
        };
        Returned { computed, expressions, set, foresees }
    }

    /// A question that returns the key first.
    fn keyed(&self) -> Sql {
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").separated(", ", &self.node.key.0, |sql, term| term.push_text(sql));
        sql
    }

    fn split(&self, mut columns: Vec<Option<String>>) -> (Vec<String>, Vec<Option<String>>) {
        let values = columns.split_off(self.node.key.0.len().min(columns.len()));
        (columns.into_iter().map(Option::unwrap_or_default).collect(), values)
    }

    fn push_details(&self, sql: &mut Sql, at: Instants, returned: &Returned<'_>) {
        for (_, what) in &returned.computed {
            sql.push(", ");
            match (what, &self.age) {
                (Computed::Age, Some(age)) => age.push_instant_text(sql),
                (Computed::Keep, _) => self.push_keep_secs(sql, at),
                (Computed::Age | Computed::Sql(_), _) => {
                    sql.push("NULL");
                }
            }
        }
        if !returned.expressions.is_empty() {
            let (before, behind) = self.traits().json_array;
            sql.push(", ").push(before);
            sql.separated(", ", &returned.expressions, |sql, (_, fragment)| {
                push_condition(sql, fragment, at, &self.bound);
            });
            sql.push(behind);
        }
        for (term, _) in returned.set {
            sql.push(", ").with(|sql| term.push_beginning(sql, SHOWN_BYTES + 1));
        }
        for (term, value) in returned.set.iter().filter(|_| returned.foresees) {
            sql.push(", ").with(|sql| self.push_foreseen(sql, at, term, value));
        }
    }

    /// Writes for how many seconds the row is kept, as text.
    fn push_keep_secs(&self, sql: &mut Sql, at: Instants) {
        let secs = |keep: std::time::Duration| format!("'{}'", keep.as_secs());
        match (&self.keep, at.cutoff) {
            (Some(KeepTerms { term, by }), _) => {
                sql.push("CASE");
                for (value, keep) in &by.values {
                    sql.push(" WHEN ").with(|sql| term.push_is_one_of(sql, std::slice::from_ref(value)));
                    sql.push(" THEN ").push(&secs(*keep));
                }
                let other = by.default.map_or_else(|| "NULL".to_owned(), secs);
                sql.push(" ELSE ").push(&other).push(" END");
            }
            (None, Some(cutoff)) => {
                sql.push(&secs(at.now.duration_since(cutoff).unsigned_abs()));
            }
            (None, None) => {
                sql.push("NULL");
            }
        }
    }

    /// Writes the text of a column once it is set.
    fn push_foreseen(&self, sql: &mut Sql, at: Instants, term: &Term, value: &NewValue) {
        let text = sql.dialect().text(term.typed());
        let (before, behind) = sql.traits().beginning;
        let types = sql.traits().types_null;
        sql.push(before);
        sql.template(text, |sql, _| {
            sql.push("(");
            match value {
                NewValue::Sql(expression) => push_condition(sql, expression, at, &self.bound),
                NewValue::Literal(value) => {
                    if let Some(literal) = super::target::literal(value, self.engine) {
                        term.push_value(sql, &literal);
                    }
                }
            }
            sql.push(")");
            if types {
                sql.push("::").push(&term.typed().declared);
            }
        });
        sql.push(behind).push(&(SHOWN_BYTES + 1).to_string()).push(")");
    }

    fn read_details(
        &self,
        at: Instants,
        returned: &Returned<'_>,
        values: Vec<Option<String>>,
    ) -> BTreeMap<String, Value> {
        let mut values = values.into_iter();
        let mut next = || values.next().flatten();
        let mut details = BTreeMap::new();
        for (name, what) in &returned.computed {
            let text = next();
            let secs = match (what, &self.age, text) {
                (Computed::Age, Some(age), Some(text)) => match age.read(&text) {
                    AgeValue::At(from) => Some(at.now.duration_since(from).as_secs()),
                    _ => None,
                },
                (_, _, text) => text.and_then(|text| text.parse().ok()),
            };
            details.insert((*name).to_owned(), secs.into());
        }
        if !returned.expressions.is_empty() {
            let array = next().and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok()).unwrap_or_default();
            let mut array = array.into_iter();
            for (name, _) in &returned.expressions {
                details.insert((*name).to_owned(), array.next().unwrap_or_default());
            }
        }
        let mut changed = serde_json::Map::new();
        for (term, _) in returned.set {
            let old = value_of(next().as_deref(), term.kind());
            changed.insert(term.name(), serde_json::json!({ "old": old }));
        }
        for (term, _) in returned.set.iter().filter(|_| returned.foresees) {
            let new = value_of(next().as_deref(), term.kind());
            changed[&term.name()]["new"] = new;
        }
        if !changed.is_empty() {
            details.insert(SET_DETAIL.to_owned(), changed.into());
        }
        details
    }
}

//! Rows that a policy leaves alone because they cannot be judged, and values that nobody foresaw.

use super::assumed_gone::{Gone, push_remaining};
use super::node::OwnedRow;
use super::statements::number;
use super::target::Target;
use crate::decide::rows::AgeValue;
use crate::policy::AgeFormat;
use crate::sources::sql::instants::Instants;
use crate::sources::{Session, SourceError, Sql};
use crate::text::SHOWN_BYTES;
use jiff::{Timestamp, ToSpan};

/// Values that a note names at most.
const VALUES_AT_MOST: usize = 20;
/// Values of an age column that are looked at to see what they count.
const AGES_AT_MOST: usize = 1000;
/// A date further ahead than this, in hours, hardly is one.
const PLAUSIBLE_HOURS: i64 = 100 * 366 * 24;

/// The first values of an age column, and what they look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampledAges {
    pub column: String,
    /// Number of values, at most a thousand.
    pub values: usize,
    /// Number of them that are a time by the policy.
    pub timed: usize,
    /// Number of them that cannot be read.
    pub unreadable: usize,
    /// The unit that the policy says they count.
    pub declared: Option<AgeFormat>,
    /// Another unit in which they are sensible dates, where hardly any is in the declared one.
    pub fitting: Option<AgeFormat>,
    /// One that is not a time; of a long text the beginning.
    pub example: String,
}

impl SampledAges {
    /// The problem that all of them have, in words; none where some are dates, or none says anything.
    pub fn trouble(&self) -> Option<String> {
        let Self { column, values, timed, unreadable, declared, fitting, example } = self;
        let looked_at = if *values == 1 { "the only value".to_owned() } else { format!("{values} values") };
        if let (Some(declared), Some(fitting)) = (declared, fitting) {
            let (declared_word, unit) = (declared.word(), declared.unit());
            return Some(format!(
                "{column} does not count {unit}, as age_format = {declared_word:?} says: {looked_at} such as {example} would \
                 not be sensible dates; as {} they are: write age_format = {:?}",
                fitting.unit(),
                fitting.word()
            ));
        }
        // Values that are no time are kept, and that is all, unless others cannot be read.
        (*timed == 0 && *unreadable > 0).then(|| {
            let what = if *unreadable == *values { "none" } else { "none of those that are there" };
            format!("no age can be read: of {looked_at} of {column} {what} is a date, such as {example:?}")
        })
    }

    /// A note for a person, in words, where none of them is a time.
    pub fn doubt(&self) -> Option<String> {
        let Self { column, values, timed, declared, example, .. } = self;
        (*timed == 0 && declared.is_some()).then(|| {
            format!(
                "no row has a time: none of {values} values of {column} is between 1980-01-02 (or earliest) and \
                 9000-01-01, such as {example:?}"
            )
        })
    }
}

/// A row whose age cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The row's key, as people read it.
    pub key: String,
    /// Value of its age column; of a long text the beginning.
    pub value: String,
}

impl Target {
    /// The name of the age column.
    pub fn age_column(&self) -> Option<String> {
        self.age.as_ref().map(|age| age.term.name())
    }

    /// Rows that `where` includes, that are not gone, and whose age is there and cannot be read: how many, and the first
    /// `limit` of them.
    pub async fn unreadable(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
        limit: usize,
    ) -> Result<(u64, Vec<Unreadable>), SourceError> {
        let Some(condition) = self.unreadable_condition(at, gone) else { return Ok((0, Vec::new())) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").with(|sql| self.node.push_returned(sql)).push(", ");
        if let Some(age) = &self.age {
            age.push_instant_text(&mut sql);
        }
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ").append(&condition).push(&format!(" LIMIT {limit}"));
        let operation = format!("looking for ages in {} that cannot be read", self.node.table);
        let rows = session.query(&operation, &sql).await?;
        let found: Vec<_> = rows.into_iter().map(|row| self.read_unreadable(row.0)).collect();
        if found.len() < limit {
            return Ok((found.len() as u64, found));
        }
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").push(self.traits().count).push(" FROM ").table(&self.node.table);
        sql.push(" WHERE ").append(&condition);
        Ok((number(session, &operation, &sql).await?, found))
    }

    /// Counts the rows that `where` includes, that are not gone, and that have no date: the age is missing, cannot be read,
    /// or is beyond the floor or the ceiling of all dates. Such a row is kept.
    pub async fn count_undated(&self, session: &mut Session, at: Instants, gone: &[Gone]) -> Result<u64, SourceError> {
        let Some(age) = &self.age else { return Ok(0) };
        let sql = self.counting(None, |sql| {
            sql.with(|sql| age.push_undated(sql)).with(|sql| self.push_also_where(sql, at, gone));
        });
        number(session, &format!("counting the rows of {} without a time", self.node.table), &sql).await
    }

    /// Looks at the first values of the age column, whatever `where` says; none where rows have no age, or none has a value.
    pub async fn sample_ages(&self, session: &mut Session, now: Timestamp) -> Result<Option<SampledAges>, SourceError> {
        let Some(age) = &self.age else { return Ok(None) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT ").with(|sql| age.push_instant_text(sql));
        sql.push(" FROM ").table(&self.node.table).push(" WHERE ").push(&age.term);
        sql.push(&format!(" IS NOT NULL LIMIT {AGES_AT_MOST}"));
        let rows = session.query(&format!("looking at ages in {}", self.node.table), &sql).await?;
        let texts = rows.into_iter().filter_map(|row| row.0.into_iter().next().flatten());
        // Zero says "never" in every unit.
        let texts: Vec<String> = texts.filter(|text| !text.is_empty() && text.parse() != Ok(0.0)).collect();
        let told = |format, text: &String| age.read_as(format, text);
        let latest = now.checked_add(PLAUSIBLE_HOURS.hours()).unwrap_or(Timestamp::MAX);
        let sensible = |format| {
            let is_sensible = |text: &&String| matches!(told(Some(format), text), AgeValue::At(at) if at < latest);
            texts.iter().filter(is_sensible).count()
        };
        let count = |wanted: fn(&AgeValue) -> bool| texts.iter().filter(|text| wanted(&told(age.format, text))).count();
        let best = AgeFormat::ALL.into_iter().max_by_key(|format| sensible(*format));
        let fitting = age.format.zip(best).and_then(|(declared, best)| {
            let misfits = sensible(declared) == 0 && sensible(best) * 2 > texts.len();
            misfits.then_some(best)
        });
        let example = texts.iter().find(|text| !matches!(told(age.format, text), AgeValue::At(at) if at < latest));
        Ok((!texts.is_empty()).then(|| SampledAges {
            column: age.term.name(),
            values: texts.len(),
            timed: count(|told| matches!(told, AgeValue::At(_))),
            unreadable: count(|told| *told == AgeValue::Unreadable),
            declared: age.format,
            fitting,
            example: example.cloned().unwrap_or_default(),
        }))
    }

    fn unreadable_condition(&self, at: Instants, gone: &[Gone]) -> Option<Sql> {
        let mut sql = Sql::new(self.engine);
        sql.push("(");
        if !self.age.as_ref()?.push_unreadable(&mut sql) {
            return None;
        }
        sql.push(")").with(|sql| self.push_also_where(sql, at, gone));
        Some(sql)
    }

    /// Writes " AND …": `where` includes the row, and it is not gone.
    fn push_also_where(&self, sql: &mut Sql, at: Instants, gone: &[Gone]) {
        if let Some(condition) = &self.condition {
            sql.push(" AND ");
            crate::sources::sql::condition::push_condition(sql, condition, at, &self.bound);
        }
        push_remaining(sql, gone, &self.source, &self.node.table);
    }

    fn read_unreadable(&self, mut columns: Vec<Option<String>>) -> Unreadable {
        let value = crate::sources::session::invalid_text::shown(columns.pop().flatten().unwrap_or_default());
        let OwnedRow { shown, .. } = self.node.read(columns);
        Unreadable { key: shown, value }
    }

    /// Values, of the rows that `where` includes and that are not gone, that decide a row's time and are not listed; NULL
    /// as "NULL".
    pub async fn unlisted_values(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
    ) -> Result<Vec<String>, SourceError> {
        let Some(keep) = &self.keep else { return Ok(Vec::new()) };
        let mut sql = Sql::new(self.engine);
        sql.push("SELECT DISTINCT ").with(|sql| keep.term.push_beginning(sql, SHOWN_BYTES));
        sql.push(" FROM ").table(&self.node.table).push(" WHERE (").with(|sql| self.push_unlisted(sql)).push(")");
        sql.with(|sql| self.push_also_where(sql, at, gone)).push(&format!(" ORDER BY 1 LIMIT {VALUES_AT_MOST}"));
        let operation = format!("looking for values of {} that keep does not list", keep.term.name());
        let rows = session.query(&operation, &sql).await?;
        let read = |value: String| keep.term.read_path(&value).into_owned();
        let values = rows.into_iter().map(|row| row.0.into_iter().next().flatten().map(read));
        Ok(values.map(|value| value.map_or_else(|| "NULL".to_owned(), |value| format!("{value:?}"))).collect())
    }
}

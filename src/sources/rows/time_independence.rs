//! Comparisons of the operator's SQL that say the same at every time: a date beside a number, seconds beside
//! milliseconds. Each one is tried out at both ends of time and now, on a few rows, before anything goes by it.

use super::assumed_gone::Gone;
use super::scope::Counted;
use super::target::Target;
use crate::decide::source::Timeless;
use crate::policy::{AgeFormat, EARLIEST, Param, TableName};
use crate::sources::sql::condition::{Bound, bound_at, push_condition};
use crate::sources::sql::fragment::{Comparison, Fragment, Likeness, Named};
use crate::sources::sql::instants::Instants;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, ErrorKind, Session, SourceError, Sql};
use jiff::Timestamp;

/// Rows on which a comparison is tried out.
const ROWS_AT_MOST: usize = 200;
/// The later end of time: calendars of databases end a little after it.
const LAST: Timestamp = Timestamp::constant(253_402_128_000, 0);
/// Columns whose kinds of value tell rows apart.
const COLUMNS_AT_MOST: usize = 3;

/// Hint for an error that comes from comparing a number with a time; none for others.
pub fn typed_form_hint(error: &SourceError) -> Option<&'static str> {
    let cause = error.cause.to_string();
    let is_mismatch = cause.contains("operator does not exist") && cause.contains("timestamp");
    is_mismatch.then_some(
        "compare a column of numbers with :now_unix (seconds), :now_ms, :now_us or :now_ns, likewise :cutoff_unix and \
         :now_minus_2m_unix; plain :now and :cutoff are dates",
    )
}

/// Effect of a piece of SQL on a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The row goes only where it is true.
    Takes,
    /// It is true of what keeps a row.
    Keeps,
}

/// A row that a comparison was tried on.
struct Tried {
    changes: bool,
    /// Kinds of value that its columns have, separated by spaces.
    class: String,
}

impl Target {
    /// The first comparison with a time that says the same of every row it is tried on, where anything would go by it.
    pub async fn timeless(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
    ) -> Result<Option<Timeless>, SourceError> {
        let mut is_idle = None;
        for (part, role, comparison) in self.comparisons() {
            let tried = self.try_out(session, at, gone, role, comparison).await?;
            let Some(count) = stuck(&tried, comparison) else { continue };
            // What keeps rows is of no interest where nothing would go.
            let is_idle = match is_idle {
                Some(is_idle) => is_idle,
                None => *is_idle.insert(self.count(session, at, Some(1), gone).await? == 0),
            };
            if is_idle {
                return Ok(None);
            }
            return Ok(Some(self.timeless_of(part, comparison, count)));
        }
        Ok(None)
    }

    fn comparisons(&self) -> Vec<(String, Role, &Comparison)> {
        let mut fragments = Vec::new();
        fragments.extend(self.condition.as_ref().map(|fragment| ("where".to_owned(), Role::Takes, fragment)));
        fragments.extend(self.alive.as_ref().map(|fragment| ("alive".to_owned(), Role::Keeps, fragment)));
        for protection in &self.protections {
            let of_it = [Some(&protection.on), protection.condition.as_ref()].into_iter().flatten();
            let part = format!("protected_by of {}", protection.table.table);
            fragments.extend(of_it.map(|fragment| (part.clone(), Role::Keeps, fragment)));
        }
        let comparisons = fragments.into_iter().flat_map(|(part, role, fragment)| {
            fragment.comparisons.iter().map(move |comparison| (part.clone(), role, comparison))
        });
        comparisons.collect()
    }

    async fn try_out(
        &self,
        session: &mut Session,
        at: Instants,
        gone: &[Gone],
        role: Role,
        comparison: &Comparison,
    ) -> Result<Vec<Tried>, SourceError> {
        let own = Named { table: self.node.table.clone(), alias: None };
        let is_own = comparison.tables.iter().all(|table| *table == own);
        let narrow = |sql: &mut Sql| {
            match role {
                Role::Takes => self.push_counted(sql, at, Counted::Eligible, gone),
                Role::Keeps => self.push_matching(sql, at),
            }
            sql.push(" AND ");
        };
        let operation = format!("trying out the times in the SQL of {}", self.node.table);
        let sql = self.trying(comparison, at, &own, |sql| {
            if is_own {
                narrow(sql);
            }
        });
        let rows = match session.query(&operation, &sql).await {
            // Few rows in a large table without an index: any rows tell as much.
            Err(error) if is_own && error.kind == ErrorKind::Timeout => {
                session.query(&operation, &self.trying(comparison, at, &own, |_| {})).await?
            }
            rows => rows?,
        };
        let tried = rows.into_iter().map(|row| {
            let [early, now, late, class] = <[Option<String>; 4]>::try_from(row.0).unwrap_or_default();
            Tried { changes: early != late || early != now, class: class.unwrap_or_default() }
        });
        // A date beyond the ends of time says "never", and nothing of the comparison.
        Ok(tried.filter(|row| !row.class.split(' ').any(|kind| kind == "never")).collect())
    }

    /// The statement that evaluates a comparison at both ends of time and in between, on rows in which a column of it
    /// has a value.
    fn trying(&self, comparison: &Comparison, at: Instants, own: &Named, narrow: impl FnOnce(&mut Sql)) -> Sql {
        let mut sql = Sql::new(self.engine);
        let earliest = self.age.as_ref().map_or(EARLIEST, |age| age.earliest);
        sql.push("SELECT ");
        let ends = [earliest, LAST].map(|end| (Instants::new(end, Some(end)), bound_at(&self.bound, end)));
        let [(early, early_bound), (late, late_bound)] = ends;
        // A span of time is over at both ends.
        for (at, bound) in [(early, &early_bound), (at, &self.bound), (late, &late_bound)] {
            sql.with(|sql| push_truth(sql, &comparison.fragment, at, bound)).push(", ");
        }
        sql.with(|sql| self.push_class(sql, comparison)).push(" FROM ");
        let tables = if comparison.tables.is_empty() { std::slice::from_ref(own) } else { &comparison.tables };
        sql.separated(", ", tables, |sql, named| {
            sql.table(&named.table);
            if let Some(alias) = &named.alias {
                sql.push(" AS ").ident(alias);
            }
        });
        sql.push(" WHERE ");
        narrow(&mut sql);
        sql.push("(");
        sql.separated(" OR ", &comparison.columns, |sql, column| {
            sql.with(|sql| push_column(sql, comparison, column)).push(" IS NOT NULL");
        });
        sql.push(if comparison.columns.is_empty() { "1 = 1" } else { "" }).push(&format!(") LIMIT {ROWS_AT_MOST}"));
        sql
    }

    /// Writes the kinds of value that the columns of a row have, where a column may hold several.
    fn push_class(&self, sql: &mut Sql, comparison: &Comparison) {
        let traits = self.traits();
        let may_differ = |(_, term): &&(usize, Term)| {
            traits.stores_anything || (traits.converts_values && term.kind() == ColumnType::Text)
        };
        let (begin, between) = traits.concat;
        sql.push(begin).push("''");
        for column in comparison.columns.iter().filter(may_differ).take(COLUMNS_AT_MOST) {
            sql.push(between).push("CASE WHEN ").template(traits.class, |sql, _| push_column(sql, comparison, column));
        }
        sql.push(")");
    }

    fn timeless_of(&self, part: String, comparison: &Comparison, tried: usize) -> Timeless {
        let time = comparison.times.first();
        let (param, bound_as, forms) = match time {
            Some(Param::Time(time)) => {
                let bound_as = self.traits().bound_as[usize::from(time.unit.is_none())];
                let other = |unit| time.in_unit(unit).to_string();
                let dates = time.unit.map(|_| (other(None), "dates"));
                let units = AgeFormat::ALL.into_iter().filter(|unit| Some(*unit) != time.unit);
                let units = units.map(|unit| (other(Some(unit)), unit.unit()));
                (time.to_string(), bound_as, dates.into_iter().chain(units).collect())
            }
            Some(Param::Named(name)) => (format!(":{name}"), "a date", Vec::new()),
            None => (String::new(), "a date", Vec::new()),
        };
        Timeless { part, comparison: comparison.fragment.condition.to_string(), param, bound_as, forms, tried }
    }
}

/// Writes '1', '0' or NULL for what a comparison says at a time.
fn push_truth(sql: &mut Sql, fragment: &Fragment, at: Instants, bound: &Bound) {
    sql.push("CASE WHEN ").with(|sql| push_condition(sql, fragment, at, bound)).push(" IS TRUE THEN '1' WHEN ");
    sql.with(|sql| push_condition(sql, fragment, at, bound)).push(" IS FALSE THEN '0' END");
}

/// Writes a column by its table's name where there are several.
fn push_column(sql: &mut Sql, comparison: &Comparison, (table, term): &(usize, Term)) {
    if let Some(Named { table, alias }) = comparison.tables.get(*table) {
        let alias = alias.as_ref().map(|alias| TableName { schema: None, table: alias.clone() });
        sql.table(alias.as_ref().unwrap_or(table)).push(".");
    }
    term.push(sql);
}

/// Number of rows on which a comparison was tried in vain: none where it depends on the time. Among rows of several
/// kinds of value, those that cannot be compared with its times count by themselves.
fn stuck(tried: &[Tried], comparison: &Comparison) -> Option<usize> {
    let is_number = |param: &Param| matches!(param, Param::Time(time) if time.unit.is_some());
    let suspicious: &[&str] =
        if comparison.times.iter().any(is_number) { &["text"] } else { &["integer", "real", "digits"] };
    let mut classes: Vec<&str> = tried.iter().map(|row| row.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    let stuck_among = |is_of: &dyn Fn(&Tried) -> bool| {
        let mut rows = tried.iter().filter(|row| is_of(row)).peekable();
        rows.peek().is_some().then(|| rows.try_fold(0, |count, row| (!row.changes).then_some(count + 1)))?
    };
    let never_like = |row: &Tried| match comparison.likeness {
        Likeness::Unlike => true,
        Likeness::Text => row.class.split(' ').any(|kind| kind == "digits"),
        Likeness::Unknown => false,
    };
    if let count @ 1.. = tried.iter().filter(|row| never_like(row)).count() {
        return Some(count);
    }
    let of_class = |class: &str| class.split(' ').any(|kind| suspicious.contains(&kind));
    let odd = classes.iter().copied().filter(|class| of_class(class));
    stuck_among(&|_| true).or_else(|| odd.filter_map(|class| stuck_among(&|row| row.class == class)).next())
}

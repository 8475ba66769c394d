//! The operator's SQL fitted to the tables that it names: whether a time stands beside a column that has a zone or beside
//! one that has none, and which comparisons have a time in them.

use jiff::tz::TimeZone;

use super::dialect::dialect;
use super::term::Term;
use super::tokens::{Kind, Piece, Token, piece_around, slice, tokens};
use crate::policy::{Condition, Engine, Ident, Param, ParamDeclaration, ParamKind, TableName};
use crate::sources::{Column, ColumnType, Session, SourceError, TableFacts};

/// A piece of the operator's SQL.
#[derive(Debug, Clone)]
pub(crate) struct Fragment {
    pub(crate) condition: Condition,
    /// For each of its parameters whether it is a time on the wall, in the zone of the source.
    pub(crate) on_the_wall: Vec<bool>,
    pub(crate) zone: TimeZone,
    /// Those that have a time in them, as far as it is not certain that they compare a time with a time.
    pub(crate) comparisons: Vec<Comparison>,
}

/// A comparison with a time in it.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) fragment: Fragment,
    /// The tables whose columns it compares.
    pub(crate) tables: Vec<Named>,
    /// The columns, each with the place of its table.
    pub(crate) columns: Vec<(usize, Term)>,
    pub(crate) times: Vec<Param>,
    /// Its likeness to a comparison of times, by the types of its columns alone.
    pub(crate) likeness: Likeness,
    /// The first of the SQL's parameters that it has.
    first_param: usize,
}

/// Likeness of a comparison to one of times, by the types of its columns. MySQL and MariaDB convert numbers, texts and
/// dates into one another by rules that depend on where the comparison stands, so there the types decide as far as a
/// column is compared as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// Values tell.
    Unknown,
    /// A number is compared with a date.
    Unlike,
    /// A text is compared with a date: one of digits is not a date.
    Text,
}

/// A table by the name that SQL gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) table: TableName,
    pub(crate) alias: Option<Ident>,
}

/// A table whose columns may be named, with these columns.
struct InScope {
    named: Named,
    columns: Vec<Column>,
    /// Place in the SQL at which it was named; none for the tables that are always there.
    at: Option<usize>,
}

impl InScope {
    fn is_called(&self, qualifier: &str) -> bool {
        let name = self.named.alias.as_ref().unwrap_or(&self.named.table.table);
        name.as_str().eq_ignore_ascii_case(qualifier)
    }
}

/// Surroundings that pieces of SQL are fitted to.
pub(crate) struct FragmentFitter<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) engine: Engine,
    /// The zone of the source.
    pub(crate) zone: &'a TimeZone,
    /// The parameters that the policy declares.
    pub(crate) params: &'a [ParamDeclaration],
    /// Number of times that stood beside columns with a time zone and beside others without, where the zone is not UTC.
    pub(crate) mixed_zones: usize,
}

impl FragmentFitter<'_> {
    /// Fits a piece of SQL that may name columns of these tables. `set`: it is what this column is set to.
    pub(crate) async fn fragment(
        &mut self,
        condition: &Condition,
        tables: &[&TableFacts],
        set: Option<&Column>,
    ) -> Result<Fragment, SourceError> {
        let zone = self.zone.clone();
        let params: Vec<&Param> = condition.params().collect();
        let on_the_wall = vec![false; params.len()];
        let mut fragment = Fragment { condition: condition.clone(), on_the_wall, zone, comparisons: Vec::new() };
        if !params.iter().any(|param| self.is_time(param)) {
            return Ok(fragment);
        }
        let tokens = tokens(condition, self.engine);
        let always = |facts: &&TableFacts| InScope {
            named: Named { table: facts.name.clone(), alias: None },
            columns: facts.columns.clone(),
            at: None,
        };
        let mut scope: Vec<InScope> = tables.iter().map(always).collect();
        for (at, named) in named_tables(&tokens, self.engine) {
            if let Some(facts) = TableFacts::load(self.session, &named.table).await? {
                let named = Named { table: facts.name, alias: named.alias };
                scope.push(InScope { named, columns: facts.columns, at: Some(at) });
            }
        }
        let mut done: Vec<std::ops::Range<usize>> = Vec::new();
        for (place, token) in tokens.iter().enumerate() {
            let Some(index) = token.param() else { continue };
            if !params.get(index).is_some_and(|param| self.is_time(param)) {
                continue;
            }
            let piece = piece_around(&tokens, place);
            let columns = columns_in(&tokens, &piece, &scope);
            let kinds = columns.iter().map(|(_, column)| column.kind).chain(set.map(|column| column.kind));
            fragment.on_the_wall[index] = self.is_on_the_wall(&tokens[piece.range.clone()], kinds.collect());
            if set.is_none() && !done.contains(&piece.range) {
                done.push(piece.range.clone());
                fragment.comparisons.extend(self.comparison(condition, &tokens, &piece, columns, &scope));
            }
        }
        let walls = fragment.on_the_wall.clone();
        for comparison in &mut fragment.comparisons {
            let (from, count) = (comparison.first_param, comparison.fragment.on_the_wall.len());
            comparison.fragment.on_the_wall = walls.iter().skip(from).take(count).copied().collect();
        }
        Ok(fragment)
    }

    fn is_time(&self, param: &Param) -> bool {
        match param {
            Param::Time(_) => true,
            Param::Named(name) => self.params.iter().any(|declared| {
                declared.name == *name && matches!(declared.kind, Some(ParamKind::Timestamp | ParamKind::Date))
            }),
        }
    }

    /// True if what stands beside a time has no zone, so that the time is bound as a clock shows it there.
    fn is_on_the_wall(&mut self, piece: &[Token], kinds: Vec<ColumnType>) -> bool {
        if converts_zones(piece) {
            return false;
        }
        let has_zone = kinds.contains(&ColumnType::TimestampTz);
        let is_date =
            |kind: &ColumnType| matches!(kind, ColumnType::Timestamp | ColumnType::Date | ColumnType::SqliteDateTime);
        let has_none = kinds.iter().any(is_date)
            || (dialect(self.engine).traits().compares_texts_with_times
                && !has_zone
                && kinds.contains(&ColumnType::Text));
        let zone = self.zone;
        if has_zone && has_none && zone.iana_name().is_none_or(|name| name != "UTC") && *zone != TimeZone::UTC {
            self.mixed_zones += 1;
        }
        has_none && !has_zone
    }

    /// The comparison that a piece is, to be tried out; none where it surely compares a time with a time, or is about
    /// something that cannot be looked at by itself.
    fn comparison(
        &self,
        condition: &Condition,
        tokens: &[Token],
        piece: &Piece,
        columns: Vec<(usize, &Column)>,
        scope: &[InScope],
    ) -> Option<Comparison> {
        let tokens = &tokens[piece.range.clone()];
        let sliced = slice(condition, tokens);
        let times: Vec<Param> = sliced.params().filter(|param| self.is_time(param)).cloned().collect();
        let is_certain = !dialect(self.engine).traits().stores_anything && is_plain(tokens, &times, &columns);
        if is_certain || (piece.subquery.is_some() && columns.is_empty()) {
            return None;
        }
        let mut tables: Vec<usize> = columns.iter().map(|(table, _)| *table).collect();
        tables.sort_unstable();
        tables.dedup();
        let place = |table: &usize| tables.iter().position(|other| other == table).unwrap_or(0);
        let mut terms: Vec<(usize, Term)> = Vec::new();
        for (table, column) in &columns {
            let term = (place(table), Term::column(column));
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        let likeness = self.likeness(tokens, &times, &columns);
        let first_param = tokens.iter().find_map(Token::param);
        let on_the_wall = vec![false; sliced.params().count()];
        let zone = self.zone.clone();
        let fragment = Fragment { condition: sliced, on_the_wall, zone, comparisons: Vec::new() };
        let tables = tables.iter().map(|table| scope[*table].named.clone()).collect();
        Some(Comparison { fragment, tables, columns: terms, times, likeness, first_param: first_param.unwrap_or(0) })
    }
}

impl FragmentFitter<'_> {
    fn likeness(&self, tokens: &[Token], times: &[Param], columns: &[(usize, &Column)]) -> Likeness {
        // What a function or a subquery makes of a column has a type of its own.
        let is_direct = !tokens.iter().any(|token| token.kind == Kind::Open);
        if !dialect(self.engine).traits().converts_values || !is_direct {
            return Likeness::Unknown;
        }
        let any = |kinds: &[ColumnType]| columns.iter().any(|(_, column)| kinds.contains(&column.kind));
        let has_date = any(&[ColumnType::TimestampTz, ColumnType::Timestamp, ColumnType::Date]);
        let has_number = any(&[ColumnType::Integer, ColumnType::Real]);
        let is_number = |param: &Param| matches!(param, Param::Time(time) if time.unit.is_some());
        match (has_date, has_number, times.iter().all(is_number)) {
            (false, true, false) | (true, false, true) => Likeness::Unlike,
            (false, false, false) if any(&[ColumnType::Text]) => Likeness::Text,
            (_, _, _) => Likeness::Unknown,
        }
    }
}

/// True if it is nothing but columns that hold times, compared with times in the form of dates.
fn is_plain(tokens: &[Token], times: &[Param], columns: &[(usize, &Column)]) -> bool {
    let typed =
        |column: &Column| matches!(column.kind, ColumnType::TimestampTz | ColumnType::Timestamp | ColumnType::Date);
    let is_date = |param: &Param| matches!(param, Param::Time(time) if time.unit.is_none());
    let known = |token: &Token| match &token.kind {
        Kind::Param(_) | Kind::Dot => true,
        Kind::Sign(_) => token.compares(),
        Kind::Word(_) | Kind::Name(_) => true,
        Kind::Text(_) | Kind::Open | Kind::Close | Kind::Comma | Kind::Cast => false,
    };
    // Each word is a column, or its table's name, or BETWEEN and its AND.
    let words = tokens.iter().filter(|token| token.name().is_some()).count();
    let qualified = tokens.iter().filter(|token| token.kind == Kind::Dot).count();
    let between = tokens.iter().filter(|token| token.is_word("between") || token.is_word("and")).count();
    !columns.is_empty()
        && columns.iter().all(|(_, column)| typed(column))
        && times.iter().all(is_date)
        && tokens.iter().all(known)
        && words == columns.len() + qualified + between
}

/// True if the SQL itself turns times of one zone into those of another: then they are bound in UTC.
fn converts_zones(piece: &[Token]) -> bool {
    piece.iter().any(|token| match &token.kind {
        Kind::Word(word) => ["zone", "timezone", "convert_tz"].iter().any(|name| word.eq_ignore_ascii_case(name)),
        Kind::Text(text) => ["localtime", "utc"].iter().any(|name| text.eq_ignore_ascii_case(name)),
        Kind::Name(_) | Kind::Sign(_) | Kind::Open | Kind::Close | Kind::Comma | Kind::Dot | Kind::Cast => false,
        Kind::Param(_) => false,
    })
}

/// The tables that subqueries name, and where.
fn named_tables(tokens: &[Token], engine: Engine) -> Vec<(usize, Named)> {
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.is_word("from") || token.is_word("join")) {
        let mut next = at + 1;
        while let Some((named, after)) = read_table(tokens, next, engine) {
            found.push((at, named));
            if tokens.get(after).map(|token| &token.kind) != Some(&Kind::Comma) {
                break;
            }
            next = after + 1;
        }
    }
    found
}

/// A table, perhaps with a schema before it and an alias behind it.
fn read_table(tokens: &[Token], at: usize, engine: Engine) -> Option<(Named, usize)> {
    let ident = |at: usize| {
        let token = tokens.get(at)?;
        let folds = dialect(engine).traits().folds_names && matches!(token.kind, Kind::Word(_));
        let name = token.name()?;
        Ident::parse(&if folds { name.to_lowercase() } else { name.to_owned() }).ok()
    };
    let first = ident(at)?;
    let is_dotted = tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Dot);
    let (table, mut next) = match is_dotted.then(|| ident(at + 2)).flatten() {
        Some(table) => (TableName { schema: Some(first), table }, at + 3),
        None => (TableName { schema: None, table: first }, at + 1),
    };
    let is_as = tokens.get(next).is_some_and(|token| token.is_word("as"));
    let ends = ["where", "on", "join", "left", "right", "inner", "outer", "cross", "group", "order", "limit", "having"];
    let ends = ends.iter().chain(&["union", "using", "natural", "for"]);
    let is_end = tokens.get(next).is_some_and(|token| ends.clone().any(|word| token.is_word(word)));
    next += usize::from(is_as);
    let alias = if is_end { None } else { ident(next) };
    next += usize::from(alias.is_some());
    Some((Named { table, alias }, next))
}

/// The columns that a piece names, each with the place of its table in the scope.
fn columns_in<'s>(tokens: &[Token], piece: &Piece, scope: &'s [InScope]) -> Vec<(usize, &'s Column)> {
    let mut found: Vec<(usize, &Column)> = Vec::new();
    let kind = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map(|token| &token.kind);
    for at in piece.range.clone() {
        let Some(name) = tokens[at].name() else { continue };
        let (before, after) = (kind(at.checked_sub(1)), kind(Some(at + 1)));
        // A function, a type, a typed literal, or what a column is a part of.
        let is_other = matches!(after, Some(Kind::Open | Kind::Dot | Kind::Text(_))) || before == Some(&Kind::Cast);
        if is_other {
            continue;
        }
        let qualifier = match before {
            Some(Kind::Dot) => at.checked_sub(2).and_then(|at| tokens[at].name()),
            _ => None,
        };
        let quoted = matches!(tokens[at].kind, Kind::Name(_));
        let matches = |table: &'s InScope| {
            table.columns.iter().find(|column| match quoted {
                true => column.name.as_str() == name,
                false => column.name.as_str().eq_ignore_ascii_case(name),
            })
        };
        let is_near = |table: &InScope| match (&piece.subquery, table.at) {
            (Some(subquery), Some(at)) => subquery.contains(&at),
            (_, at) => at.is_none() && piece.subquery.is_none(),
        };
        let all = || scope.iter().enumerate().filter_map(|(place, table)| Some((place, table, matches(table)?)));
        let called = |table: &InScope| qualifier.is_some_and(|qualifier| table.is_called(qualifier));
        // By its table's name, else by the nearest table that has such a column.
        let column = all()
            .find(|(_, table, _)| called(table))
            .or_else(|| all().find(|(_, table, _)| is_near(table)))
            .or_else(|| all().next());
        found.extend(column.map(|(place, _, column)| (place, column)));
    }
    found
}

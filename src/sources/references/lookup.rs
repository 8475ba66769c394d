//! Looking up files in the columns that name them: conditions of statements, and the reading of the rows that answer.

use std::collections::{BTreeMap, HashSet};

use super::scan::push_last_segment;
use crate::policy::{FilePath, PathTemplate, ReferenceMatch, Store, StorePath, TableName, TemplatePart};
use crate::sources::sql::dialect::Begins;
use crate::sources::sql::term::Term;
use crate::sources::{ColumnType, Gone, ReferenceColumn, Session, SourceError, Sql};

/// Texts in one question.
const WRITTEN_AT_ONCE: usize = 1000;

impl ReferenceColumn {
    /// That a row names one of some paths; none where no row can.
    pub(crate) fn condition(&self, store: &Store, paths: &[StorePath]) -> Option<Sql> {
        let mut sql = Sql::new(self.engine());
        match (self.path(), self.terms()) {
            (FilePath::Column(_), [column]) if self.matching() == ReferenceMatch::Name => {
                let names: HashSet<_> = paths.iter().map(|path| path.split().1.to_owned()).collect();
                sql.with(|sql| push_last_segment(sql, column)).push(" IN (");
                let names: Vec<_> = names.into_iter().collect();
                sql.separated(", ", &names, |sql, name| column.push_path_part(sql, name)).push(")");
            }
            (FilePath::Column(_), [column]) => {
                let spellings: Vec<_> = paths.iter().flat_map(|path| store.spellings(path)).collect();
                column.push_holds(&mut sql, &spellings);
            }
            (FilePath::Template(template), [column]) => {
                let values = paths.iter().filter_map(|path| template.value_in(path.as_str()));
                let values: Vec<_> = values.filter(|value| may_be(column.kind(), value)).map(str::to_owned).collect();
                if values.is_empty() {
                    return None;
                }
                push_among_values(&mut sql, column, &values);
            }
            (path, _) => {
                let paths: Vec<_> = paths.iter().map(StorePath::to_string).collect();
                sql.with(|sql| self.push_path(sql)).with(|sql| push_among_texts(sql, &paths));
                let any_binary = self.terms().iter().any(|term| term.kind() == ColumnType::Binary);
                if let (FilePath::Template(template), true) = (path, any_binary) {
                    sql.push(" OR ").with(|sql| self.push_made(sql, template, Term::push_path_text));
                    push_among_texts(&mut sql, &paths);
                }
            }
        }
        Some(sql)
    }

    /// Those of `written` that rows still have, rows that are gone left out.
    pub async fn still_written(
        &self,
        session: &mut Session,
        written: &[String],
        gone: &[Gone],
    ) -> Result<HashSet<String>, SourceError> {
        let mut still = HashSet::new();
        let [column] = self.terms() else { return Ok(still) };
        for some in written.chunks(WRITTEN_AT_ONCE) {
            let sql = self.select(gone, |sql| column.push_holds(sql, some));
            for row in session.query(&self.asking(), &sql).await? {
                still.extend(row.0.into_iter().flatten().map(|read| column.read_path(&read).into_owned()));
            }
        }
        still.extend(self.newly_written(gone).into_iter().flatten().flatten());
        Ok(still)
    }

    /// Writes "the path begins with one of these", which end with a slash: range by range of an index where one serves; else
    /// each path is cut to every length that they have, and looked up among those of that length.
    pub(crate) fn push_begins(&self, sql: &mut Sql, beginnings: &[String]) {
        if let (Some(begins), [column]) = (self.begins(), self.terms()) {
            return push_begins_by_index(sql, &self.table, column, (begins, beginnings));
        }
        let column = match self.path() {
            FilePath::Column(_) => self.terms().first(),
            FilePath::Template(_) => None,
        };
        let traits = sql.traits();
        let mut by_length: BTreeMap<usize, Vec<&String>> = BTreeMap::new();
        for beginning in beginnings {
            let chars = || beginning.chars().count();
            let length = column.map_or_else(chars, |column| column.path_length(traits, beginning));
            by_length.entry(length).or_default().push(beginning);
        }
        let by_length: Vec<_> = by_length.into_iter().collect();
        sql.separated(" OR ", &by_length, |sql, (length, beginnings)| {
            sql.push("substr(").with(|sql| self.push_path(sql)).push(&format!(", 1, {length}) IN ("));
            sql.separated(", ", beginnings, |sql, beginning| match column {
                Some(column) => column.push_path_part(sql, beginning),
                None => drop(sql.bind((*beginning).clone())),
            });
            sql.push(")");
        });
    }

    /// The file that a row names, from the columns of its path.
    pub(crate) fn path_of(&self, values: Vec<Option<String>>, store: &Store) -> Option<StorePath> {
        match (self.path(), self.terms()) {
            (FilePath::Column(_), [column]) => store.map_reference(&column.read_path(values.first()?.as_deref()?)),
            (FilePath::Column(_), _) => None,
            (FilePath::Template(template), terms) => {
                let read =
                    |(value, term): (Option<String>, &Term)| value.map(|value| term.read_part(&value).into_owned());
                let values: Vec<_> = values.into_iter().zip(terms).map(read).collect();
                StorePath::parse(&template.fill(&values).ok()??).ok()
            }
        }
    }

    /// The last segment of what a row has written.
    pub(crate) fn name_of(&self, values: &[Option<String>]) -> Option<String> {
        let written = self.terms().first()?.read_path(values.first()?.as_deref()?);
        ReferenceMatch::last_segment(&written).map(str::to_owned)
    }

    /// Writes the path as the row has it, or as its columns make it.
    fn push_path(&self, sql: &mut Sql) {
        match self.path() {
            FilePath::Column(_) => self.terms().iter().for_each(|term| term.push_path_text(sql)),
            FilePath::Template(template) => self.push_made(sql, template, Term::push_text),
        }
    }

    fn push_made(&self, sql: &mut Sql, template: &PathTemplate, push: fn(&Term, &mut Sql)) {
        let (begin, between) = sql.traits().concat;
        let mut terms = self.terms().iter();
        sql.push(begin);
        sql.separated(between, template.parts(), |sql, part| match part {
            TemplatePart::Text(text) => {
                sql.bind(text.clone());
            }
            TemplatePart::Column(_) => {
                if let Some(term) = terms.next() {
                    push(term, sql);
                }
            }
        });
        sql.push(")");
    }
}

fn push_begins_by_index(sql: &mut Sql, table: &TableName, column: &Term, (begins, beginnings): (Begins, &[String])) {
    let fill = |sql: &mut Sql, hole: &str, text: &str| {
        match hole {
            "table" => sql.table(table),
            "from" => sql.bind(text.to_owned()),
            "above" => sql.bind(format!("{text}\0")),
            // The character behind the slash.
            "to" => sql.bind(format!("{}0", text.strip_suffix('/').unwrap_or(text))),
            "pattern" => sql.bind(format!("{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"))),
            _ => sql.push(column),
        };
    };
    sql.template(begins.around.0, |sql, hole| fill(sql, hole, ""));
    sql.separated(begins.between, beginnings, |sql, text| {
        sql.template(begins.each, |sql, hole| fill(sql, hole, text));
    });
    sql.template(begins.around.1, |sql, hole| fill(sql, hole, ""));
}

/// Compared bare where that can be, so that an index on the column serves.
fn push_among_values(sql: &mut Sql, column: &Term, values: &[String]) {
    match column.kind() {
        ColumnType::Text | ColumnType::Integer | ColumnType::Uuid => {
            sql.push(column).push(" IN (").separated(", ", values, |sql, value| column.push_value(sql, value));
            sql.push(")");
        }
        ColumnType::Binary => {
            column.push_holds(sql, values);
            let hexadecimal =
                |value: &&String| value.len().is_multiple_of(2) && value.bytes().all(|b| b.is_ascii_hexdigit());
            let bytes: Vec<_> = values.iter().filter(hexadecimal).collect();
            if !bytes.is_empty() {
                sql.push(" OR ").push(column).push(" IN (");
                sql.separated(", ", &bytes, |sql, value| column.push_value(sql, value)).push(")");
            }
        }
        _ => {
            sql.with(|sql| column.push_text(sql)).with(|sql| push_among_texts(sql, values));
        }
    }
}

fn push_among_texts(sql: &mut Sql, texts: &[String]) {
    sql.push(" IN (").binds_of(texts).push(")");
}

/// True if a column of that kind can hold the text at all: the server must not be asked to read one that is no number.
fn may_be(kind: ColumnType, value: &str) -> bool {
    match kind {
        ColumnType::Integer => value.parse::<i64>().is_ok(),
        ColumnType::Uuid => uuid::Uuid::try_parse(value).is_ok(),
        _ => true,
    }
}

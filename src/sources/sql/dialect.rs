//! How each engine writes a column as text, reads a text back as that column's type, and compares keys.

use crate::policy::{Engine, Ident, TableName};
use crate::sources::{Column, ColumnType, Sql};

/// A column as statements use it: what to select and how to bind a value of its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    name: Name,
    declared: String,
    kind: ColumnType,
    /// As the catalog has it of a column.
    collation: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Column(Ident),
    /// SQLite's row number, by the one of its three names that no column hides; where a row of PostgreSQL lies.
    RowId(&'static str),
}

impl Term {
    /// A column of the catalog.
    pub fn column(column: &Column) -> Self {
        Self {
            name: Name::Column(column.name.clone()),
            declared: column.declared.clone(),
            kind: column.kind,
            collation: column.collation.clone(),
        }
    }

    /// SQLite's row number, unless columns hide all its names.
    pub fn row_id(columns: &[Column]) -> Option<Self> {
        let hidden = |name: &str| columns.iter().any(|column| column.name.as_str().eq_ignore_ascii_case(name));
        let name = ["_rowid_", "rowid", "oid"].into_iter().find(|name| !hidden(name))?;
        let declared = "INTEGER".to_owned();
        Some(Self { name: Name::RowId(name), declared, kind: ColumnType::Integer, collation: None })
    }

    /// Where a row of PostgreSQL lies: its block and line, and its partition where the table has several.
    pub fn place(partitioned: bool) -> Vec<Self> {
        let term = |name, declared: &str| Self {
            name: Name::RowId(name),
            declared: declared.to_owned(),
            kind: ColumnType::Other,
            collation: None,
        };
        match partitioned {
            true => vec![term("tableoid", "oid"), term("ctid", "tid")],
            false => vec![term("ctid", "tid")],
        }
    }

    /// True if it tells where a row of PostgreSQL lies.
    pub fn is_place(&self) -> bool {
        matches!(self.name, Name::RowId("ctid" | "tableoid"))
    }

    /// True if MySQL orders it by the numbers of its values, but compares it as text: a walk would go in circles.
    pub fn is_enumerated(&self) -> bool {
        let declared = self.declared.to_ascii_lowercase();
        declared.starts_with("enum(") || declared.starts_with("set(")
    }

    /// The column's name.
    pub fn name(&self) -> String {
        match &self.name {
            Name::Column(ident) => ident.to_string(),
            Name::RowId(name) => (*name).to_owned(),
        }
    }

    /// What the column's type means.
    pub fn kind(&self) -> ColumnType {
        self.kind
    }

    /// As the catalog writes its type.
    pub(crate) fn declared(&self) -> &str {
        &self.declared
    }

    /// How its texts are compared, where the catalog says.
    pub(crate) fn collation(&self) -> Option<&str> {
        self.collation.as_deref()
    }

    /// True if it is of PostgreSQL's type that compares texts whatever their case.
    pub(crate) fn is_citext(&self) -> bool {
        self.declared.rsplit('.').next() == Some("citext")
    }

    /// Writes the bare column.
    pub fn push(&self, sql: &mut Sql) {
        match &self.name {
            Name::Column(ident) => sql.ident(ident),
            Name::RowId(name) => sql.push(name),
        };
    }

    /// Writes the column with its table: in ORDER BY a bare name would be that of a column of the result, which is a
    /// text.
    pub fn push_of(&self, sql: &mut Sql, table: &TableName) {
        sql.table(table).push(".");
        self.push(sql);
    }

    /// Writes the column as text.
    pub fn push_text(&self, sql: &mut Sql) {
        let binary = self.kind == ColumnType::Binary;
        if sql.engine() == Engine::Sqlite
            && matches!(self.kind, ColumnType::Integer | ColumnType::Real | ColumnType::SqliteDateTime)
        {
            // A fraction may be stored there as well, and a cast would round it to another value.
            sql.push("CASE typeof(");
            self.push(sql);
            sql.push(") WHEN 'real' THEN printf('%!.17g', ");
            self.push(sql);
            sql.push(") ELSE CAST(");
            self.push(sql);
            sql.push(" AS TEXT) END");
            return;
        }
        // MySQL writes a FLOAT with six digits, of whatever it holds; as a DOUBLE with as many as there are.
        let single = self.kind == ColumnType::Real && self.declared.to_ascii_lowercase().starts_with("float");
        let (before, after) = match sql.engine() {
            Engine::MySql if single => ("CAST((", " + 0E0) AS CHAR CHARACTER SET utf8mb4)"),
            Engine::Postgres if binary => ("encode(", ", 'hex')"),
            Engine::Postgres => ("(", ")::text"),
            Engine::MySql | Engine::Sqlite if binary => ("hex(", ")"),
            Engine::MySql => ("CAST(", " AS CHAR CHARACTER SET utf8mb4)"),
            Engine::Sqlite => ("CAST(", " AS TEXT)"),
        };
        sql.push(before);
        self.push(sql);
        sql.push(after);
    }

    /// Writes the first characters of the column as text: what is shown to people, or is too long if it goes on, is not
    /// fetched whole.
    pub fn push_beginning(&self, sql: &mut Sql, chars: usize) {
        if sql.engine() != Engine::Sqlite && !self.may_be_long() {
            return self.push_text(sql);
        }
        sql.push(if sql.engine() == Engine::Sqlite { "substr(" } else { "left(" });
        self.push_text(sql);
        sql.push(if sql.engine() == Engine::Sqlite { ", 1, " } else { ", " }).push(&chars.to_string()).push(")");
    }

    /// True if a value may have any length; on SQLite, any value may.
    fn may_be_long(&self) -> bool {
        !self.is_place() && matches!(self.kind, ColumnType::Text | ColumnType::Binary | ColumnType::Other)
    }

    /// Writes a bound value, read from text as the column's type, so that an index on the column serves.
    pub fn push_value(&self, sql: &mut Sql, value: &str) {
        let binary = self.kind == ColumnType::Binary;
        let (before, after) = match sql.engine() {
            Engine::Postgres if binary => ("decode(".to_owned(), ", 'hex')".to_owned()),
            Engine::Postgres => ("(".to_owned(), format!(")::{}", self.declared)),
            Engine::MySql | Engine::Sqlite if binary => ("unhex(".to_owned(), ")".to_owned()),
            Engine::MySql => match self.mysql_cast() {
                Some(cast) => ("CAST(".to_owned(), format!(" AS {cast})")),
                None => (String::new(), String::new()),
            },
            // A column of numbers may hold a text as well, which is no number in any case.
            Engine::Sqlite
                if matches!(self.kind, ColumnType::Integer | ColumnType::Real) && value.parse::<f64>().is_ok() =>
            {
                ("CAST(".to_owned(), " AS NUMERIC)".to_owned())
            }
            Engine::Sqlite => (String::new(), String::new()),
        };
        sql.push(&before).bind(value.to_owned()).push(&after);
    }

    /// Writes a NULL of the column's type: PostgreSQL wants to know the type of everything.
    pub fn push_null(&self, sql: &mut Sql) {
        match sql.engine() {
            Engine::Postgres => sql.push("(NULL)::").push(&self.declared),
            Engine::MySql | Engine::Sqlite => sql.push("NULL"),
        };
    }

    fn mysql_cast(&self) -> Option<String> {
        let declared = self.declared.to_ascii_lowercase();
        match self.kind {
            ColumnType::Integer if declared.contains("unsigned") => Some("UNSIGNED".to_owned()),
            ColumnType::Integer => Some("SIGNED".to_owned()),
            ColumnType::TimestampTz | ColumnType::Timestamp => Some("DATETIME(6)".to_owned()),
            ColumnType::Date => Some("DATE".to_owned()),
            _ if declared.starts_with("decimal") => Some(declared.replace(" unsigned", "").replace(" zerofill", "")),
            _ => None,
        }
    }
}

/// A key's columns, compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTerms(pub Vec<Term>);

impl KeyTerms {
    /// Writes the columns, separated by commas.
    pub fn push(&self, sql: &mut Sql) {
        separated(sql, ", ", &self.0, |sql, term| term.push(sql));
    }

    /// Writes the columns for ORDER BY.
    pub fn push_order(&self, sql: &mut Sql, table: &TableName) {
        separated(sql, ", ", &self.0, |sql, term| term.push_of(sql, table));
    }

    /// Writes the columns as text, each named `k0`, `k1`, ….
    pub fn push_texts(&self, sql: &mut Sql) {
        let numbered: Vec<_> = self.0.iter().enumerate().collect();
        separated(sql, ", ", &numbered, |sql, (position, term)| {
            term.push_text(sql);
            sql.push(&format!(" AS k{position}"));
        });
    }

    /// Writes "the key is at or after `values`", in the order of the key.
    pub fn push_from(&self, sql: &mut Sql, values: &[String]) {
        self.push_ordered(sql, values, ">", ">=");
    }

    /// Writes "the key is before `values`".
    pub fn push_before(&self, sql: &mut Sql, values: &[String]) {
        self.push_ordered(sql, values, "<", "<");
    }

    /// Writes " AND …": the key is at or after `from` and before `to`, each where it is given.
    pub fn push_between(&self, sql: &mut Sql, from: Option<&[String]>, to: Option<&[String]>) {
        if let Some(from) = from {
            sql.push(" AND ");
            self.push_from(sql, from);
        }
        if let Some(to) = to {
            sql.push(" AND ");
            self.push_before(sql, to);
        }
    }

    /// MySQL uses no index for an ordered comparison of rows, so there (and for one column) it is spelled out.
    fn push_ordered(&self, sql: &mut Sql, values: &[String], strict: &str, last: &str) {
        if self.0.len() > 1 && sql.engine() != Engine::MySql {
            sql.push("(");
            self.push(sql);
            sql.push(&format!(") {last} ("));
            separated(sql, ", ", &self.pairs(values), |sql, (term, value)| term.push_value(sql, value));
            sql.push(")");
            return;
        }
        self.push_spelled(sql, &self.pairs(values), strict, last);
    }

    fn push_spelled(&self, sql: &mut Sql, pairs: &[(&Term, &String)], strict: &str, last: &str) {
        let Some(((term, value), rest)) = pairs.split_first() else { return };
        let compare = |sql: &mut Sql, operator: &str| {
            term.push(sql);
            sql.push(&format!(" {operator} "));
            term.push_value(sql, value);
        };
        if rest.is_empty() {
            compare(sql, last);
            return;
        }
        // The outer bound on the first column is what the index is entered by.
        sql.push("(");
        compare(sql, if strict == ">" { ">=" } else { "<=" });
        sql.push(" AND (");
        compare(sql, strict);
        sql.push(" OR ");
        self.push_spelled(sql, rest, strict, last);
        sql.push("))");
    }

    /// Writes "the key is one of `keys`"; there is at least one.
    pub fn push_among(&self, sql: &mut Sql, keys: &[Vec<String>]) {
        self.push_among_values(sql, keys, self);
    }

    /// Writes "the key is one of `keys`", with values of the types of other columns.
    pub fn push_among_values(&self, sql: &mut Sql, keys: &[Vec<String>], types: &KeyTerms) {
        self.push_written_among(sql, keys, types, |sql, _, column| column.push(sql));
    }

    /// Writes "what `write` makes of each column, with its place, is one of `keys`".
    pub(crate) fn push_written_among(
        &self,
        sql: &mut Sql,
        keys: &[Vec<String>],
        types: &KeyTerms,
        mut write: impl FnMut(&mut Sql, usize, &Term),
    ) {
        if let ([column], [term]) = (self.0.as_slice(), types.0.as_slice()) {
            write(sql, 0, column);
            sql.push(" IN (");
            separated(sql, ", ", keys, |sql, key| {
                if let [value] = key.as_slice() {
                    term.push_value(sql, value);
                }
            });
            sql.push(")");
            return;
        }
        sql.push("(");
        let numbered: Vec<_> = self.0.iter().enumerate().collect();
        separated(sql, ", ", &numbered, |sql, (position, column)| write(sql, *position, column));
        sql.push(if sql.engine() == Engine::Sqlite { ") IN (VALUES " } else { ") IN (" });
        separated(sql, ", ", keys, |sql, key| {
            sql.push("(");
            separated(sql, ", ", &types.pairs(key), |sql, (term, value)| term.push_value(sql, value));
            sql.push(")");
        });
        sql.push(")");
    }

    fn pairs<'a>(&'a self, values: &'a [String]) -> Vec<(&'a Term, &'a String)> {
        self.0.iter().zip(values).collect()
    }
}

/// Writes each item, with `separator` between them.
pub fn separated<T>(sql: &mut Sql, separator: &str, items: &[T], mut write: impl FnMut(&mut Sql, &T)) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            sql.push(separator);
        }
        write(sql, item);
    }
}

/// Names, separated by commas, for people.
pub(crate) fn joined(idents: &[Ident]) -> String {
    idents.iter().map(Ident::as_str).collect::<Vec<_>>().join(", ")
}

//! Facts about a table, read from the catalog; each engine's way of telling them is in a file of its own.

mod indexes;
mod mysql;
mod postgres;
mod privileges;
mod sqlite;

pub use indexes::{MissingIndex, missing_indexes};
pub use privileges::{Privilege, Privileges};

use super::{Session, SourceError, TextRow};
use crate::policy::{Child, Engine, Ident, TableName};

/// What the catalog knows of a table.
#[derive(Debug, Clone)]
pub struct TableFacts {
    /// As the catalog resolved it; `schema` is always there.
    pub name: TableName,
    /// "table", "partitioned table", "view", "foreign table", …; only the first two may be governed.
    pub relation: String,
    pub columns: Vec<Column>,
    /// Columns of the primary key, else of the shortest unique index over NOT NULL columns; empty: no key.
    pub key: Vec<Ident>,
    /// Columns of every primary key and unique index, of which no two rows have the same values; NULLs aside.
    pub unique: Vec<Vec<Ident>>,
    /// Plain (not partial, not expression, valid) b-tree indexes, primary key and unique ones included.
    pub indexes: Vec<IndexFacts>,
    /// SQLite only: the table has a rowid.
    pub has_rowid: bool,
}

/// An index and its leading columns in order, as far as an ordered range over their plain values can use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFacts {
    pub name: String,
    pub columns: Vec<Ident>,
    /// No two rows have the same values in `columns`.
    pub unique: bool,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: Ident,
    /// As the catalog writes it ("timestamp with time zone", "datetime(6)", "INTEGER").
    pub declared: String,
    pub kind: ColumnType,
    pub nullable: bool,
    pub generated: bool,
    /// How its texts are compared, as it is written behind COLLATE, where that is known and may take different texts for
    /// equal, or may differ from column to column: always on MySQL; on SQLite where an index has the column.
    pub collation: Option<String>,
}

/// What a column's type means to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// An instant: PostgreSQL timestamptz, MySQL TIMESTAMP.
    TimestampTz,
    /// Date and time without zone: PostgreSQL timestamp, MySQL DATETIME.
    Timestamp,
    Date,
    Integer,
    /// A number that may have a fraction, exact or not.
    Real,
    Text,
    Uuid,
    Binary,
    /// Several values in one: an array, JSON, a composite, a range. It cannot hold a path.
    Compound,
    Other,
    /// SQLite stores any value in any column; declared TIMESTAMP, DATETIME or DATE.
    SqliteDateTime,
}

/// A foreign key of some table that points to ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundForeignKey {
    /// The table that points; `schema` is always there.
    pub table: TableName,
    /// Its columns, in the order of `referenced`.
    pub columns: Vec<Ident>,
    /// Our columns.
    pub referenced: Vec<Ident>,
    /// The partitioned table that it is a part of, with a foreign key of its own.
    pub partition_of: Option<TableName>,
    pub on_delete: OnDelete,
}

/// What the database itself does to the rows that point to a deleted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The deletion fails, at once or at the commit (NO ACTION, RESTRICT).
    Forbid,
    Cascade,
    SetNull,
    SetDefault,
}

impl TableFacts {
    /// Reads them; `None` where there is no such relation (or none that this login may see).
    pub async fn load(session: &mut Session, table: &TableName) -> Result<Option<Self>, SourceError> {
        match session.engine() {
            Engine::Postgres => postgres::load(session, table).await,
            Engine::MySql => mysql::load(session, table).await,
            Engine::Sqlite => sqlite::load(session, table).await,
        }
    }
}

impl InboundForeignKey {
    /// Whether a declared child is what this foreign key makes, by itself or as a part of it.
    pub fn is_of(&self, child: &Child) -> bool {
        let is_it = |table: &TableName| super::is_named(table, &child.table);
        child.is_by(&self.columns) && (is_it(&self.table) || self.partition_of.as_ref().is_some_and(is_it))
    }

    /// Reads those that point to the table, as far as this login may see them. MySQL looks at every table for it, so
    /// this is no question for each batch.
    pub async fn load(session: &mut Session, table: &TableFacts) -> Result<Vec<Self>, SourceError> {
        match session.engine() {
            Engine::Postgres => postgres::inbound(session, table).await,
            Engine::MySql => mysql::inbound(session, table).await,
            Engine::Sqlite => sqlite::inbound(session, table).await,
        }
    }
}

impl OnDelete {
    /// As the SQL standard spells the actions.
    fn parse(text: &str) -> Self {
        match text {
            "CASCADE" => OnDelete::Cascade,
            "SET NULL" => OnDelete::SetNull,
            "SET DEFAULT" => OnDelete::SetDefault,
            _ => OnDelete::Forbid,
        }
    }
}

/// An index as the catalogs list it: column by column.
struct RawIndex {
    name: String,
    primary: bool,
    unique: bool,
    columns: Vec<RawIndexColumn>,
}

struct RawIndexColumn {
    name: String,
    descending: bool,
    /// It is sorted by the plain value: not by a prefix, another collation or an unusual operator class.
    plain: bool,
}

impl RawIndex {
    /// Collects rows of (index, primary, unique, column, descending, plain), an index's rows being neighbours; flags
    /// are "1" or something else.
    fn collect(rows: Vec<TextRow>) -> Vec<RawIndex> {
        let mut indexes: Vec<RawIndex> = Vec::new();
        for row in rows {
            let [name, primary, unique, column, descending, plain] = cells(row);
            let column = RawIndexColumn { name: column, descending: descending == "1", plain: plain == "1" };
            match indexes.last_mut() {
                Some(last) if last.name == name => last.columns.push(column),
                _ => {
                    let (primary, unique) = (primary == "1", unique == "1");
                    indexes.push(RawIndex { name, primary, unique, columns: vec![column] });
                }
            }
        }
        indexes
    }

    /// All its columns.
    fn idents(&self) -> Option<Vec<Ident>> {
        self.columns.iter().map(|column| Ident::parse(&column.name).ok()).collect()
    }

    /// Its leading columns that are plain and sorted in one direction: read forwards or backwards, they are in order.
    fn facts(&self) -> Option<IndexFacts> {
        let descending = self.columns.first()?.descending;
        let leading = self.columns.iter().take_while(|column| column.plain && column.descending == descending);
        let columns: Vec<Ident> = leading.map(|column| Ident::parse(&column.name).ok()).collect::<Option<_>>()?;
        let unique = self.unique && columns.len() == self.columns.len();
        (!columns.is_empty()).then(|| IndexFacts { name: self.name.clone(), columns, unique })
    }
}

/// The primary key, else the shortest unique index whose columns are all NOT NULL: with a NULL in it, a unique index
/// lets the same key come twice.
fn choose_key(indexes: &[RawIndex], columns: &[Column]) -> Vec<Ident> {
    let not_null = |ident: &Ident| columns.iter().any(|column| column.name == *ident && !column.nullable);
    let unique = indexes.iter().filter(|index| index.unique);
    let candidates = unique.filter_map(|index| {
        let key = index.idents()?;
        key.iter().all(not_null).then_some((!index.primary, key.len(), &index.name, key))
    });
    candidates
        .min_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)))
        .map_or(Vec::new(), |(.., key)| key)
}

/// The columns of each unique index.
fn unique_keys(indexes: &[RawIndex]) -> Vec<Vec<Ident>> {
    indexes.iter().filter(|index| index.unique).filter_map(RawIndex::idents).collect()
}

/// Collects rows of (schema, table, constraint, column, referenced column, action) and perhaps (schema, table) of what the
/// table is a partition of, a constraint's rows being neighbours.
fn collect_inbound(rows: Vec<TextRow>) -> Vec<InboundForeignKey> {
    let mut keys: Vec<(String, InboundForeignKey)> = Vec::new();
    for row in rows {
        let [schema, table, constraint, column, referenced, action, of_schema, of_table] = cells(row);
        let identity = format!("{schema}\0{table}\0{constraint}");
        let parsed = (Ident::parse(&schema), Ident::parse(&table), Ident::parse(&column), Ident::parse(&referenced));
        let (Ok(schema), Ok(table), Ok(column), Ok(referenced)) = parsed else { continue };
        match keys.last_mut() {
            Some((last, key)) if *last == identity => {
                key.columns.push(column);
                key.referenced.push(referenced);
            }
            _ => {
                let table = TableName { schema: Some(schema), table };
                let on_delete = OnDelete::parse(&action);
                let (columns, referenced) = (vec![column], vec![referenced]);
                let of = Ident::parse(&of_schema).ok().zip(Ident::parse(&of_table).ok());
                let partition_of = of.map(|(schema, table)| TableName { schema: Some(schema), table });
                keys.push((identity, InboundForeignKey { table, columns, referenced, partition_of, on_delete }));
            }
        }
    }
    keys.into_iter().map(|(_, key)| key).collect()
}

/// The first `N` columns of a row; NULL as "".
fn cells<const N: usize>(mut row: TextRow) -> [String; N] {
    std::array::from_fn(|column| row.0.get_mut(column).and_then(Option::take).unwrap_or_default())
}

/// What is being done, for an error.
fn looking_up(table: &TableName) -> String {
    format!("looking up table {table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(name: &str, primary: bool, columns: &[(&str, bool, bool)]) -> RawIndex {
        let columns = columns.iter().map(|(name, descending, plain)| RawIndexColumn {
            name: (*name).to_owned(),
            descending: *descending,
            plain: *plain,
        });
        RawIndex { name: name.to_owned(), primary, unique: true, columns: columns.collect() }
    }

    fn column(name: &str, nullable: bool) -> Column {
        let name = Ident::parse(name).unwrap();
        Column {
            name,
            declared: "int".to_owned(),
            kind: ColumnType::Integer,
            nullable,
            generated: false,
            collation: None,
        }
    }

    fn names(idents: &[Ident]) -> Vec<&str> {
        idents.iter().map(Ident::as_str).collect()
    }

    #[test]
    fn d14_a_key_is_unique_for_certain() {
        let columns = [column("a", false), column("b", false), column("c", true)];
        let (pair, nullable) =
            (index("pair", false, &[("a", false, true), ("b", false, true)]), index("c", false, &[("c", false, true)]));
        assert_eq!(names(&choose_key(&[nullable, pair], &columns)), ["a", "b"]);
        let (long, short) =
            (index("z", true, &[("a", false, true), ("b", false, true)]), index("a", false, &[("b", false, true)]));
        assert_eq!(names(&choose_key(&[short, long], &columns)), ["a", "b"]);
        assert!(choose_key(&[index("c", false, &[("c", false, true)])], &columns).is_empty());
        let mut plain = index("a", false, &[("a", false, true)]);
        plain.unique = false;
        assert!(choose_key(&[plain], &columns).is_empty());
    }

    #[test]
    fn an_index_counts_as_far_as_it_is_in_order() {
        let facts = |columns: &[(&str, bool, bool)]| index("i", false, columns).facts();
        let both = facts(&[("a", true, true), ("b", true, true)]).unwrap();
        assert_eq!((names(&both.columns), both.unique), (vec!["a", "b"], true));
        let mixed = facts(&[("a", false, true), ("b", true, true)]).unwrap();
        assert_eq!((names(&mixed.columns), mixed.unique), (vec!["a"], false));
        assert_eq!(facts(&[("a", false, false), ("b", false, true)]), None);
    }
}

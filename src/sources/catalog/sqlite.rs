//! SQLite's catalog, by way of its table-valued pragmas. Names know no case there; the catalog's spelling is kept.

use std::path::Path;

use super::foreign_key::{InboundForeignKey, collect_inbound};
use super::listing::{cells, looking_up};
use super::privileges::{Privileges, asking_for};
use super::raw_index::{RawIndex, beginnings, choose_key, unique_keys};
use super::table::{Column, IndexFacts, TableFacts};
use crate::policy::{Ident, TableName};
use crate::sources::session::is_writable;
use crate::sources::{ColumnType, Session, SourceError, TextRow};

/// The only database that a session opens.
const SCHEMA: &str = "main";

pub(super) async fn load(session: &mut Session, table: &TableName) -> Result<Option<TableFacts>, SourceError> {
    if table.schema.as_ref().is_some_and(|schema| !schema.as_str().eq_ignore_ascii_case(SCHEMA)) {
        return Ok(None);
    }
    let operation = looking_up(table);
    let mut sql = session.sql();
    sql.push("SELECT name, type, CAST(wr AS TEXT) FROM pragma_table_list WHERE schema = ").bind(SCHEMA.to_owned());
    sql.push(" AND name = ").bind(table.table.to_string()).push(" COLLATE NOCASE");
    let Some(found) = session.query(&operation, &sql).await?.into_iter().next() else { return Ok(None) };
    let [name, kind, without_rowid] = cells(found);
    let (Ok(schema), Ok(name)) = (Ident::parse(SCHEMA), Ident::parse(&name)) else { return Ok(None) };
    let has_rowid = kind == "table" && without_rowid != "1";
    let mut columns = load_columns(session, &operation, &name).await?;
    let raw = load_indexes(session, &operation, &name, &mut columns).await?;
    let mut indexes: Vec<IndexFacts> = raw.iter().filter_map(RawIndex::facts).collect();
    let primary = primary_key(&columns);
    let mut unique = unique_keys(&raw);
    if let Some(alias) = rowid_alias(has_rowid, &primary, &mut columns, &raw) {
        unique.push(vec![alias.clone()]);
        indexes.push(IndexFacts { name: "rowid".to_owned(), columns: vec![alias], unique: true });
    }
    let columns: Vec<Column> = columns.into_iter().map(|(column, _)| column).collect();
    // Other primary keys may hold NULL in SQLite; statements go by the rowid there, and people by the key they know.
    let key = if has_rowid && !primary.is_empty() { primary } else { choose_key(&raw, &columns) };
    Ok(Some(TableFacts {
        name: TableName { schema: Some(schema), table: name },
        relation: relation(&kind).to_owned(),
        columns,
        key,
        unique,
        beginnings: beginnings(&raw),
        indexes,
        has_rowid,
    }))
}

fn relation(kind: &str) -> &'static str {
    match kind {
        "table" => "table",
        "view" => "view",
        "virtual" => "virtual table (a module's own)",
        "shadow" => "shadow table (a module's own)",
        _ => "relation of another kind",
    }
}

/// The columns, each with its position in the primary key (0: not in it).
async fn load_columns(
    session: &mut Session,
    operation: &str,
    table: &Ident,
) -> Result<Vec<(Column, usize)>, SourceError> {
    let mut sql = session.sql();
    sql.push(
        "SELECT name, type, CAST(`notnull` AS TEXT), CAST(hidden AS TEXT), CAST(pk AS TEXT) FROM pragma_table_xinfo(",
    );
    sql.bind(table.to_string()).push(", ").bind(SCHEMA.to_owned()).push(") ORDER BY cid");
    let rows = session.query(operation, &sql).await?;
    let column = |row: TextRow| {
        let [name, declared, not_null, hidden, position] = cells(row);
        let column = Column {
            name: Ident::parse(&name).ok()?,
            kind: kind(&declared),
            declared,
            nullable: not_null != "1",
            generated: hidden == "2" || hidden == "3",
            collation: None,
        };
        // 1 is a hidden argument of a virtual table.
        (hidden != "1").then(|| (column, position.parse().unwrap_or(0)))
    };
    Ok(rows.into_iter().filter_map(column).collect())
}

/// By SQLite's own rules for a column's affinity (<https://www.sqlite.org/datatype3.html>), with instants told apart.
fn kind(declared: &str) -> ColumnType {
    let declared = declared.to_ascii_uppercase();
    let has = |word: &str| declared.contains(word);
    if has("INT") {
        ColumnType::Integer
    } else if has("TIMESTAMP") || has("DATETIME") || declared.starts_with("DATE") {
        ColumnType::SqliteDateTime
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("STRING") {
        ColumnType::Text
    } else if has("BLOB") {
        ColumnType::Binary
    } else if ["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"].into_iter().any(has) {
        ColumnType::Real
    } else {
        ColumnType::Other
    }
}

fn primary_key(columns: &[(Column, usize)]) -> Vec<Ident> {
    let mut key: Vec<_> = columns.iter().filter(|(_, position)| *position > 0).collect();
    key.sort_by_key(|(_, position)| *position);
    key.into_iter().map(|(column, _)| column.name.clone()).collect()
}

/// The column that is the rowid itself: a single primary key declared INTEGER that needs no index of its own. It is
/// never NULL, whatever its declaration says.
fn rowid_alias(
    has_rowid: bool,
    primary: &[Ident],
    columns: &mut [(Column, usize)],
    indexes: &[RawIndex],
) -> Option<Ident> {
    let [name] = primary else { return None };
    let (column, _) = columns.iter_mut().find(|(column, _)| column.name == *name)?;
    let is_alias =
        has_rowid && column.declared.eq_ignore_ascii_case("INTEGER") && !indexes.iter().any(|index| index.primary);
    is_alias.then(|| {
        column.nullable = false;
        column.name.clone()
    })
}

/// The indexes; the columns hear by which collation a unique one of them compares, which is what a foreign key goes by.
async fn load_indexes(
    session: &mut Session,
    operation: &str,
    table: &Ident,
    columns: &mut [(Column, usize)],
) -> Result<Vec<RawIndex>, SourceError> {
    let mut sql = session.sql();
    sql.push(
        "SELECT i.name, CAST(i.origin = 'pk' AS TEXT), CAST(i.`unique` AS TEXT), c.name, CAST(c.`desc` AS TEXT), \
         CAST(c.coll = 'BINARY' AS TEXT), CAST(c.coll = 'BINARY' AS TEXT), c.coll FROM pragma_index_list(",
    );
    sql.bind(table.to_string()).push(", ").bind(SCHEMA.to_owned()).push(") AS i JOIN pragma_index_xinfo(i.name, ");
    sql.bind(SCHEMA.to_owned());
    // Negative column ids are the rowid and expressions.
    sql.push(
        ") AS c WHERE i.partial = 0 AND c.`key` = 1 AND NOT EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) AS x \
         WHERE x.`key` = 1 AND x.cid < 0) ORDER BY i.seq, c.seqno",
    );
    let rows = session.query(operation, &sql).await?;
    for row in &rows {
        let [_, _, Some(unique), Some(name), .., Some(collation)] = row.0.as_slice() else { continue };
        let column = columns.iter_mut().map(|(column, _)| column).find(|column| column.name.as_str() == name);
        if let Some(column) = column.filter(|column| unique == "1" && column.collation.is_none()) {
            column.collation = Ident::parse(collation).ok().map(|collation| format!("`{collation}`"));
        }
    }
    Ok(RawIndex::collect(rows))
}

pub(super) async fn inbound(session: &mut Session, table: &TableFacts) -> Result<Vec<InboundForeignKey>, SourceError> {
    let mut sql = session.sql();
    // Without a column named, a foreign key points to the primary key.
    sql.push("SELECT ").bind(SCHEMA.to_owned()).push(
        ", m.name, CAST(f.id AS TEXT), f.`from`, COALESCE(f.`to`, (SELECT p.name FROM pragma_table_info(f.`table`) AS p \
         WHERE p.pk = f.seq + 1)), f.on_delete FROM main.sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f \
         WHERE m.type = 'table' AND f.`table` = ",
    );
    sql.bind(table.name.table.to_string()).push(" COLLATE NOCASE ORDER BY m.name, f.id, f.seq");
    let operation = format!("looking up what points to table {}", table.name);
    Ok(collect_inbound(session.query(&operation, &sql).await?))
}

/// The privileges that follow from whether the file and its directory may be written.
pub(super) async fn privileges(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut sql = session.sql();
    sql.push("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let rows = session.query(&asking_for(table), &sql).await?;
    let [file] = rows.into_iter().next().map(cells).unwrap_or_default();
    let writable = is_writable(Path::new(&file));
    Ok(Privileges { select: true, delete: writable, update: writable, schema: true })
}

pub(super) async fn may_set(session: &mut Session, table: &TableFacts, _column: &Ident) -> Result<bool, SourceError> {
    Ok(privileges(session, table).await?.update)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_types_mean_what_sqlite_makes_of_them() {
        for (declared, expected) in [
            ("INTEGER", ColumnType::Integer),
            ("unsigned big int", ColumnType::Integer),
            ("timestamp with time zone", ColumnType::SqliteDateTime),
            ("DateTime", ColumnType::SqliteDateTime),
            ("date", ColumnType::SqliteDateTime),
            ("varchar(20)", ColumnType::Text),
            ("BLOB", ColumnType::Binary),
            ("", ColumnType::Other),
            ("UPDATED", ColumnType::Other),
            ("REAL", ColumnType::Real),
            ("double precision", ColumnType::Real),
            ("decimal(18, 6)", ColumnType::Real),
        ] {
            assert_eq!(kind(declared), expected, "{declared}");
        }
    }
}

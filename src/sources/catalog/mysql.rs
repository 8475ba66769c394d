//! MySQL's and MariaDB's catalog, by way of information_schema, which shows what the login may see.

use super::foreign_key::{InboundForeignKey, collect_inbound};
use super::listing::{cells, looking_up};
use super::privileges::{Privileges, asking_for};
use super::raw_index::{RawIndex, beginnings, choose_key, unique_keys};
use super::table::{Column, TableFacts};
use crate::policy::{Ident, TableName};
use crate::sources::{ColumnType, ErrorKind, Session, SourceError, Sql, TextRow};

pub(super) async fn load(session: &mut Session, table: &TableName) -> Result<Option<TableFacts>, SourceError> {
    let operation = looking_up(table);
    let Some(found) = find(session, &operation, table).await? else { return Ok(None) };
    let name = found.name.clone();
    let columns = load_columns(session, &operation, &name).await?;
    let indexes = load_indexes(session, &operation, &name).await?;
    Ok(Some(TableFacts {
        name,
        relation: found.relation,
        key: choose_key(&indexes, &columns),
        unique: unique_keys(&indexes),
        beginnings: beginnings(&indexes),
        indexes: indexes.iter().filter_map(RawIndex::facts).collect(),
        columns,
        has_rowid: false,
    }))
}

struct Found {
    name: TableName,
    relation: String,
}

async fn find(session: &mut Session, operation: &str, table: &TableName) -> Result<Option<Found>, SourceError> {
    let mut sql = session.sql();
    sql.push(
        "SELECT t.table_schema, t.table_name, t.table_type, COALESCE(t.create_options, ''), COALESCE(t.engine, ''), \
         COALESCE(e.transactions, ''), CAST(@@lower_case_table_names AS CHAR) FROM information_schema.tables t \
         LEFT JOIN information_schema.engines e ON e.engine = t.engine WHERE t.table_name = ",
    );
    sql.bind(table.table.to_string()).push(" AND t.table_schema = ");
    match &table.schema {
        Some(schema) => sql.bind(schema.to_string()),
        None => sql.push("DATABASE()"),
    };
    let mut alike: Vec<[String; 7]> = session.query(operation, &sql).await?.into_iter().map(cells).collect();
    // The comparison above knows no case; whether names do is the server's own affair.
    let exact = |row: &[String; 7]| {
        row[1] == table.table.as_str() && table.schema.as_ref().is_none_or(|schema| row[0] == schema.as_str())
    };
    alike.retain(|row| exact(row) || row[6] != "0");
    let Some([schema, name, kind, options, engine, transactions, _]) = alike.into_iter().next() else {
        return Ok(None);
    };
    let (Ok(schema), Ok(name)) = (Ident::parse(&schema), Ident::parse(&name)) else { return Ok(None) };
    let relation = relation(&kind, &options, &engine, transactions == "YES");
    Ok(Some(Found { name: TableName { schema: Some(schema), table: name }, relation }))
}

fn relation(kind: &str, options: &str, engine: &str, transactional: bool) -> String {
    match kind {
        // What is deleted there is gone before the commit, and a rollback does not bring it back.
        "BASE TABLE" if !transactional => format!("{engine} table without transactions"),
        "BASE TABLE" if options.contains("partitioned") => "partitioned table".to_owned(),
        "BASE TABLE" => "table".to_owned(),
        "SYSTEM VERSIONED" => "system-versioned table".to_owned(),
        other => other.to_ascii_lowercase(),
    }
}

async fn load_columns(session: &mut Session, operation: &str, table: &TableName) -> Result<Vec<Column>, SourceError> {
    let mut sql = session.sql();
    sql.push("SELECT column_name, column_type, data_type, is_nullable, extra, collation_name FROM information_schema.columns");
    sql.with(|sql| push_where(sql, "", table)).push(" ORDER BY ordinal_position");
    let rows = session.query(operation, &sql).await?;
    let is_long = |row: &TextRow| row.0.get(2).and_then(Option::as_deref) == Some("longtext");
    let json = match rows.iter().any(is_long) {
        true => json_columns(session, operation, table).await?,
        false => Vec::new(),
    };
    let column = |row| {
        let [name, declared, mut data_type, nullable, extra, collation] = cells(row);
        if json.contains(&name) {
            "json".clone_into(&mut data_type);
        }
        // MySQL says DEFAULT_GENERATED of a column with a computed default.
        let generated = ["VIRTUAL GENERATED", "STORED GENERATED", "PERSISTENT"].iter().any(|word| extra.contains(word));
        Some(Column {
            name: Ident::parse(&name).ok()?,
            kind: kind(&data_type),
            declared,
            nullable: nullable != "NO",
            generated,
            collation: (!collation.is_empty()).then_some(collation),
        })
    };
    Ok(rows.into_iter().filter_map(column).collect())
}

/// Columns that MariaDB made of JSON: long texts with a check that they are valid. MySQL has a type of its own.
async fn json_columns(session: &mut Session, operation: &str, table: &TableName) -> Result<Vec<String>, SourceError> {
    let mut sql = session.sql();
    sql.push("SELECT VERSION()");
    let version = session.query(operation, &sql).await?;
    if !version.into_iter().any(|row| cells::<1>(row)[0].contains("MariaDB")) {
        return Ok(Vec::new());
    }
    let mut sql = session.sql();
    sql.push(
        "SELECT constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = ",
    );
    sql.bind(table.schema.as_ref().map(Ident::to_string)).push(" AND table_name = ").bind(table.table.to_string());
    let rows = session.query(operation, &sql).await?;
    let column = |row| {
        let [name, clause] = cells(row);
        let clause = clause.to_ascii_lowercase().replace([' ', '`'], "");
        (clause == format!("json_valid({})", name.to_ascii_lowercase())).then_some(name)
    };
    Ok(rows.into_iter().filter_map(column).collect())
}

fn kind(data_type: &str) -> ColumnType {
    match data_type {
        "timestamp" => ColumnType::TimestampTz,
        "datetime" => ColumnType::Timestamp,
        "date" => ColumnType::Date,
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => ColumnType::Integer,
        "float" | "double" | "decimal" => ColumnType::Real,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => ColumnType::Text,
        "uuid" => ColumnType::Uuid,
        "json" => ColumnType::Compound,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => ColumnType::Binary,
        _ => ColumnType::Other,
    }
}

async fn load_indexes(session: &mut Session, operation: &str, table: &TableName) -> Result<Vec<RawIndex>, SourceError> {
    let mut sql = session.sql();
    // A part of an index without a column is an expression. A prefix is not in the order of the whole value.
    sql.push(
        "SELECT s.index_name, CAST(s.index_name = 'PRIMARY' AS CHAR), CAST(s.non_unique = 0 AS CHAR), s.column_name, \
         CAST(COALESCE(s.collation, 'A') = 'D' AS CHAR), CAST(s.sub_part IS NULL AS CHAR), '1' \
         FROM information_schema.statistics s",
    );
    push_where(&mut sql, "s.", table);
    sql.push(
        " AND s.index_type = 'BTREE' AND NOT EXISTS (SELECT 1 FROM information_schema.statistics x WHERE \
         x.table_schema = s.table_schema AND x.table_name = s.table_name AND x.index_name = s.index_name AND \
         x.column_name IS NULL) ORDER BY s.index_name, s.seq_in_index",
    );
    Ok(RawIndex::collect(session.query(operation, &sql).await?))
}

/// Names the one table, in whatever case the catalog's own collation compares.
fn push_where(sql: &mut Sql, alias: &str, table: &TableName) {
    let schema = table.schema.as_ref().map(Ident::to_string);
    for (before, column, value) in
        [(" WHERE ", "table_schema", schema), (" AND ", "table_name", Some(table.table.to_string()))]
    {
        // The plain comparison lets the server open this table alone; the binary one tells `T` from `t`.
        sql.push(before).push(alias).push(column).push(" = ").bind(value.clone());
        sql.push(" AND CAST(").push(alias).push(column).push(" AS BINARY) = CAST(").bind(value).push(" AS BINARY)");
    }
}

pub(super) async fn inbound(session: &mut Session, table: &TableFacts) -> Result<Vec<InboundForeignKey>, SourceError> {
    let mut sql = session.sql();
    sql.push(
        "SELECT k.table_schema, k.table_name, k.constraint_name, k.column_name, k.referenced_column_name, r.delete_rule \
         FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
         ON r.constraint_schema = k.constraint_schema AND r.table_name = k.table_name \
         AND r.constraint_name = k.constraint_name WHERE CAST(k.referenced_table_name AS BINARY) = CAST(",
    );
    sql.bind(table.name.table.to_string()).push(" AS BINARY) AND CAST(k.referenced_table_schema AS BINARY) = CAST(");
    sql.bind(table.name.schema.as_ref().map(Ident::to_string));
    sql.push(" AS BINARY) ORDER BY k.table_schema, k.table_name, k.constraint_name, k.ordinal_position");
    let operation = format!("looking up what points to table {}", table.name);
    Ok(collect_inbound(session.query(&operation, &sql).await?))
}

/// Has the server explain each statement: that asks for the same privileges as the statement, roles included, and
/// touches nothing.
pub(super) async fn privileges(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut select = session.sql();
    select.push("EXPLAIN SELECT 1 FROM ").table(&table.name);
    // Nothing is ever deleted from a view, and of some the server would not even explain how.
    if table.relation.contains("view") {
        let select = may(session, table, &select).await?;
        return Ok(Privileges { select, delete: false, update: false, schema: true });
    }
    let mut delete = session.sql();
    delete.push("EXPLAIN DELETE FROM ").table(&table.name).push(" LIMIT 0");
    let mut update = false;
    for column in table.columns.iter().filter(|column| !column.generated) {
        update = may_set(session, table, &column.name).await?;
        if update {
            break;
        }
    }
    Ok(Privileges {
        select: may(session, table, &select).await?,
        delete: may(session, table, &delete).await?,
        update,
        schema: true,
    })
}

pub(super) async fn may_set(session: &mut Session, table: &TableFacts, column: &Ident) -> Result<bool, SourceError> {
    let mut sql = session.sql();
    sql.push("EXPLAIN UPDATE ").table(&table.name).push(" SET ").ident(column).push(" = NULL LIMIT 0");
    may(session, table, &sql).await
}

async fn may(session: &mut Session, table: &TableFacts, explain: &Sql) -> Result<bool, SourceError> {
    match session.execute(&asking_for(table), explain).await {
        // A server that takes no changes at all is told of by itself.
        Ok(_) => Ok(true),
        Err(error) if error.kind == ErrorKind::ReadOnly => Ok(true),
        Err(error) if error.kind == ErrorKind::Permission => Ok(false),
        Err(error) => Err(error),
    }
}

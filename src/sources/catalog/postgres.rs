//! PostgreSQL's catalog (11 and later), read by object id, so that a name is resolved once.

use super::foreign_key::{InboundForeignKey, collect_inbound};
use super::listing::{cells, looking_up};
use super::privileges::{Privileges, asking_for};
use super::raw_index::{RawIndex, beginnings, choose_key, unique_keys};
use super::table::{Column, TableFacts};
use crate::policy::{Ident, TableName};
use crate::sources::{ColumnType, ErrorKind, Session, SourceError, Sql};

pub(super) async fn load(session: &mut Session, table: &TableName) -> Result<Option<TableFacts>, SourceError> {
    let operation = looking_up(table);
    let Some(mut sql) = finding(session, table) else { return Ok(None) };
    sql.push(" ORDER BY path.position");
    let found: Vec<[String; 6]> = session.query(&operation, &sql).await?.into_iter().map(cells).collect();
    refuse_shadow(session, table, &operation, &found)?;
    let is_certain = table.schema.is_some() || found.len() == 1;
    let Some([oid, schema, name, kind, has_heirs, owner]) = found.into_iter().next() else { return Ok(None) };
    if is_certain {
        session.trust_owner(&owner);
    }
    let (Ok(schema), Ok(name)) = (Ident::parse(&schema), Ident::parse(&name)) else { return Ok(None) };
    let columns = load_columns(session, &operation, &oid).await?;
    let indexes = load_indexes(session, &operation, &oid).await?;
    Ok(Some(TableFacts {
        name: TableName { schema: Some(schema), table: name },
        relation: relation(&kind, has_heirs == "1").to_owned(),
        key: choose_key(&indexes, &columns),
        unique: unique_keys(&indexes),
        beginnings: beginnings(&indexes),
        indexes: indexes.iter().filter_map(RawIndex::facts).collect(),
        columns,
        has_rowid: false,
    }))
}

/// Looks for a table in its schema, or in those of the search path; none where there is nowhere to look.
fn finding(session: &Session, table: &TableName) -> Option<Sql> {
    let schemas: Vec<String> = match &table.schema {
        Some(schema) => vec![schema.as_str().to_owned()],
        None => session.path_schemas().iter().map(|schema| schema.name.clone()).collect(),
    };
    let mut sql = session.sql();
    sql.push(
        "SELECT c.oid::text, n.nspname::text, c.relname::text, c.relkind::text, \
         EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)::int::text, c.relowner::text FROM (VALUES ",
    );
    for (position, schema) in schemas.iter().enumerate() {
        sql.push(if position > 0 { ", (" } else { "(" }).push(&position.to_string());
        sql.push(", ").bind(schema.clone()).push(")");
    }
    sql.push(
        ") AS path(position, name) JOIN pg_namespace n ON n.nspname = path.name \
         JOIN pg_class c ON c.relnamespace = n.oid WHERE c.relname = ",
    );
    sql.bind(table.table.as_str().to_owned());
    (!schemas.is_empty()).then_some(sql)
}

/// A table that is found before another of the same name, in a schema in which others may create one, may not be the
/// one that was meant.
fn refuse_shadow(
    session: &Session,
    table: &TableName,
    operation: &str,
    found: &[[String; 6]],
) -> Result<(), SourceError> {
    let [[_, first, ..], rest @ ..] = found else { return Ok(()) };
    let Some(creators) = session.path_schemas().iter().find(|schema| schema.name == *first) else { return Ok(()) };
    if rest.is_empty() || creators.creators.is_empty() {
        return Ok(());
    }
    let others: Vec<_> = rest.iter().map(|[_, schema, ..]| schema.as_str()).collect();
    let cause = format!(
        "there is a table {} in schema {first}, in which {} may create objects, and in {}: write it with its schema",
        table.table,
        creators.creators.join(" and "),
        others.join(" and ")
    );
    Err(SourceError::new(session.source_name(), operation, ErrorKind::Other, cause))
}

fn relation(kind: &str, has_heirs: bool) -> &'static str {
    match kind {
        // A key of such a table is unique in it but not in its heirs, whose rows it shows as well.
        "r" if has_heirs => "table that others inherit from",
        "r" => "table",
        "p" => "partitioned table",
        "v" => "view",
        "m" => "materialized view",
        "f" => "foreign table",
        "S" => "sequence",
        "i" | "I" => "index",
        _ => "relation of another kind",
    }
}

async fn load_columns(session: &mut Session, operation: &str, oid: &str) -> Result<Vec<Column>, SourceError> {
    let mut sql = session.sql();
    // A domain means what its base type means. `attgenerated` and `collisdeterministic` came with version 12: read as
    // JSON they may be absent.
    sql.push("WITH RECURSIVE base AS (SELECT a.attnum, a.atttypid AS type FROM pg_attribute a WHERE a.attrelid = ");
    sql.bind(oid.to_owned()).push(
        "::oid UNION ALL SELECT b.attnum, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.type \
         WHERE t.typtype = 'd') \
         SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), CASE WHEN t.typcategory IN ('A', 'C', 'R') \
         OR t.typtype IN ('c', 'r', 'm') THEN 'several values' ELSE t.typname::text END, a.attnotnull::int::text, \
         (coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '')::int::text, \
         (SELECT quote_ident(cn.nspname) || '.' || quote_ident(co.collname) FROM pg_collation co \
         JOIN pg_namespace cn ON cn.oid = co.collnamespace WHERE co.oid = a.attcollation \
         AND to_jsonb(co) ->> 'collisdeterministic' = 'false') \
         FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype <> 'd' \
         JOIN pg_attribute a ON a.attnum = b.attnum AND a.attrelid = ",
    );
    sql.bind(oid.to_owned()).push("::oid WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum");
    let rows = session.query(operation, &sql).await?;
    let column = |row| {
        let [name, declared, base, not_null, generated, collation] = cells(row);
        Some(Column {
            name: Ident::parse(&name).ok()?,
            declared,
            kind: kind(&base),
            nullable: not_null != "1",
            generated: generated == "1",
            collation: (!collation.is_empty()).then_some(collation),
        })
    };
    Ok(rows.into_iter().filter_map(column).collect())
}

fn kind(base: &str) -> ColumnType {
    match base {
        "timestamptz" => ColumnType::TimestampTz,
        "timestamp" => ColumnType::Timestamp,
        "date" => ColumnType::Date,
        "int2" | "int4" | "int8" => ColumnType::Integer,
        "float4" | "float8" | "numeric" => ColumnType::Real,
        "text" | "varchar" | "bpchar" | "name" | "citext" => ColumnType::Text,
        "uuid" => ColumnType::Uuid,
        "bytea" => ColumnType::Binary,
        "several values" | "json" | "jsonb" | "jsonpath" | "hstore" | "xml" | "tsvector" | "tsquery" => {
            ColumnType::Compound
        }
        _ => ColumnType::Other,
    }
}

async fn load_indexes(session: &mut Session, operation: &str, oid: &str) -> Result<Vec<RawIndex>, SourceError> {
    let mut sql = session.sql();
    // A deferrable constraint lets two rows share a key for a while.
    sql.push(
        "SELECT ic.relname::text, i.indisprimary::int::text, (i.indisunique AND i.indimmediate)::int::text, \
         a.attname::text, (i.indoption[k.position - 1]::int & 1)::text, oc.opcdefault::int::text, \
         (oc.opcname LIKE '%pattern_ops' OR oc.opcname = 'bytea_ops' OR coalesce(co.provider, db.provider) = 'b' OR \
         coalesce(co.provider, db.provider) = 'c' AND coalesce(co.locale, db.locale) IN ('C', 'POSIX'))::int::text \
         FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_am am ON am.oid = ic.relam \
         CROSS JOIN LATERAL generate_series(1, i.indnkeyatts::int) AS k(position) \
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.position - 1] \
         JOIN pg_opclass oc ON oc.oid = i.indclass[k.position - 1] \
         LEFT JOIN (SELECT oid, collprovider::text AS provider, collcollate AS locale FROM pg_collation \
         WHERE collprovider <> 'd') AS co ON co.oid = i.indcollation[k.position - 1] \
         CROSS JOIN (SELECT coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider, datcollate AS locale \
         FROM pg_database d WHERE datname = current_database()) AS db \
         WHERE i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND am.amname = 'btree' AND i.indrelid = ",
    );
    sql.bind(oid.to_owned()).push("::oid ORDER BY ic.relname, k.position");
    Ok(RawIndex::collect(session.query(operation, &sql).await?))
}

pub(super) async fn inbound(session: &mut Session, table: &TableFacts) -> Result<Vec<InboundForeignKey>, SourceError> {
    let mut sql = session.sql();
    // The copies of a constraint on the partitions of a partitioned table have a parent.
    sql.push(
        "SELECT n.nspname::text, c.relname::text, k.conname::text, ours.attname::text, theirs.attname::text, \
         CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE '' END, \
         wn.nspname::text, whole.relname::text \
         FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_class target ON target.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = target.relnamespace \
         CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair(own, referenced, position) \
         JOIN pg_attribute ours ON ours.attrelid = k.conrelid AND ours.attnum = pair.own \
         JOIN pg_attribute theirs ON theirs.attrelid = k.confrelid AND theirs.attnum = pair.referenced \
         LEFT JOIN pg_inherits part ON part.inhrelid = c.oid AND c.relispartition \
         LEFT JOIN pg_class whole ON whole.oid = part.inhparent LEFT JOIN pg_namespace wn ON wn.oid = whole.relnamespace \
         WHERE k.contype = 'f' AND k.conparentid = 0 AND target.relname = ",
    );
    sql.bind(table.name.table.to_string()).push(" AND tn.nspname = ");
    sql.bind(table.name.schema.as_ref().map(Ident::to_string));
    sql.push(" ORDER BY n.nspname, c.relname, k.conname, pair.position");
    let operation = format!("looking up what points to table {}", table.name);
    Ok(collect_inbound(session.query(&operation, &sql).await?))
}

/// Reads the login's privileges on a table.
pub(super) async fn privileges(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut sql = session.sql();
    sql.push(
        "SELECT has_table_privilege(c.oid, 'SELECT')::int::text, has_table_privilege(c.oid, 'DELETE')::int::text, \
         has_any_column_privilege(c.oid, 'UPDATE')::int::text, has_schema_privilege(n.oid, 'USAGE')::int::text \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ",
    );
    sql.bind(table.name.table.to_string()).push(" AND n.nspname = ");
    sql.bind(table.name.schema.as_ref().map(Ident::to_string));
    let rows = session.query(&asking_for(table), &sql).await?;
    let [select, delete, update, schema] = rows.into_iter().next().map(cells).unwrap_or_default();
    Ok(Privileges { select: select == "1", delete: delete == "1", update: update == "1", schema: schema == "1" })
}

/// True if the login may set a column.
pub(super) async fn may_set(session: &mut Session, table: &TableFacts, column: &Ident) -> Result<bool, SourceError> {
    let mut sql = session.sql();
    sql.push("SELECT has_column_privilege(c.oid, ").bind(column.to_string()).push(
        ", 'UPDATE')::int::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ",
    );
    sql.bind(table.name.table.to_string()).push(" AND n.nspname = ");
    sql.bind(table.name.schema.as_ref().map(Ident::to_string));
    let rows = session.query(&asking_for(table), &sql).await?;
    let [may_set] = rows.into_iter().next().map(cells).unwrap_or_default();
    Ok(may_set == "1")
}

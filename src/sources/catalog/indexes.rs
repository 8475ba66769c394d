//! Indexes that are missing, and the statement that makes one.

use std::collections::BTreeSet;

use super::{ForeignKeyAction, InboundForeignKey, TableFacts};
use crate::policy::{Engine, Ident, TableName};
use crate::sources::sql::dialect::dialect;
use crate::sources::{Session, SourceError, Sql};

/// A foreign key whose own columns no index serves: for each row that goes, the database reads the whole table that
/// points to it.
#[derive(Debug, Clone)]
pub struct MissingIndex {
    /// The table that points.
    pub facts: TableFacts,
    pub columns: Vec<Ident>,
    /// The table that is pointed to.
    pub referenced: TableName,
    engine: Engine,
}

impl MissingIndex {
    /// The problem and its remedy, in one sentence.
    pub fn advice(&self) -> String {
        let columns: Vec<_> = self.columns.iter().map(Ident::as_str).collect();
        format!(
            "no index serves the foreign key ({}) of {} to {}, so that each row that goes has the database read all of {}: {}",
            columns.join(", "),
            self.facts.name,
            self.referenced,
            self.facts.name,
            self.create()
        )
    }

    /// The statement that makes it.
    pub fn create(&self) -> String {
        self.facts.create_index(&self.columns, self.engine)
    }
}

/// The foreign keys without an index that the database goes by when rows of a table are deleted, those of the tables
/// included whose rows it deletes with them.
pub async fn missing_indexes(session: &mut Session, table: &TableName) -> Result<Vec<MissingIndex>, SourceError> {
    let (mut missing, mut seen) = (Vec::new(), BTreeSet::new());
    let mut waiting = vec![table.clone()];
    while let Some(table) = waiting.pop() {
        let Some(facts) = TableFacts::load(session, &table).await? else { continue };
        if !seen.insert(facts.name.to_string()) {
            continue;
        }
        for key in InboundForeignKey::load(session, &facts).await? {
            let Some(pointing) = TableFacts::load(session, &key.table).await? else { continue };
            if !key.columns.iter().any(|column| pointing.leads_index(column)) {
                let (columns, referenced, engine) = (key.columns, facts.name.clone(), session.engine());
                missing.push(MissingIndex { facts: pointing, columns, referenced, engine });
            }
            if key.on_delete == ForeignKeyAction::Cascade {
                waiting.push(key.table);
            }
        }
    }
    Ok(missing)
}

impl TableFacts {
    /// True if an index begins with a column.
    pub fn leads_index(&self, column: &Ident) -> bool {
        self.indexes.iter().any(|index| index.columns.first() == Some(column))
    }

    /// The statement that makes an index of some columns; where none can be made here, where it belongs.
    pub fn create_index(&self, columns: &[Ident], engine: Engine) -> String {
        let table = &self.name.table;
        let names: Vec<_> = columns.iter().map(Ident::as_str).collect();
        if self.relation == "view" {
            let shown = if names.len() == 1 { "column" } else { "columns" };
            return format!(
                "{} is a view: an index belongs on the table beneath it whose {shown} {} shows",
                self.name,
                names.join(", ")
            );
        }
        let (mut sql, traits) = (Sql::new(engine), dialect(engine).traits());
        let index = Ident::parse(&format!("{table}_{}_idx", names.join("_"))).ok();
        let begin = match (self.relation.as_str(), &index) {
            // PostgreSQL makes none of a partitioned table CONCURRENTLY.
            ("partitioned table", _) => traits.create_index.replace("CONCURRENTLY ", ""),
            (_, None) => traits.create_index.replace("@name ", ""),
            (_, Some(_)) => traits.create_index.to_owned(),
        };
        let has_schema = traits.index_has_schema && index.is_some();
        let table = TableName { schema: self.name.schema.clone().filter(|_| !has_schema), table: table.clone() };
        sql.template(&begin, |sql, _| {
            if let Some(name) = &index {
                sql.table(&TableName { schema: self.name.schema.clone().filter(|_| has_schema), table: name.clone() });
            }
        });
        sql.table(&table);
        let prefix = |column: &Ident| {
            let declared =
                self.columns.iter().find(|known| known.name == *column).map(|known| known.declared.to_lowercase());
            let is_long = declared.is_some_and(|declared| ["text", "blob"].iter().any(|kind| declared.contains(kind)));
            if traits.indexes_beginnings && is_long { "(255)" } else { "" }
        };
        for (position, column) in columns.iter().enumerate() {
            sql.push(if position == 0 { " (" } else { ", " }).ident(column).push(prefix(column));
        }
        sql.push(");").text()
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::Column;
    use super::*;
    use crate::sources::ColumnType;

    fn facts(schema: &str) -> TableFacts {
        let column = Column {
            name: Ident::parse("thumbnail_path").unwrap(),
            declared: "text".to_owned(),
            kind: ColumnType::Text,
            nullable: true,
            generated: false,
            collation: None,
        };
        TableFacts {
            name: TableName::parse(&format!("{schema}.Detections")).unwrap(),
            relation: "table".to_owned(),
            columns: vec![column],
            key: Vec::new(),
            unique: Vec::new(),
            indexes: Vec::new(),
            beginnings: Vec::new(),
            has_rowid: true,
        }
    }

    #[test]
    fn an_index_is_proposed_in_its_engines_words() {
        let column = Ident::parse("thumbnail_path").unwrap();
        for (engine, schema, expected) in [
            (Engine::Postgres, "public", r#"CREATE INDEX CONCURRENTLY ON "public"."Detections" ("thumbnail_path");"#),
            (
                Engine::MySql,
                "nvr",
                "CREATE INDEX `Detections_thumbnail_path_idx` ON `nvr`.`Detections` (`thumbnail_path`(255));",
            ),
            (
                Engine::Sqlite,
                "main",
                "CREATE INDEX `main`.`Detections_thumbnail_path_idx` ON `Detections` (`thumbnail_path`);",
            ),
        ] {
            assert_eq!(facts(schema).create_index(std::slice::from_ref(&column), engine), expected);
        }
    }

    #[test]
    fn an_index_is_proposed_where_it_is_possible() {
        let column = Ident::parse("thumbnail_path").unwrap();
        let proposed = |relation: &str| {
            TableFacts { relation: relation.to_owned(), ..facts("public") }
                .create_index(std::slice::from_ref(&column), Engine::Postgres)
        };
        assert_eq!(proposed("partitioned table"), r#"CREATE INDEX ON "public"."Detections" ("thumbnail_path");"#);
        assert_eq!(
            proposed("view"),
            "public.Detections is a view: an index belongs on the table beneath it whose column thumbnail_path shows"
        );
    }
}

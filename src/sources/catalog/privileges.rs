//! What the login may do with a table, and the statement that lets it do what it may not.

use std::path::Path;

use super::listing::cells;
use super::table::TableFacts;
use crate::policy::{Engine, Ident, TableName};
use crate::sources::session::is_writable;
use crate::sources::{ErrorKind, Session, SourceError, Sql};

/// What the login may do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Privileges {
    pub select: bool,
    pub delete: bool,
    /// Some column at least; [`Privileges::columns_not_set`] tells which. Enough to lock a row.
    pub update: bool,
    /// PostgreSQL: it may use the schema at all. The others count only together with this.
    pub schema: bool,
}

/// Something that a policy needs to do with a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privilege {
    Select,
    Delete,
    Update,
}

impl Privilege {
    /// As GRANT spells it.
    pub fn word(self) -> &'static str {
        match self {
            Privilege::Select => "SELECT",
            Privilege::Delete => "DELETE",
            Privilege::Update => "UPDATE",
        }
    }
}

impl Privileges {
    /// Asks the server (SQLite: whether the file and its directory may be written). Not within a transaction: on MySQL
    /// a refusal would spoil it.
    pub async fn load(session: &mut Session, table: &TableFacts) -> Result<Self, SourceError> {
        match session.engine() {
            Engine::Postgres => load_postgres(session, table).await,
            Engine::MySql => load_mysql(session, table).await,
            Engine::Sqlite => load_sqlite(session, table).await,
        }
    }

    /// Which of `columns` the login may not set, though it may perhaps set others. Not within a transaction.
    pub async fn columns_not_set(
        session: &mut Session,
        table: &TableFacts,
        columns: &[Ident],
    ) -> Result<Vec<Ident>, SourceError> {
        let mut missing = Vec::new();
        for column in columns {
            let may_set = match session.engine() {
                Engine::Postgres => may_set_postgres(session, table, column).await?,
                Engine::MySql => may(session, table, &explain_update(table, column)).await?,
                Engine::Sqlite => Self::load(session, table).await?.update,
            };
            if !may_set {
                missing.push(column.clone());
            }
        }
        Ok(missing)
    }

    /// The SQL by which an administrator lets `user` set some columns and no others.
    pub fn grant_columns(engine: Engine, table: &TableName, user: &str, columns: &[Ident]) -> String {
        let mut sql = Sql::new(engine);
        sql.push("GRANT UPDATE (").idents(columns).push(") ON ").table(table).push(" TO ");
        push_user(&mut sql, user);
        sql.push(";").text()
    }

    /// Which of `needs` are missing.
    pub fn missing(&self, needs: &[Privilege]) -> Vec<Privilege> {
        let has = |need: &Privilege| {
            self.schema
                && match need {
                    Privilege::Select => self.select,
                    Privilege::Delete => self.delete,
                    Privilege::Update => self.update,
                }
        };
        needs.iter().copied().filter(|need| !has(need)).collect()
    }

    /// The SQL by which an administrator grants what is missing of `needs`; `None` where nothing is, and on SQLite,
    /// where the file's own permissions decide. `user` is [`Session::user`].
    pub fn grant_hint(&self, engine: Engine, table: &TableName, user: &str, needs: &[Privilege]) -> Option<String> {
        let missing = self.missing(needs);
        if missing.is_empty() || engine == Engine::Sqlite {
            return None;
        }
        let words: Vec<_> = missing.iter().map(|privilege| privilege.word()).collect();
        let mut sql = Sql::new(engine);
        if let (false, Some(schema)) = (self.schema, &table.schema) {
            sql.push("GRANT USAGE ON SCHEMA ").ident(schema).push(" TO ");
            push_user(&mut sql, user);
            sql.push("; ");
        }
        sql.push("GRANT ").push(&words.join(", ")).push(" ON ").table(table).push(" TO ");
        push_user(&mut sql, user);
        Some(sql.push(";").text())
    }
}

/// A login as [`Session::user`] tells it.
fn push_user(sql: &mut Sql, user: &str) {
    let (name, host) = match sql.engine() {
        Engine::MySql => user.rsplit_once('@').map_or((user, None), |(name, host)| (name, Some(host))),
        Engine::Postgres | Engine::Sqlite => (user, None),
    };
    for (before, part) in [("", Some(name)), ("@", host)] {
        if let Some(Ok(ident)) = part.map(Ident::parse) {
            sql.push(before).ident(&ident);
        }
    }
}

async fn load_postgres(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut sql = Sql::new(Engine::Postgres);
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

/// Has the server explain each statement: that asks for the same privileges as the statement, roles included, and
/// touches nothing.
async fn load_mysql(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut select = Sql::new(Engine::MySql);
    select.push("EXPLAIN SELECT 1 FROM ").table(&table.name);
    // Nothing is ever deleted from a view, and of some the server would not even explain how.
    if table.relation.contains("view") {
        let select = may(session, table, &select).await?;
        return Ok(Privileges { select, delete: false, update: false, schema: true });
    }
    let mut delete = Sql::new(Engine::MySql);
    delete.push("EXPLAIN DELETE FROM ").table(&table.name).push(" LIMIT 0");
    let mut update = false;
    for column in table.columns.iter().filter(|column| !column.generated) {
        update = may(session, table, &explain_update(table, &column.name)).await?;
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

fn explain_update(table: &TableFacts, column: &Ident) -> Sql {
    let mut sql = Sql::new(Engine::MySql);
    sql.push("EXPLAIN UPDATE ").table(&table.name).push(" SET ").ident(column).push(" = NULL LIMIT 0");
    sql
}

async fn may_set_postgres(session: &mut Session, table: &TableFacts, column: &Ident) -> Result<bool, SourceError> {
    let mut sql = Sql::new(Engine::Postgres);
    sql.push("SELECT has_column_privilege(c.oid, ").bind(column.to_string()).push(
        ", 'UPDATE')::int::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = ",
    );
    sql.bind(table.name.table.to_string()).push(" AND n.nspname = ");
    sql.bind(table.name.schema.as_ref().map(Ident::to_string));
    let rows = session.query(&asking_for(table), &sql).await?;
    let [may_set] = rows.into_iter().next().map(cells).unwrap_or_default();
    Ok(may_set == "1")
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

async fn load_sqlite(session: &mut Session, table: &TableFacts) -> Result<Privileges, SourceError> {
    let mut sql = Sql::new(Engine::Sqlite);
    sql.push("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let rows = session.query(&asking_for(table), &sql).await?;
    let [file] = rows.into_iter().next().map(cells).unwrap_or_default();
    let writable = is_writable(Path::new(&file));
    Ok(Privileges { select: true, delete: writable, update: writable, schema: true })
}

fn asking_for(table: &TableFacts) -> String {
    format!("asking for the privileges on table {}", table.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_what_is_missing_and_no_more() {
        let table = TableName::parse("nvr.ev`\"\"ents").unwrap();
        let none = Privileges { select: true, delete: false, update: false, schema: false };
        let needs = [Privilege::Select, Privilege::Delete];
        assert_eq!(
            none.grant_hint(Engine::Postgres, &TableName::parse("nvr.events").unwrap(), "reta\"ind", &needs).unwrap(),
            "GRANT USAGE ON SCHEMA \"nvr\" TO \"reta\"\"ind\"; GRANT SELECT, DELETE ON \"nvr\".\"events\" TO \"reta\"\"ind\";"
        );
        let no_delete = Privileges { schema: true, ..none };
        assert_eq!(
            no_delete.grant_hint(Engine::MySql, &table, "retaind@localhost", &needs).unwrap(),
            "GRANT DELETE ON `nvr`.`ev``ents` TO `retaind`@`localhost`;"
        );
        assert_eq!(no_delete.grant_hint(Engine::Postgres, &table, "retaind", &[Privilege::Select]), None);
        assert_eq!(no_delete.grant_hint(Engine::Sqlite, &table, "", &needs), None);
    }
}

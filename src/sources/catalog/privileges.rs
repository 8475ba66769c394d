//! The login's privileges on a table, and the statement that grants the missing ones.

use super::table::TableFacts;
use crate::policy::{Endpoint, Engine, Ident, TableName};
use crate::sources::Sql;
use crate::sources::sql::dialect::dialect;

/// Privileges that the login has on a table.
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
    /// The SQL by which an administrator lets `user` set some columns and no others.
    pub fn grant_columns(engine: Engine, table: &TableName, user: &str, columns: &[Ident]) -> String {
        let mut sql = Sql::new(engine);
        sql.push("GRANT UPDATE (").idents(columns).push(") ON ").table(table).push(" TO ");
        sql.push(&quoted_grantee(engine, user)).push(";").text()
    }

    /// Those of `needs` that the login lacks.
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
    /// where the file's own permissions decide. `user` is [`Session::user`](crate::sources::Session::user).
    pub fn grant_hint(&self, engine: Engine, table: &TableName, user: &str, needs: &[Privilege]) -> Option<String> {
        let missing = self.missing(needs);
        if missing.is_empty() || !dialect(engine).traits().has_grants {
            return None;
        }
        let words: Vec<_> = missing.iter().map(|privilege| privilege.word()).collect();
        let (mut sql, user) = (Sql::new(engine), quoted_grantee(engine, user));
        if let (false, Some(schema)) = (self.schema, &table.schema) {
            sql.push("GRANT USAGE ON SCHEMA ").ident(schema).push(" TO ").push(&user).push("; ");
        }
        sql.push("GRANT ").push(&words.join(", ")).push(" ON ").table(table).push(" TO ").push(&user);
        Some(sql.push(";").text())
    }
}

/// A login that a server refused, and what lets it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedLogin {
    /// The SQL by which an administrator makes it.
    pub create: String,
    /// As [`Privileges::grant_hint`] takes it.
    pub grantee: String,
    /// Whoever locks rows needs UPDATE.
    pub locking_needs_update: bool,
}

impl RefusedLogin {
    /// The login of an endpoint, where an error says that the server refused it. `password` stands where one is to be written.
    pub fn of(endpoint: &Endpoint, said: &str, password: &str) -> Option<Self> {
        let (server, engine) = (endpoint.server()?, endpoint.engine());
        let (user, traits) = (server.user.as_str(), dialect(engine).traits());
        let (_, create) = traits.logins.iter().find(|(phrase, _)| said.contains(&phrase.replace("@user", user)))?;
        let grantee = match traits.grants_to_hosts {
            true => {
                let host = said.split("'@'").nth(1).and_then(|rest| rest.split('\'').next());
                format!("{user}@{}", host.unwrap_or("%"))
            }
            false => user.to_owned(),
        };
        let create = create.replace("@password", password).replace("@text", &format!("'{}'", user.replace('\'', "''")));
        let create = create.replace("@login", &quoted_grantee(engine, &grantee));
        Some(Self { create, grantee, locking_needs_update: traits.locking_needs_update })
    }
}

/// A login as [`Session::user`](crate::sources::Session::user) tells it, quoted.
fn quoted_grantee(engine: Engine, user: &str) -> String {
    let traits = dialect(engine).traits();
    match user.rsplit_once('@').filter(|_| traits.grants_to_hosts) {
        Some((name, host)) => format!("{}@{}", traits.quoted(name), traits.quoted(host)),
        None => traits.quoted(user),
    }
}

pub(super) fn asking_for(table: &TableFacts) -> String {
    format!("asking for the privileges on table {}", table.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_exactly_what_is_missing() {
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

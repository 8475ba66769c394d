//! `[sources.NAME]`

use std::num::NonZeroU32;

use crate::config::raw::{Raw, RawSource};
use crate::config::{Aspect, KeyPath, keys};

use super::super::{Endpoint, Ident, Secret, Source};
use super::value::parse_zone;
use super::{Fault, Gather, secret, url};

/// More connections than this to one database help nobody.
const MOST_CONNECTIONS: i64 = 100;

impl Gather<'_> {
    pub(super) fn sources(&mut self, raw: &Raw) -> Vec<Source> {
        self.tables("sources", raw.sources.as_ref()).iter().filter_map(|(path, raw)| self.source(path, raw)).collect()
    }

    fn source(&mut self, table: &KeyPath, raw: &RawSource) -> Option<Source> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let endpoint = self.endpoint(table, raw);
        let lock_timeout = self.duration_or(&table.key("lock_timeout"), raw.lock_timeout.as_ref(), keys::LOCK_TIMEOUT);
        let statement_timeout =
            self.duration_or(&table.key("statement_timeout"), raw.statement_timeout.as_ref(), keys::STATEMENT_TIMEOUT);
        let connect_timeout =
            self.duration_or(&table.key("connect_timeout"), raw.connect_timeout.as_ref(), keys::CONNECT_TIMEOUT);
        let connections = raw.max_connections.unwrap_or(keys::MAX_CONNECTIONS);
        let connections = self.count(&table.key("max_connections"), connections, MOST_CONNECTIONS);
        let zone = raw.timezone.as_deref().unwrap_or(keys::TIMEZONE);
        let timezone = self.check(&table.key("timezone"), parse_zone(zone));
        let search_path = self.search_path(&table.key("search_path"), raw.search_path.as_deref(), endpoint.as_ref());
        Some(Source {
            name: name?,
            endpoint: endpoint?,
            lock_timeout: lock_timeout?,
            statement_timeout: statement_timeout?,
            connect_timeout: connect_timeout?,
            max_connections: connections.and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?))?,
            timezone: timezone?,
            search_path,
        })
    }

    /// Names of schemas, exactly as the database has them.
    fn search_path(
        &mut self,
        list: &KeyPath,
        raw: Option<&[String]>,
        endpoint: Option<&Endpoint>,
    ) -> Option<Vec<String>> {
        let raw = raw?;
        if let Some(Endpoint::MySql(_) | Endpoint::Sqlite { .. }) = endpoint {
            let fault = Fault::new("only PostgreSQL has a search path").hint("leave it out");
            self.refuse(list, Aspect::Key, fault);
        }
        if raw.is_empty() {
            let hint = "name at least one schema, or leave it out for the login's own search path";
            self.refuse(list, Aspect::Value, Fault::new("no schema is named").hint(hint));
        }
        for (index, name) in raw.iter().enumerate() {
            if self.check(&list.index(index), Ident::parse(name)).is_some() && name.starts_with("pg_") {
                let hint = "pg_catalog always comes first and pg_temp last; leave it out";
                let fault = Fault::new(format!("{name} is a schema of PostgreSQL's own")).hint(hint);
                self.refuse(&list.index(index), Aspect::Value, fault);
            }
        }
        Some(raw.to_vec())
    }

    /// The url, with the one password that was given for it.
    fn endpoint(&mut self, table: &KeyPath, raw: &RawSource) -> Option<Endpoint> {
        let url_path = table.key("url");
        let wanted = "write url = \"postgres://USER@HOST/DATABASE\", mysql:// or sqlite:/PATH";
        let url = self.required(table, "url", raw.url.as_ref(), wanted);
        let endpoint = url.and_then(|url| {
            if self.is_on_command_line(&url_path) && url::has_literal_password(&url.0) {
                let hint = "every user can read command lines: use password_credential or password_file";
                self.refuse(&url_path, Aspect::Value, Fault::new("the url has a password").hint(hint));
                return None;
            }
            let expanded = url::expand(&url.0, |name| self.inputs.variable(name));
            self.check(&url_path, expanded.and_then(|url| url::parse(&url)))
        });
        let credential = raw.password_credential.as_ref().map(|name| {
            let read = secret::read_credential(self.inputs.credentials_dir.as_deref(), &name.0);
            (table.key("password_credential"), read)
        });
        let file = raw.password_file.as_ref().map(|path| (table.key("password_file"), secret::read_file(&path.0)));
        let mut given = Vec::new();
        for (path, read) in [credential, file].into_iter().flatten() {
            given.push((path.clone(), self.check(&path, read)));
        }
        self.with_password(endpoint?, given)
    }

    fn with_password(&mut self, mut endpoint: Endpoint, given: Vec<(KeyPath, Option<Secret>)>) -> Option<Endpoint> {
        let server = match &mut endpoint {
            Endpoint::Postgres(server) | Endpoint::MySql(server) => server,
            Endpoint::Sqlite { .. } => {
                for (path, _) in &given {
                    self.refuse(
                        path,
                        Aspect::Key,
                        Fault::new("a SQLite database has no password").hint("leave it out"),
                    );
                }
                return Some(endpoint);
            }
        };
        let mut is_given = server.password.is_some();
        for (path, password) in given {
            if is_given {
                let fault = Fault::new("the source has more than one password");
                let hint = "keep one of password_credential, password_file and the one in the url";
                self.refuse(&path, Aspect::Key, fault.hint(hint));
            }
            is_given = true;
            server.password = password;
        }
        Some(endpoint)
    }
}

//! `[sources.NAME]`

use std::num::NonZeroU32;

use crate::config::raw::{Raw, RawSource};
use crate::config::{Fault, KeyPath};

use super::super::{Endpoint, Ident, Secret, Source};
use super::{Gather, secret, url};

/// A key that names a password, and what it is: none where it cannot be used, or was not passed to this process.
type Given = (KeyPath, Option<Option<Secret>>);

impl Gather<'_> {
    pub(super) fn sources(&mut self, raw: &Raw) -> Vec<Source> {
        self.tables("sources", &raw.sources).iter().filter_map(|(path, raw)| self.source(path, raw)).collect()
    }

    fn source(&mut self, table: &KeyPath, raw: &RawSource) -> Option<Source> {
        if self.is_full() {
            return None;
        }
        let name = self.name(table);
        let endpoint = self.endpoint(table, raw);
        let pace = self.pace(&table.key("pace"), &raw.pace, endpoint.as_ref());
        if let Some(schemas) = &raw.search_path {
            self.check_search_path(&table.key("search_path"), schemas, endpoint.as_ref());
        }
        Some(Source {
            name: name?,
            endpoint: endpoint?,
            lock_timeout: raw.lock_timeout.0,
            statement_timeout: raw.statement_timeout.0,
            connect_timeout: raw.connect_timeout.0,
            max_connections: NonZeroU32::try_from(raw.max_connections.0).ok()?,
            timezone: raw.timezone.0.clone(),
            search_path: raw.search_path.clone(),
            pace,
        })
    }

    fn check_search_path(&mut self, list: &KeyPath, schemas: &[String], endpoint: Option<&Endpoint>) {
        if endpoint.is_some_and(|endpoint| !endpoint.has_search_path()) {
            self.refuse_key(list, "only PostgreSQL has a search path", "leave it out");
        }
        if schemas.is_empty() {
            let hint = "name at least one schema, or leave it out for the login's own search path";
            self.refuse_value(list, "no schema is named", hint);
        }
        for (index, name) in schemas.iter().enumerate() {
            if self.check(&list.index(index), Ident::parse(name)).is_some() && name.starts_with("pg_") {
                let hint = "pg_catalog always comes first and pg_temp last; leave it out";
                self.refuse_value(&list.index(index), format!("{name} is a schema of PostgreSQL's own"), hint);
            }
        }
    }

    fn endpoint(&mut self, table: &KeyPath, raw: &RawSource) -> Option<Endpoint> {
        let wanted = "write url = \"postgres://USER@HOST/DATABASE\", mysql:// or sqlite:/PATH";
        let url = self.required(table, "url", &raw.url, wanted);
        let endpoint = url.and_then(|url| self.url(table, url, url::parse));
        let places = (raw.password_credential.as_deref(), raw.password_file.as_deref());
        let given = self.secrets(table, "password", places);
        self.with_password(endpoint?, given)
    }

    /// Reads a url, which may name environment variables, and has no password where every user can read it.
    pub(super) fn url<T>(
        &mut self,
        table: &KeyPath,
        url: &str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        let path = table.key("url");
        if self.is_on_command_line(&path) && url::has_literal_password(url) {
            let hint = "every user can read command lines: use password_credential or password_file";
            self.refuse_value(&path, "the url has a password", hint);
            return None;
        }
        let expanded = url::expand(url, |name| self.inputs.variable(name));
        self.check(&path, expanded.and_then(|url| parse(&url)))
    }

    /// Reads the secrets called `what` that stand beside a url, each with the key that names it.
    pub(super) fn secrets(
        &mut self,
        table: &KeyPath,
        what: &str,
        (credential, file): (Option<&str>, Option<&str>),
    ) -> Vec<Given> {
        let key = |place: &str| table.key(&format!("{what}_{place}"));
        let credential = credential.map(|name| (key("credential"), secret::read_credential(self.inputs, name)));
        let file = file.map(|path| (key("file"), secret::read_file(path).map(Some)));
        let mut given = Vec::new();
        for (path, read) in [credential, file].into_iter().flatten() {
            let read = self.check(&path, read);
            given.push((path, read));
        }
        given
    }

    /// The one password of `of`, of which the url has one perhaps; and whether it is a credential that was not passed to
    /// this process.
    pub(super) fn one_password(
        &mut self,
        of: &str,
        of_url: Option<Secret>,
        given: Vec<Given>,
    ) -> (Option<Secret>, bool) {
        let hint = "keep one of password_credential, password_file and the one in the url";
        self.one_secret((of, "password", hint), of_url, given)
    }

    /// The one secret of several that may be given, and whether it is a credential that was not passed to this process.
    pub(super) fn one_secret(
        &mut self,
        (of, what, hint): (&str, &str, &str),
        first: Option<Secret>,
        given: Vec<Given>,
    ) -> (Option<Secret>, bool) {
        let (mut is_given, mut chosen) = (first.is_some(), (first, false));
        for (path, secret) in given {
            if is_given {
                self.refuse_key(&path, format!("{of} has more than one {what}"), hint);
            }
            is_given = true;
            let is_lacking = matches!(secret, Some(None));
            chosen = (secret.flatten(), is_lacking);
        }
        chosen
    }

    fn with_password(&mut self, mut endpoint: Endpoint, given: Vec<Given>) -> Option<Endpoint> {
        let Some(server) = endpoint.server_mut() else {
            for (path, _) in &given {
                self.refuse_key(path, "a SQLite database has no password", "leave it out");
            }
            return Some(endpoint);
        };
        (server.password, server.lacks_password) = self.one_password("the source", server.password.take(), given);
        Some(endpoint)
    }
}

//! PostgreSQL: the schemas in which names are looked up. Statements of our own mean what is in `pg_catalog`; the
//! operator's SQL may use the schemas of the search path in which nobody else can put a function or operator.

use std::collections::BTreeSet;

/// A schema of the search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathSchema {
    pub name: String,
    /// Ids of the roles that may create objects in it, beside the login, the database's owner and superusers.
    others: Vec<String>,
    /// Their names, for people.
    pub creators: Vec<String>,
}

/// The search path of a login, or the one that the source declares.
#[derive(Debug, Clone, Default)]
pub(super) struct SearchPath {
    schemas: Vec<PathSchema>,
    /// The operator named the schemas: they are used as they are.
    declared: bool,
    /// Ids of the owners of tables that the configuration names: what happens to their rows is theirs to say anyway.
    owners: BTreeSet<String>,
}

/// Asks for the schemas in effect, before anything else is resolved; every name in it is qualified.
pub(super) const SCHEMAS_IN_EFFECT: &str = "SELECT pg_catalog.to_json(pg_catalog.current_schemas(false))";

impl SearchPath {
    /// Of rows of (schema, ids of its creators, their names), each list separated by newlines.
    pub(super) fn new(rows: impl IntoIterator<Item = [String; 3]>, declared: bool) -> Self {
        let list = |text: &str| text.lines().map(str::to_owned).collect();
        let schema = |[name, others, creators]: [String; 3]| PathSchema {
            name,
            others: list(&others),
            creators: list(&creators),
        };
        Self { schemas: rows.into_iter().map(schema).collect(), declared, owners: BTreeSet::new() }
    }

    /// The statement that sets the path for a transaction.
    pub(super) fn setting(&self) -> String {
        let admitted = self.schemas.iter().filter(|schema| self.admits(schema));
        let names: String = admitted.map(|schema| format!(", {}", quoted(&schema.name))).collect();
        // Last: a temporary table never stands before a table.
        format!("SET LOCAL search_path = pg_catalog{names}, pg_temp")
    }

    /// All schemas, in which tables without a schema are looked for.
    pub(super) fn schemas(&self) -> &[PathSchema] {
        &self.schemas
    }

    /// Those in which the operator's SQL finds nothing.
    pub(super) fn left_out(&self) -> Vec<&PathSchema> {
        self.schemas.iter().filter(|schema| !self.admits(schema)).collect()
    }

    /// Lets the owner of a table that the configuration names define names; whether that changes the path.
    pub(super) fn trust(&mut self, owner: &str) -> bool {
        let before = self.left_out().len();
        self.owners.insert(owner.to_owned());
        self.left_out().len() != before
    }

    fn admits(&self, schema: &PathSchema) -> bool {
        self.declared || schema.others.iter().all(|other| self.owners.contains(other))
    }
}

/// Asks, for each of some schemas, who may create objects in it.
pub(super) fn asking_for_creators(schemas: &[String]) -> String {
    let values: Vec<String> =
        schemas.iter().enumerate().map(|(position, name)| format!("({position}, {})", literal(name))).collect();
    if values.is_empty() {
        return String::new();
    }
    format!(
        "SELECT p.name, coalesce(string_agg(h.role::text, E'\\n' ORDER BY h.role), ''), \
         coalesce(string_agg(CASE WHEN h.role IS NOT NULL THEN coalesce(r.rolname::text, 'PUBLIC') END, \
         E'\\n' ORDER BY h.role), '') \
         FROM (VALUES {}) AS p(position, name) JOIN pg_namespace n ON n.nspname = p.name \
         LEFT JOIN LATERAL (SELECT DISTINCT c.role FROM (\
         SELECT a.grantee AS role FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a \
         WHERE a.privilege_type = 'CREATE' UNION ALL SELECT n.nspowner) AS c \
         WHERE NOT EXISTS (SELECT FROM pg_roles t WHERE t.oid = c.role AND (t.rolsuper OR t.rolname = current_user \
         OR t.rolname = 'pg_database_owner' \
         OR t.oid = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())))) AS h ON true \
         LEFT JOIN pg_roles r ON r.oid = h.role GROUP BY p.position, p.name ORDER BY p.position; ",
        values.join(", ")
    )
}

/// Declares the path of a source.
pub(super) fn declaring(schemas: &[String]) -> String {
    let names: Vec<String> = schemas.iter().map(|name| quoted(name)).collect();
    format!("SET LOCAL search_path = {}", names.join(", "))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(rows: &[[&str; 3]], declared: bool) -> SearchPath {
        SearchPath::new(rows.iter().map(|row| row.map(str::to_owned)), declared)
    }

    #[test]
    fn f21_a_schema_writable_by_others_is_left_out() {
        let rows = [["app", "17", "owner"], ["public", "0\n18", "PUBLIC\nmallory"], ["a \"b", "", ""]];
        let mut login = path(&rows, false);
        assert_eq!(login.setting(), "SET LOCAL search_path = pg_catalog, \"a \"\"b\", pg_temp");
        assert!(login.trust("17") && !login.trust("18"));
        assert_eq!(login.setting(), "SET LOCAL search_path = pg_catalog, \"app\", \"a \"\"b\", pg_temp");
        assert_eq!(login.left_out().iter().map(|schema| schema.name.as_str()).collect::<Vec<_>>(), ["public"]);
        assert!(path(&rows, true).left_out().is_empty());
    }
}

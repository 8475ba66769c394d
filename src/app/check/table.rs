//! The table of a policy or reference: columns, key, indexes, and what the login may do with it.

use jiff::Timestamp;

use super::enforces;
use super::relations::Around;
use crate::policy::{Action, Engine, Ident, Name, Policy, Reference, RowsPolicy, Settings, Source, TableName};
use crate::report::Findings;
use crate::sources::{
    Asked, Instants, Privilege, Privileges, ReferenceColumn, Scope, Session, Sql, TableFacts, Target, Window,
};
use crate::telemetry::chain;

/// Whether a policy fits its table, finds its rows quickly, and may delete them.
pub(super) async fn check_policy(
    session: &mut Session,
    settings: &Settings,
    source: &Source,
    (policy, rows): (&Policy, &RowsPolicy),
    findings: &mut Findings,
) {
    let enforces = enforces(settings, policy);
    let subject = format!("policy {}", policy.name);
    let facts = match TableFacts::load(session, &rows.table).await {
        Ok(facts) => facts,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let asked = Asked { source, policy: rows, params: None, stores: &settings.stores };
    let (target, facts) = match (Target::load(session, asked).await, facts) {
        (Err(error), _) => return findings.error(subject, chain(&error), ""),
        (Ok(Ok(target)), Some(facts)) => (target, facts),
        (Ok(Ok(_)), None) => return,
        (Ok(Err(misfits)), _) => {
            for misfit in misfits {
                findings.error(&subject, misfit.to_string(), "");
            }
            return;
        }
    };
    let before = findings.findings.len();
    let deletes = rows.action == Action::Delete;
    let needs: &[_] = match (enforces, deletes) {
        (true, true) => &[Privilege::Select, Privilege::Delete],
        (true, false) => &[Privilege::Select, Privilege::Update],
        (false, _) => &[Privilege::Select],
    };
    may(session, &facts, needs, &subject, findings).await;
    let mut around = Around::new(settings, &subject, enforces);
    around.protections(session, &rows.protections, findings).await;
    if deletes {
        around.children(session, &facts, &rows.children, findings).await;
    }
    if let Some(age) = rows.age.as_ref().map(|age| &age.column)
        && !leads_index(&facts, age)
    {
        let message =
            format!("no index begins with the age column {age} of {}: every batch reads the table", facts.name);
        findings.warn(&subject, message, create_index(&facts, age, source.endpoint.engine()));
    }
    condition(session, &target, rows, &subject, findings).await;
    if findings.findings.len() == before {
        findings.ok(subject, fits(&facts, rows));
    }
}

/// Whether a column that names files is there and can be asked quickly.
pub(super) async fn check_reference(
    session: &mut Session,
    source: &Source,
    store: &Name,
    reference: &Reference,
    findings: &mut Findings,
) {
    let subject = format!("store {store}");
    let facts = match TableFacts::load(session, &reference.table).await {
        Ok(facts) => facts,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    if let Err(unfit) = ReferenceColumn::fit(source, &reference.into(), facts.as_ref()) {
        return findings.error(subject, format!("a column that names its files does not fit: {unfit}"), "");
    }
    let Some(facts) = facts else { return };
    may(session, &facts, &[Privilege::Select], &subject, findings).await;
    let Reference { table, column, .. } = reference;
    if leads_index(&facts, column) {
        findings
            .ok(subject, format!("{table}.{column} of source {} is asked which files are still needed", source.name));
    } else {
        let message = format!(
            "no index begins with {table}.{column} of source {}: asking which files are still needed reads the table",
            source.name
        );
        findings.warn(subject, message, create_index(&facts, column, source.endpoint.engine()));
    }
}

/// Whether the login has the privileges that this takes; where not, the statement that grants them.
pub(super) async fn may(
    session: &mut Session,
    facts: &TableFacts,
    needs: &[Privilege],
    subject: &str,
    findings: &mut Findings,
) {
    let privileges = match Privileges::load(session, facts).await {
        Ok(privileges) => privileges,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let user = session.user().unwrap_or_default();
    match privileges.grant_hint(session.engine(), &facts.name, user, needs) {
        Some(grant) => {
            let missing: Vec<_> = privileges.missing(needs).into_iter().map(Privilege::word).collect();
            let what = if missing.is_empty() { "the use of its schema".to_owned() } else { missing.join(" and ") };
            findings.error(subject, format!("user {user} lacks {what} on {}", facts.name), grant);
        }
        None if privileges.missing(needs).is_empty() => {}
        None => {
            let fix =
                "the file, its -wal and -shm files and its directory must be writable: SQLite keeps its journal there";
            findings.error(subject, format!("{} cannot be written by this user", facts.name), fix);
        }
    }
}

/// Lets the database parse the operator's condition, and looks at no row.
async fn condition(session: &mut Session, target: &Target, rows: &RowsPolicy, subject: &str, findings: &mut Findings) {
    if rows.condition.is_none() {
        return;
    }
    let at = Instants { now: Timestamp::UNIX_EPOCH, cutoff: Some(Timestamp::UNIX_EPOCH) };
    if let Err(error) = target.list(session, at, Scope::window(&Window::All), &[], Some(0)).await {
        let why = error.cause.to_string();
        findings.error(subject, format!("the database does not accept its \"where\": {why}"), "");
    }
}

fn fits(facts: &TableFacts, rows: &RowsPolicy) -> String {
    let key: Vec<_> = facts.key.iter().map(Ident::as_str).collect();
    let age = rows.age.as_ref().and_then(|age| facts.columns.iter().find(|column| column.name == age.column));
    let age = age.map(|age| format!(", age {} ({})", age.name, age.declared)).unwrap_or_default();
    let key = if key.is_empty() { "by row number".to_owned() } else { format!("key {}", key.join(", ")) };
    format!("table {}, {key}{age}", facts.name)
}

/// Whether an index begins with a column.
pub(super) fn leads_index(facts: &TableFacts, column: &Ident) -> bool {
    facts.indexes.iter().any(|index| index.columns.first() == Some(column))
}

/// The statement that makes an index of a column.
pub(super) fn create_index(facts: &TableFacts, column: &Ident, engine: Engine) -> String {
    let TableName { schema, table } = &facts.name;
    let mut sql = Sql::new(engine);
    match (engine, Ident::parse(&format!("{table}_{column}_idx"))) {
        // Writers are not held up, and PostgreSQL finds a name by itself.
        (Engine::Postgres, _) | (_, Err(_)) => sql.push("CREATE INDEX CONCURRENTLY ON ").table(&facts.name),
        (Engine::MySql, Ok(name)) => sql.push("CREATE INDEX ").ident(&name).push(" ON ").table(&facts.name),
        // SQLite wants the schema before the index's name and nowhere else.
        (Engine::Sqlite, Ok(name)) => {
            let name = TableName { schema: schema.clone(), table: name };
            sql.push("CREATE INDEX ").table(&name).push(" ON ").ident(table)
        }
    };
    let declared = facts.columns.iter().find(|known| known.name == *column).map_or("", |known| known.declared.as_str());
    // MySQL indexes a text only by its beginning.
    let is_long = engine == Engine::MySql && ["text", "blob"].iter().any(|kind| declared.to_lowercase().contains(kind));
    sql.push(" (").ident(column).push(if is_long { "(255));" } else { ");" });
    sql.text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{Column, ColumnType};

    fn facts(schema: &str) -> TableFacts {
        let column = Column {
            name: Ident::parse("thumbnail_path").unwrap(),
            declared: "text".to_owned(),
            kind: ColumnType::Text,
            nullable: true,
            generated: false,
        };
        TableFacts {
            name: TableName::parse(&format!("{schema}.Detections")).unwrap(),
            relation: "table".to_owned(),
            columns: vec![column],
            key: Vec::new(),
            indexes: Vec::new(),
            has_rowid: true,
        }
    }

    #[test]
    fn an_index_is_proposed_in_the_words_of_its_engine() {
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
            assert_eq!(create_index(&facts(schema), &column, engine), expected);
        }
    }
}

//! The table of a policy or reference: columns, key, indexes, and what the login may do with it.

use jiff::Timestamp;

use super::source::first;
use crate::policy::{Engine, Ident, Name, Policy, Reference, RowsPolicy, Source, TableName};
use crate::report::Findings;
use crate::sources::{
    InboundForeignKey, Instants, OnDelete, Privileges, ReferenceColumn, Session, Sql, TableFacts, Target, Window,
};
use crate::telemetry::chain;

/// Whether a policy fits its table, finds its rows quickly, and may delete them.
pub(super) async fn check_policy(
    session: &mut Session,
    source: &Source,
    policy: &Policy,
    rows: &RowsPolicy,
    enforces: bool,
    findings: &mut Findings,
) {
    let subject = format!("policy {}", policy.name);
    let facts = match TableFacts::load(session, &rows.table).await {
        Ok(facts) => facts,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let (target, facts) = match (Target::fit(source, rows, facts.as_ref()), facts) {
        (Ok(target), Some(facts)) => (target, facts),
        (Ok(_), None) => return,
        (Err(misfits), _) => {
            for misfit in misfits {
                findings.error(&subject, misfit.to_string(), "");
            }
            return;
        }
    };
    let before = findings.findings.len();
    may(session, &facts, enforces, &subject, findings).await;
    if let Some(age) = &rows.age
        && !leads_index(&facts, age)
    {
        let message =
            format!("no index begins with the age column {age} of {}: every batch reads the table", facts.name);
        findings.warn(&subject, message, create_index(&facts, age, source.endpoint.engine()));
    }
    condition(session, &target, rows, &subject, findings).await;
    cascades(session, &facts, &subject, findings).await;
    if findings.findings.len() == before {
        findings.ok(subject, fits(&facts, rows));
    }
}

/// Rows that the database itself deletes along with these: neither their age nor their files are looked at.
async fn cascades(session: &mut Session, facts: &TableFacts, subject: &str, findings: &mut Findings) {
    let keys = match InboundForeignKey::load(session, facts).await {
        Ok(keys) => keys,
        Err(error) => return findings.warn(subject, chain(&error), ""),
    };
    for key in keys.iter().filter(|key| key.on_delete == OnDelete::Cascade) {
        let message = format!(
            "with a row of {} the database itself deletes the rows of {} that point to it (ON DELETE CASCADE), whatever \
             their age; the files that they name stay behind",
            facts.name, key.table
        );
        let fix = format!(
            "if rows of {} name files, give them a policy of their own that comes first in the same task and lets them \
             go no later than these",
            key.table
        );
        findings.warn(subject, message, fix);
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
    if let Err(unfit) = ReferenceColumn::fit(source, reference, facts.as_ref()) {
        return findings.error(subject, format!("a column that names its files does not fit: {unfit}"), "");
    }
    let Some(facts) = facts else { return };
    may(session, &facts, false, &subject, findings).await;
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

async fn may(session: &mut Session, facts: &TableFacts, delete: bool, subject: &str, findings: &mut Findings) {
    let privileges = match Privileges::load(session, facts).await {
        Ok(privileges) => privileges,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let mut missing = Vec::new();
    if !privileges.select {
        missing.push("SELECT");
    }
    if delete && !privileges.delete {
        missing.push("DELETE");
    }
    if missing.is_empty() {
        return;
    }
    let (message, fix) = match grantee(session).await {
        Some(grantee) => {
            let mut grant = session.sql();
            grant.push("GRANT ").push(&missing.join(", ")).push(" ON ").table(&facts.name);
            let user = session.user().unwrap_or_default().to_owned();
            let lacks = format!("user {user} lacks {} on {}", missing.join(" and "), facts.name);
            (lacks, format!("{} TO {grantee};", grant.text()))
        }
        None => (
            format!("{} cannot be written by this user", facts.name),
            "the file, its -wal and -shm files and its directory must be writable, for SQLite keeps its journal there"
                .to_owned(),
        ),
    };
    findings.error(subject, message, fix);
}

/// The login as GRANT wants it; nothing on SQLite, which has no logins.
async fn grantee(session: &mut Session) -> Option<String> {
    let mut sql = session.sql();
    sql.push(match session.engine() {
        Engine::Sqlite => return None,
        Engine::Postgres => "SELECT quote_ident(current_user)",
        Engine::MySql => "SELECT CURRENT_USER()",
    });
    let login = first(session, "asking who is logged in", &sql).await.unwrap_or_default();
    match (session.engine(), login.rsplit_once('@')) {
        (Engine::MySql, Some((user, host))) => Some(format!("'{user}'@'{host}'")),
        _ => Some(login),
    }
}

/// Lets the database parse the operator's condition, and looks at no row.
async fn condition(session: &mut Session, target: &Target, rows: &RowsPolicy, subject: &str, findings: &mut Findings) {
    if rows.condition.is_none() {
        return;
    }
    let at = Instants { now: Timestamp::UNIX_EPOCH, cutoff: Some(Timestamp::UNIX_EPOCH) };
    if let Err(error) = target.list(session, at, &Window::All, &[], Some(0)).await {
        let why = error.cause.to_string();
        findings.error(subject, format!("the database does not accept its \"where\": {why}"), "");
    }
}

fn fits(facts: &TableFacts, rows: &RowsPolicy) -> String {
    let key: Vec<_> = facts.key.iter().map(Ident::as_str).collect();
    let age = rows.age.as_ref().and_then(|age| facts.columns.iter().find(|column| column.name == *age));
    let age = age.map(|age| format!(", age {} ({})", age.name, age.declared)).unwrap_or_default();
    let key = if key.is_empty() { "by row number".to_owned() } else { format!("key {}", key.join(", ")) };
    format!("table {}, {key}{age}", facts.name)
}

fn leads_index(facts: &TableFacts, column: &Ident) -> bool {
    facts.indexes.iter().any(|index| index.columns.first() == Some(column))
}

fn create_index(facts: &TableFacts, column: &Ident, engine: Engine) -> String {
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

//! Privileges of the login on a table, and the GRANT of those that a policy needs.

use crate::policy::Ident;
use crate::report::Findings;
use crate::sources::{Privilege, Privileges, Session, TableFacts};
use crate::text::chain;

/// Privileges that it takes to delete rows; `locks`: they are locked first.
pub(super) fn deleting(session: &Session, locks: bool) -> &'static [Privilege] {
    match locks && session.locking_needs_update() {
        true => &[Privilege::Select, Privilege::Delete, Privilege::Update],
        false => &[Privilege::Select, Privilege::Delete],
    }
}

/// Checks that the login has these privileges; where it lacks some, finds the statement that grants them.
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
            let locks = missing.contains(&"UPDATE") && needs.contains(&Privilege::Delete);
            let why = if locks { ", which PostgreSQL wants of whoever locks rows" } else { "" };
            findings.error(subject, format!("user {user} lacks {what} on {}{why}", facts.name), grant);
        }
        None if privileges.missing(needs).is_empty() => {}
        None => {
            let fix =
                "the file, its -wal and -shm files and its directory must be writable: SQLite keeps its journal there";
            findings.error(subject, format!("{} cannot be written by this user", facts.name), fix);
        }
    }
}

/// Checks that the login may set some columns; a privilege on those alone is enough.
pub(super) async fn may_set(
    session: &mut Session,
    facts: &TableFacts,
    columns: &[Ident],
    subject: &str,
    findings: &mut Findings,
) {
    let missing = match Privileges::columns_not_set(session, facts, columns).await {
        Ok(missing) => missing,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    if missing.is_empty() {
        return;
    }
    if session.engine().is_file() {
        return may(session, facts, &[Privilege::Update], subject, findings).await;
    }
    let user = session.user().unwrap_or_default();
    let shown: Vec<_> = missing.iter().map(Ident::as_str).collect();
    let message = format!("user {user} lacks UPDATE on {} of {}", shown.join(" and "), facts.name);
    findings.error(subject, message, Privileges::grant_columns(session.engine(), &facts.name, user, &missing));
}

/// Checks that a run can go around rows that somebody else holds locked.
pub(super) async fn may_skip(session: &mut Session, facts: &TableFacts, subject: &str, findings: &mut Findings) {
    if !session.locking_needs_update() {
        return;
    }
    // What else is missing was told of before.
    if let Ok(privileges) = Privileges::load(session, facts).await
        && privileges.missing(&[Privilege::Select, Privilege::Delete]).is_empty()
        && let Some(grant) = privileges.grant_hint(
            session.engine(),
            &facts.name,
            session.user().unwrap_or_default(),
            &[Privilege::Update],
        )
    {
        let message = format!(
            "a batch of {} in which somebody holds a row locked for long stays as a whole until a later run: PostgreSQL \
             wants UPDATE of whoever passes over locked rows",
            facts.name
        );
        findings.warn(subject, message, grant);
    }
}

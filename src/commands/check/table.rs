//! The table of a policy or reference: columns, key, indexes, and what the login may do with it.

use jiff::Timestamp;

use super::policies::enforces;
use super::privileges::{deleting, may, may_set, may_skip};
use super::programs;
use super::relations::Around;
use crate::decide::blocked::Blocked;
use crate::policy::{
    Action, Alive, Assignment, Ident, Keep, Name, Policy, ReferenceMatch, RowsPolicy, Settings, Source,
};
use crate::report::{Findings, Level};
use crate::sources::{
    ErrorKind, Instants, NamedBy, Privilege, ReferenceColumn, Refused, ResolveInput, Session, TableFacts, Target,
    typed_form_hint,
};
use crate::text::chain;

/// Checks that a policy fits its table, finds its rows quickly, and may delete them.
pub(super) async fn check_policy(
    session: &mut Session,
    settings: &Settings,
    source: &Source,
    (policy, rows): (&Policy, &RowsPolicy),
    now: Timestamp,
    findings: &mut Findings,
) {
    let enforces = enforces(settings, policy);
    let subject = format!("policy {}", policy.name);
    let facts = match TableFacts::load(session, &rows.table).await {
        Ok(facts) => facts,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let asked = ResolveInput { source, policy: rows, params: None, settings };
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
    let needs = if enforces && deletes { deleting(session, target.locks_rows_first()) } else { &[Privilege::Select] };
    may(session, &facts, needs, &subject, findings).await;
    match &rows.action {
        Action::Update(set) if enforces => {
            let columns: Vec<_> = set.iter().map(|assignment| assignment.column.clone()).collect();
            may_set(session, &facts, &columns, &subject, findings).await;
        }
        Action::Delete if enforces && !needs.contains(&Privilege::Update) => {
            may_skip(session, &facts, &subject, findings).await;
        }
        Action::Delete | Action::Update(_) => {}
    }
    let mut around = Around::new(settings, &subject, enforces);
    around.protections(session, &rows.protections, findings).await;
    if deletes {
        around.children(session, &facts, &rows.children, findings).await;
        around.report_cascades(&facts, &source.name, findings);
    }
    if let Some(age) = rows.age.as_ref().map(|age| &age.column)
        && !facts.leads_index(age)
    {
        let message =
            format!("no index begins with the age column {age} of {}: every batch reads the table", facts.name);
        findings.warn(&subject, message, facts.create_index(std::slice::from_ref(age), source.endpoint.engine()));
    }
    sql(session, &target, &subject, findings).await;
    times(session, &target, rows, now, &subject, findings).await;
    if enforces {
        vetoes(&target, &subject, findings);
    }
    updates_once(rows, &subject, findings);
    if let Some(Alive::Command(command)) = &rows.alive {
        programs::check(&command.program, "alive", &subject, findings);
    }
    if findings.findings.len() == before {
        findings.ok(subject, fits(&facts, rows));
    }
}

/// Checks that the columns that name files are there and can be asked quickly.
pub(super) async fn check_reference(
    session: &mut Session,
    source: &Source,
    store: &Name,
    named_by: &NamedBy,
    findings: &mut Findings,
) {
    let subject = format!("store {store}");
    let facts = match TableFacts::load(session, &named_by.table).await {
        Ok(facts) => facts,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    if let Err(unfit) = ReferenceColumn::fit(source, named_by, facts.as_ref()) {
        return findings.error(subject, format!("a column that names its files does not fit: {unfit}"), "");
    }
    let Some(facts) = facts else { return };
    may(session, &facts, &[Privilege::Select], &subject, findings).await;
    let (table, path, source) = (&named_by.table, &named_by.path, &source.name);
    match path.columns().as_slice() {
        [_] if named_by.matching == ReferenceMatch::Name => {
            let message = format!(
                "{table}.{path} of source {source} is asked by the last segment of its paths: that reads the table, whatever \
                 its indexes"
            );
            findings.ok(subject, message);
        }
        [column] if facts.leads_index(column) => {
            findings.ok(subject, format!("{table}.{path} of source {source} is asked which files are still needed"));
        }
        [column] => {
            let message = format!(
                "no index begins with {table}.{column} of source {source}: asking which files are still needed reads \
                 the table"
            );
            findings.warn(subject, message, facts.create_index(&[Ident::clone(column)], session.engine()));
        }
        _ => {
            let message = format!(
                "{path} of {table} of source {source} is made of several columns, which no index serves: asking which \
                 files are still needed reads the table"
            );
            findings.warn(subject, message, "");
        }
    }
}

/// Reports triggers and rules that may keep rows back without a word: no fault, but good to know.
fn vetoes(target: &Target, subject: &str, findings: &mut Findings) {
    if target.vetoes.is_empty() {
        return;
    }
    let vetoes: Vec<_> = target.vetoes.iter().map(ToString::to_string).collect();
    let message = format!(
        "may keep rows back, which is not foreseen: {}; such rows stay with their files, and are one error of the run",
        vetoes.join(", ")
    );
    findings.ok(subject, message);
}

/// Lets the database parse the operator's SQL, and looks at no row.
async fn sql(session: &mut Session, target: &Target, subject: &str, findings: &mut Findings) {
    for Refused { part, error } in target.refused_parts(session).await {
        if let Some(table) = part.strip_prefix("delete ") {
            let message = format!("the database cannot delete from {table}: {}", error.cause);
            let fix = "an index, trigger or generated column of the table uses something that only the application brings along; \
                       such a table is cleaned by the application alone";
            findings.error(subject, message, fix);
            continue;
        }
        let (key, of) =
            part.split_once(' ').map_or((part.as_str(), String::new()), |(key, of)| (key, format!(" {of}")));
        let fix = typed_form_hint(&error).unwrap_or_default();
        findings.error(subject, format!("the database does not accept its \"{key}\"{of}: {}", error.cause), fix);
    }
}

/// Checks that the ages are times, in the unit that they are said to be in, and that the SQL depends on the time.
async fn times(
    session: &mut Session,
    target: &Target,
    rows: &RowsPolicy,
    now: Timestamp,
    subject: &str,
    findings: &mut Findings,
) {
    match target.sample_ages(session, now).await {
        Ok(Some(sample)) => {
            if let Some(trouble) = sample.trouble() {
                findings.error(subject, trouble, "");
            } else if let Some(doubt) = sample.doubt() {
                findings.warn(subject, doubt, "");
            }
        }
        Ok(None) => {}
        Err(error) => findings.warn(subject, chain(&error), ""),
    }
    // What SQL says with values of parameters, nobody knows here; what it does not accept is said above.
    if rows.allow_time_independent || !rows.params.is_empty() {
        return;
    }
    let at = Instants::new(now, rows.cutoff(now));
    match target.timeless(session, at, &[]).await {
        Ok(Some(timeless)) => {
            let (message, code) = (format!("runs are blocked: {timeless}"), Blocked::TimeIndependent(timeless).code());
            findings.blocks(Level::Error, code, subject, message, String::new());
        }
        Ok(None) => {}
        Err(error) if error.kind == ErrorKind::Timeout => findings.warn(subject, chain(&error), ""),
        Err(_) => {}
    }
}

/// An update that changes nothing of what makes its rows eligible would be done to them again and again.
fn updates_once(rows: &RowsPolicy, subject: &str, findings: &mut Findings) {
    let Action::Update(set) = &rows.action else { return };
    let by_value = rows.keep.as_ref().and_then(|keep| match keep {
        Keep::ByValue(by) => Some(&by.column),
        Keep::For(_) => None,
    });
    let ends = |assignment: &Assignment| {
        let column = &assignment.column;
        rows.age.as_ref().is_some_and(|age| age.column == *column)
            || by_value == Some(column)
            || rows.condition.as_ref().is_some_and(|condition| condition.mentions(column.as_str()))
    };
    if set.iter().any(ends) {
        return;
    }
    let columns: Vec<_> = set.iter().map(|assignment| assignment.column.as_str()).collect();
    let message = "each run updates the same rows again: nothing that is set has a say in which rows are eligible";
    let fix =
        format!("let where leave out the rows that were updated before, by a condition on {}", columns.join(" or "));
    findings.warn(subject, message, fix);
}

fn fits(facts: &TableFacts, rows: &RowsPolicy) -> String {
    let key: Vec<_> = facts.key.iter().map(Ident::as_str).collect();
    let age = rows.age.as_ref().and_then(|age| facts.columns.iter().find(|column| column.name == age.column));
    let age = age.map(|age| format!(", age {} ({})", age.name, age.declared)).unwrap_or_default();
    let key = if key.is_empty() { "by row number".to_owned() } else { format!("key {}", key.join(", ")) };
    format!("table {}, {key}{age}", facts.name)
}

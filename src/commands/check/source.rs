//! One source: whether it answers, how the way to it is secured, whether its clock is right, and then its tables.

use std::path::Path;

use jiff::Timestamp;

use super::policies::{enforces, rows_policies};
use super::service::Service;
use super::{logins, names, sampled, table};
use crate::clock::Clock;
use crate::decide::blocked::Blocked;
use crate::policy::{Host, Settings, Source, TlsMode};
use crate::report::{Findings, Level};
use crate::sources::{ErrorKind, NamedBy, Session, SourceError};
use crate::text::chain;
use crate::text::human::duration;

/// A clock this far off deserves a look; at a minute a run is blocked.
const SKEW_SHOWN_MS: u64 = 5_000;
const SKEW_BLOCKS_MS: u64 = 60_000;

/// Connects to a source and looks at what policies and stores ask of it.
pub(super) async fn check(settings: &Settings, source: &Source, clock: &Clock, service: &Service) -> Findings {
    let mut findings = Findings::default();
    let subject = format!("source {}", source.name);
    let mut session = match Session::open(source).await {
        Ok(session) => session,
        Err(error) => {
            let fix = match source.endpoint.server() {
                Some(server) if server.lacks_password => service.how_to_pass_credentials(),
                _ => logins::how_to_make(settings, source, &error).unwrap_or_else(|| how_to_connect(source, &error)),
            };
            findings.error(subject, chain(&error), fix);
            return findings;
        }
    };
    match session.version().await {
        Ok(version) => findings.ok(&subject, format!("{version}, {}", way(&mut session, source).await)),
        Err(error) => findings.error(&subject, chain(&error), ""),
    }
    clocks(&mut session, clock, &subject, &mut findings).await;
    sandbox(settings, source, service, &subject, &mut findings);
    changes(&mut session, settings, source, &subject, &mut findings).await;
    schemas(&session, source, &subject, &mut findings);
    for policy in rows_policies(settings).filter(|(_, rows)| rows.source == source.name) {
        table::check_policy(&mut session, settings, source, policy, clock.now(), &mut findings).await;
    }
    for store in &settings.stores {
        for namer in settings.references_of(store).iter().filter(|namer| namer.reference.source == source.name) {
            let named_by = NamedBy::from(namer);
            table::check_reference(&mut session, source, &store.name, &named_by, &mut findings).await;
            sampled::check(&mut session, settings, source, (&store.name, &named_by), &mut findings).await;
        }
    }
    names::check(&mut session, settings, source, &mut findings).await;
    findings
}

/// The connection's way to the database, and its encryption.
async fn way(session: &mut Session, source: &Source) -> String {
    let Some(server) = source.endpoint.server() else {
        return source.endpoint.path().map(|path| format!("file {}", path.display())).unwrap_or_default();
    };
    if let Host::Unix { path, .. } = &server.host {
        return format!("unix socket {}", path.display());
    }
    let tls = session.tls_version().await;
    let verified = match server.tls.mode {
        TlsMode::VerifyFull => "verified",
        TlsMode::VerifyCa => "verified, but for the host name",
        TlsMode::Disable | TlsMode::Prefer | TlsMode::Require => "not verified",
    };
    match tls.as_deref() {
        Some("") => format!("{}, not encrypted", server.host),
        Some(version) => format!("{}, {version}, {verified}", server.host),
        None => format!("{}, encryption unknown", server.host),
    }
}

async fn clocks(session: &mut Session, clock: &Clock, subject: &str, findings: &mut Findings) {
    let before = clock.now();
    let theirs = session.server_time().await;
    let ours = middle(before, clock.now());
    let skew_ms = match theirs {
        Ok(theirs) => u64::try_from(theirs.duration_since(ours).as_millis().unsigned_abs()).unwrap_or(u64::MAX),
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let message = format!("its clock is {} away from this machine's", duration(skew_ms));
    let fix = "set both clocks by NTP: cutoffs are only as right as the clocks; beyond a minute every run is blocked";
    match skew_ms {
        0..SKEW_SHOWN_MS => {}
        SKEW_SHOWN_MS..SKEW_BLOCKS_MS => findings.warn(subject, message, fix),
        _ => findings.error(subject, message, fix),
    }
}

fn middle(before: Timestamp, after: Timestamp) -> Timestamp {
    before.checked_add(after.duration_since(before) / 2).unwrap_or(before)
}

/// Checks that the database takes changes, where a policy makes any.
async fn changes(session: &mut Session, settings: &Settings, source: &Source, subject: &str, findings: &mut Findings) {
    let changes =
        rows_policies(settings).any(|(policy, rows)| rows.source == source.name && enforces(settings, policy));
    if !changes {
        return;
    }
    match session.refuses_changes().await {
        Ok(None) => {}
        Ok(Some(why)) => {
            let (message, code) =
                (format!("{why}; runs of its policies are blocked"), Blocked::ReadOnlySource(why).code());
            findings.blocks(Level::Error, code, subject, message, String::new());
        }
        Err(error) => findings.error(subject, chain(&error), ""),
    }
    if let Some(why) = session.cannot_lock_out_others() {
        findings.warn(
            subject,
            why,
            "run one retaind on this database, or none that have state directories of their own",
        );
    }
}

/// The schemas of the search path in which others may create what the operator's SQL would mean by a name.
fn schemas(session: &Session, source: &Source, subject: &str, findings: &mut Findings) {
    for schema in session.path_schemas().iter().filter(|schema| !schema.creators.is_empty()) {
        let creators = schema.creators.join(" and ");
        let message = match source.search_path {
            Some(_) => format!(
                "search_path has schema {}, in which {creators} may create functions and operators that run with this login's \
                 rights",
                schema.name
            ),
            None => format!(
                "{creators} may create objects in schema {}, so that where, protected_by, alive and set find nothing in it \
                 without its name, unless it belongs to the owner of a table that is named here",
                schema.name
            ),
        };
        let revoke = schema.creators.iter().map(|role| match role.as_str() {
            "PUBLIC" => "PUBLIC".to_owned(),
            role => format!("\"{}\"", role.replace('"', "\"\"")),
        });
        let revoke = format!(
            "REVOKE CREATE ON SCHEMA \"{}\" FROM {}; or write the tables and functions in policies of source {} with \
             their schema",
            schema.name.replace('"', "\"\""),
            revoke.collect::<Vec<_>>().join(", "),
            source.name
        );
        findings.warn(subject, message, revoke);
    }
}

/// A SQLite file is written by the service itself, and its journal beside it.
fn sandbox(settings: &Settings, source: &Source, service: &Service, subject: &str, findings: &mut Findings) {
    let Some(directory) = source.endpoint.path().and_then(Path::parent) else { return };
    let is_written =
        rows_policies(settings).any(|(policy, rows)| rows.source == source.name && enforces(settings, policy));
    if let Some(drop_in) = service.wall(directory).filter(|_| is_written) {
        let message = format!(
            "{} is outside the directories that the service may write to, and SQLite keeps its journal there",
            directory.display()
        );
        findings.error(subject, message, drop_in);
    }
}

fn how_to_connect(source: &Source, error: &SourceError) -> String {
    let name = &source.name;
    match (error.kind, source.endpoint.path()) {
        (ErrorKind::Busy, _) => "somebody holds the file locked for long; try again".to_owned(),
        (_, Some(path)) => {
            format!("see whether {} is there and this user may read and write it and its directory", path.display())
        }
        (_, None) => format!(
            "see whether the server runs, and whether url, user and password of [sources.{name}] are right; \
             until it answers, runs of its policies fail and the daemon tries again"
        ),
    }
}

//! Whether what rows have written leads into the store whose orphans are sought. Reads the first rows of each reference.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::policy::{PolicyKind, Reference, Settings, Source, Store};
use crate::report::Findings;
use crate::report::human::{count, counted};
use crate::sources::{NamedBy, Naming, Reader, ReferenceColumn, Session, SourceError, TableFacts};
use crate::telemetry::chain;

/// Paths of a reference that are looked at, and rows in which they are looked for.
const PATHS_AT_MOST: u64 = 1000;
const ROWS_AT_MOST: u64 = 100_000;

/// Looks at what the rows of a source have written for each policy of orphans that goes by them.
pub(super) async fn check(session: &mut Session, settings: &Settings, source: &Source, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for policy in settings.policies.iter().filter(|policy| policy.enabled) {
        let PolicyKind::Orphans(orphans) = &policy.kind else { continue };
        let Some(store) = settings.store(&orphans.store).filter(|store| seen.insert(&store.name)) else { continue };
        for reference in store.references.iter().filter(|reference| reference.source == source.name) {
            let subject = format!("store {}", store.name);
            match sample(session, settings, source, store, reference).await {
                // What does not fit is told of where every reference is looked at.
                Ok(None) => {}
                Ok(Some(sample)) => tell(&sample, store, reference, &subject, findings),
                Err(error) => findings.error(subject, chain(&error), ""),
            }
        }
    }
}

/// What the first rows of a reference name.
#[derive(Default)]
struct Sample {
    rows: u64,
    inside: u64,
    outside: u64,
    /// One that leads out of the store.
    example: String,
}

async fn sample(
    session: &mut Session,
    settings: &Settings,
    source: &Source,
    store: &Store,
    reference: &Reference,
) -> Result<Option<Sample>, SourceError> {
    let facts = TableFacts::load(session, &reference.table).await?;
    let Ok(column) = ReferenceColumn::fit(source, &NamedBy::from(reference), facts.as_ref()) else { return Ok(None) };
    let mut sample = Sample::default();
    let mut each = |naming: Naming<'_>| {
        sample.rows += 1;
        match naming {
            Naming::Nothing => {}
            Naming::Path(_) | Naming::Name(_) => sample.inside += 1,
            Naming::Outside(written) if is_elsewhere(settings, store, reference, &written) => {}
            Naming::Outside(written) => {
                sample.outside += 1;
                sample.example = written.into_owned();
            }
        }
        match sample.inside + sample.outside >= PATHS_AT_MOST || sample.rows >= ROWS_AT_MOST {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    column.read_all(Reader::open(source).await?, store, &mut each).await?;
    Ok(Some(sample))
}

/// Whether the same rows name files of another store, and this is one of those.
fn is_elsewhere(settings: &Settings, store: &Store, reference: &Reference, written: &str) -> bool {
    let others = settings.stores.iter().filter(|other| other.name != store.name);
    let mut sharing = others.filter(|other| {
        let is_same = |each: &Reference| {
            (&each.source, &each.table, &each.path) == (&reference.source, &reference.table, &reference.path)
        };
        other.references.iter().any(is_same)
    });
    sharing.any(|other| other.map_reference(written).is_some())
}

fn tell(sample: &Sample, store: &Store, reference: &Reference, subject: &str, findings: &mut Findings) {
    let Sample { rows, inside, outside, example } = sample;
    let name = &store.name;
    let looked_at = inside + outside;
    if *rows == 0 {
        let message =
            format!("table {} of source {} is empty: no file would be known", reference.table, reference.source);
        let fix = format!(
            "if it is the wrong table or database, correct references of [stores.{name}]; until it has rows, \
                           policies of orphans are blocked"
        );
        return findings.warn(subject, message, fix);
    }
    let fix = format!(
        "set strip_prefix of [stores.{name}] to how these paths begin; where only their last segment counts, write match = \
         \"name\" in the reference"
    );
    match (inside, outside) {
        (0, 0) => findings.ok(subject, format!("{reference} names no file yet")),
        (_, 0) => findings.ok(subject, format!("{} of {reference} lead into it", count_first(looked_at))),
        (0, _) => findings.error(
            subject,
            format!("none of {} of {reference} leads into it: {example:?}, for one", count_first(looked_at)),
            fix,
        ),
        (_, some) => findings.warn(
            subject,
            format!(
                "{} of {} of {reference} lead elsewhere: {example:?}, for one",
                count(*some),
                count_first(looked_at)
            ),
            fix,
        ),
    }
}

fn count_first(paths: u64) -> String {
    format!("the first {}", counted(paths, "path"))
}

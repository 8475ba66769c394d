//! Paths in rows that lead out of the store whose orphans are sought. Reads the first rows of each reference.

use std::collections::BTreeSet;

use crate::commands::sample::Sample;
use crate::policy::{PolicyKind, Reference, Settings, Source, Store};
use crate::report::Findings;
use crate::sources::Session;
use crate::stores::OpenStore;
use crate::text::chain;
use crate::text::human::{count, counted};

/// Looks at what the rows of a source have written for each policy of orphans that goes by them.
pub(super) async fn check(session: &mut Session, settings: &Settings, source: &Source, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for policy in settings.policies.iter().filter(|policy| policy.enabled) {
        let PolicyKind::Orphans(orphans) = &policy.kind else { continue };
        let Some(store) = settings.store(&orphans.store).filter(|store| seen.insert(&store.name)) else { continue };
        for reference in store.references.iter().filter(|reference| reference.source == source.name) {
            let subject = format!("store {}", store.name);
            match Sample::read(session, settings, source, store, reference).await {
                // What does not fit is told of where every reference is looked at.
                Ok(Err(_)) => {}
                Ok(Ok(sample)) => {
                    tell(&sample, store, reference, &subject, findings);
                    missing(&sample, store, reference, &subject, findings).await;
                }
                Err(error) => findings.error(subject, chain(&error), ""),
            }
        }
    }
}

fn tell(sample: &Sample, store: &Store, reference: &Reference, subject: &str, findings: &mut Findings) {
    let name = &store.name;
    let looked_at = sample.looked_at();
    if sample.rows == 0 && reference.may_be_empty {
        return findings.ok(subject, format!("table {} of source {} is empty", reference.table, reference.source));
    }
    if sample.rows == 0 {
        let message =
            format!("table {} of source {} is empty: no file would be known", reference.table, reference.source);
        let fix = format!(
            "if it is the wrong table or database, correct references of [stores.{name}]; where it may be empty, write \
             may_be_empty = true in the reference; until then policies of orphans are blocked"
        );
        return findings.warn(subject, message, fix);
    }
    let fix = format!(
        "set strip_prefix of [stores.{name}] to how these paths begin; where only their last segment counts, write match = \
         \"name\" in the reference, and ignore_prefix where they never mean this store"
    );
    let first = format!("the first {}", counted(looked_at, "path"));
    let example = &sample.example;
    match (sample.inside, sample.outside) {
        (0, 0) if reference.may_be_empty => {}
        (0, 0) => {
            let fix = "policies of orphans are blocked until it does; look at what happened to the table, or take the \
                       reference out";
            findings.warn(subject, format!("{reference} names no file in {}", counted(sample.rows, "row")), fix);
        }
        (_, 0) => findings.ok(subject, format!("{first} of {reference} lead into it")),
        (0, _) => {
            findings.error(subject, format!("none of {first} of {reference} leads into it: {example:?}, for one"), fix)
        }
        (inside, outside) => {
            let message = format!("{} of {first} of {reference} lead elsewhere: {example:?}, for one", count(outside));
            // More than half of them block a run.
            if outside > inside { findings.error(subject, message, fix) } else { findings.warn(subject, message, fix) }
        }
    }
}

/// Files that rows name and of which not one is there: the directory is hardly the right one.
async fn missing(sample: &Sample, store: &Store, reference: &Reference, subject: &str, findings: &mut Findings) {
    let Ok(open) = OpenStore::open(store) else { return };
    if reference.may_be_missing || sample.paths.is_empty() || sample.found(&open).await > 0 {
        return;
    }
    let first = counted(sample.paths.len() as u64, "file");
    let message = format!("none of the first {first} that {reference} names is there");
    let fix =
        format!("see whether the right disk is mounted at {}, and whether strip_prefix is right", store.root.display());
    findings.warn(subject, message, fix);
}

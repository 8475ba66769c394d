//! What policies of files and orphans stand on: whether their store is adopted, what lies in its trash, and how much room
//! there is. Changes nothing.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::enforces;
use crate::app::adopt::objection;
use crate::ledger::Adoption;
use crate::policy::{Name, Policy, PolicyKind, Settings, Store};
use crate::report::Findings;
use crate::report::human::{counted, instant, size};
use crate::stores::OpenStore;
use crate::telemetry::chain;

/// How long the trash of a store is looked through.
const TRASH_PATIENCE: Duration = Duration::from_secs(2);

/// The policies of files and orphans that are switched on and go through a store.
pub(super) fn policies<'a>(settings: &'a Settings, store: &'a Name) -> impl Iterator<Item = &'a Policy> {
    let enabled = settings.policies.iter().filter(|policy| policy.enabled);
    enabled.filter(move |policy| policy.kind.store() == Some(store)).map(AsRef::as_ref)
}

/// Looks at the store itself.
pub(super) async fn check_store(
    settings: &Settings,
    store: &Store,
    open: &OpenStore,
    adoption: Option<Adoption>,
    findings: &mut Findings,
) {
    identity(settings, store, open, adoption, findings);
    trash(store, open, findings).await;
    room(settings, store, open, findings);
}

fn identity(settings: &Settings, store: &Store, open: &OpenStore, adoption: Option<Adoption>, findings: &mut Findings) {
    let (name, subject) = (&store.name, format!("store {}", store.name));
    let identity = match open.identify() {
        Ok(identity) => identity,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let (enforcing, others): (Vec<_>, Vec<_>) = policies(settings, name).partition(|policy| enforces(settings, policy));
    let right_disk = format!("see whether the right disk is mounted at {}", store.root.display());
    match (&identity.marker, adoption) {
        (Some(marker), adoption) => match objection(&identity, store, adoption) {
            None => findings.ok(subject, format!("adopted {}", instant(marker.adopted_at))),
            Some(why) => {
                let fix = format!("{right_disk}; if this is the right directory: retaind adopt {name} --again");
                findings.error(subject, format!("{why}; no policy removes files in it"), fix);
            }
        },
        (None, Some(adoption)) => {
            let since = instant(adoption.adopted_at);
            let message = format!("it was adopted {since} and has no marker now; no policy removes files in it");
            findings.error(subject, message, format!("{right_disk}; if it is: retaind adopt {name}"));
        }
        (None, None) if enforcing.is_empty() && others.is_empty() => {}
        (None, None) => {
            let blocked: Vec<_> = enforcing.iter().chain(&others).map(|policy| policy.name.as_str()).collect();
            let message = format!("it is not adopted: until it is, {} may remove nothing in it", blocked.join(" and "));
            let fix = format!("retaind adopt {name}");
            if enforcing.is_empty() {
                findings.warn(subject, message, fix)
            } else {
                findings.error(subject, message, fix)
            }
        }
    }
}

async fn trash(store: &Store, open: &OpenStore, findings: &mut Findings) {
    let subject = format!("store {}", store.name);
    let stop = CancellationToken::new();
    let late = stop.clone();
    let timer = tokio::spawn(async move {
        tokio::time::sleep(TRASH_PATIENCE).await;
        late.cancel();
    });
    let runs = open.trash(&stop).await;
    timer.abort();
    let runs = match runs {
        Ok(runs) if runs.is_empty() => return,
        Ok(runs) => runs,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    let files = runs.iter().map(|run| run.files).sum();
    let size_bytes = runs.iter().map(|run| run.size_bytes).sum();
    let least = if stop.is_cancelled() { "at least " } else { "" };
    let of_runs = counted(runs.len() as u64, "run");
    let held = format!("its trash holds {least}{} of {of_runs}, {}", counted(files, "file"), size(size_bytes));
    match store.trash {
        Some(_) => findings.ok(subject, held),
        None => {
            let fix = format!(
                "write trash = \"7d\" in [stores.{}] to have it emptied in time, or put files back: retaind restore {}",
                store.name, runs[0].run
            );
            findings.warn(subject, format!("{held}, and nothing empties it: the store has no trash any more"), fix);
        }
    }
}

fn room(settings: &Settings, store: &Store, open: &OpenStore, findings: &mut Findings) {
    for policy in policies(settings, &store.name) {
        let PolicyKind::Files(files) = &policy.kind else { continue };
        let Some(wanted) = files.min_free else { continue };
        let subject = format!("policy {}", policy.name);
        let space = match open.space() {
            Ok(space) => space,
            Err(error) => {
                findings.error(subject, format!("the room at {} is not known: {error}", store.root.display()), "");
                continue;
            }
        };
        let (free, all) = (size(space.available_bytes), size(space.total_bytes));
        let more = wanted.of(space.total_bytes).saturating_sub(space.available_bytes);
        let message = format!("{free} of {all} are free, min_free is {wanted}");
        match more {
            0 => findings.ok(subject, message),
            more if more > space.total_bytes / 2 => {
                let fix = "write a smaller min_free: the oldest files go until it holds";
                findings.warn(subject, format!("{message}: it takes {} of files to get there", size(more)), fix);
            }
            more => findings.ok(subject, format!("{message}: a run frees {}", size(more))),
        }
    }
}

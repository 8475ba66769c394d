//! Stores of policies of files and orphans: whether they are adopted, what lies in their trash, and how much room there
//! is. Changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::families;
use super::policies::enforces;
use crate::clock::Clock;
use crate::commands::adopt::objection;
use crate::decide::file::{FileFacts, FileKind};
use crate::decide::store::WhyStore;
use crate::ledger::Adoption;
use crate::policy::{AgeBy, Policy, PolicyKind, Settings, Store};
use crate::report::{Findings, Level};
use crate::stores::{OpenStore, Visitor, Want};
use crate::text::chain;
use crate::text::human::{counted, instant, size};

/// Longest time for which the trash of a store is looked through.
const TRASH_PATIENCE: Duration = Duration::from_secs(2);

/// Longest time, and most files, of one look at a store for one policy.
const RECENT_PATIENCE: Duration = Duration::from_millis(300);
const RECENT_LOOK_FILES: u64 = 20_000;

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
    recent(settings, store, open, findings).await;
    families::check(settings, store, open, findings).await;
    room(settings, store, open, findings);
}

fn identity(settings: &Settings, store: &Store, open: &OpenStore, adoption: Option<Adoption>, findings: &mut Findings) {
    const NOT_ADOPTED: &str = WhyStore::NotAdopted.code();
    let (name, subject) = (&store.name, format!("store {}", store.name));
    let identity = match open.identify() {
        Ok(identity) => identity,
        Err(error) => {
            let why = WhyStore::Unreadable { why: chain(&error) };
            return findings.blocks(Level::Error, why.code(), subject, chain(&error), String::new());
        }
    };
    let (enforcing, others): (Vec<_>, Vec<_>) =
        settings.policies_in(name).filter(|policy| policy.enabled).partition(|policy| enforces(settings, policy));
    let right_disk = format!("see whether the right disk is mounted at {}", store.root.display());
    match (&identity.marker, adoption) {
        (Some(marker), adoption) => match objection(&identity, store, adoption) {
            None => findings.ok(subject, format!("adopted {}", instant(marker.adopted_at))),
            Some(why) => {
                let fix = format!("{right_disk}; if this is the right directory: retaind adopt {name} --again");
                findings.blocks(
                    Level::Error,
                    why.code(),
                    subject,
                    format!("{why}; no policy removes files in it"),
                    fix,
                );
            }
        },
        (None, Some(adoption)) => {
            let since = instant(adoption.adopted_at);
            let message = format!("it was adopted {since} and has no marker now; no policy removes files in it");
            let fix = format!("{right_disk}; if it is: retaind adopt {name}");
            findings.blocks(Level::Error, NOT_ADOPTED, subject, message, fix);
        }
        (None, None) if enforcing.is_empty() && others.is_empty() => {
            // Rows with files need no adoption, and lose their files unseen where the disk is another one.
            let mut taking =
                settings.owned_in(name).filter(|(policy, ..)| policy.enabled).map(|(policy, ..)| &policy.name);
            if let Some(policy) = taking.next() {
                let message = format!(
                    "it is not adopted: policy {policy} takes files in whatever lies at {}, be it another disk or none",
                    store.root.display()
                );
                findings.blocks(Level::Warn, NOT_ADOPTED, subject, message, format!("retaind adopt {name}"));
            }
        }
        (None, None) => {
            let blocked: Vec<_> = enforcing.iter().chain(&others).map(|policy| policy.name.as_str()).collect();
            let message = format!("it is not adopted: until it is, {} may remove nothing in it", blocked.join(" and "));
            let level = if enforcing.is_empty() { Level::Warn } else { Level::Error };
            findings.blocks(level, NOT_ADOPTED, subject, message, format!("retaind adopt {name}"));
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

/// Counts of a look at some files of a store.
#[derive(Default)]
struct Written {
    files: AtomicU64,
    /// Written longer ago than the policy keeps them.
    old: AtomicU64,
    /// Of those, the ones that stay because they were made or changed since.
    recent: AtomicU64,
}

/// Looks at some files for one policy.
struct Watcher {
    written: Arc<Written>,
    policy: Arc<Policy>,
    cutoff_ns: i128,
    stop: CancellationToken,
}

impl Visitor for Watcher {
    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        let matching = match &self.policy.kind {
            PolicyKind::Files(files) => &files.matching,
            PolicyKind::Orphans(orphans) => &orphans.matching,
            PolicyKind::Rows(_) => return Want::Nothing,
        };
        if kind == FileKind::File && matching.matches(path) { Want::Facts } else { Want::Nothing }
    }

    fn facts(&mut self, _path: &[u8], facts: &FileFacts) {
        let touched_ns = match &self.policy.kind {
            PolicyKind::Orphans(_) => facts.touched_ns(AgeBy::Latest),
            PolicyKind::Files(_) | PolicyKind::Rows(_) => facts.made_ns(AgeBy::Latest),
        };
        if facts.modified_ns < self.cutoff_ns {
            self.written.old.fetch_add(1, Ordering::Relaxed);
            self.written.recent.fetch_add(u64::from(touched_ns >= self.cutoff_ns), Ordering::Relaxed);
        }
        if self.written.files.fetch_add(1, Ordering::Relaxed) >= RECENT_LOOK_FILES {
            self.stop.cancel();
        }
    }
}

/// Says where most of what was written long ago stays, because it was made or changed since: copied in, restored, or given
/// other rights. At most some files are looked at, for a short time.
async fn recent(settings: &Settings, store: &Store, open: &OpenStore, findings: &mut Findings) {
    if store.age_by == AgeBy::Written {
        return;
    }
    for policy in settings.policies_in(&store.name).filter(|policy| policy.enabled) {
        let Some(cutoff) = policy.kind.cutoff(Clock::system().now()) else { continue };
        let (written, stop) = (Arc::new(Written::default()), CancellationToken::new());
        let (shared, watched, ends) = (Arc::clone(&written), Arc::clone(policy), stop.clone());
        let cutoff_ns = cutoff.as_nanosecond();
        let make = move || Watcher {
            written: Arc::clone(&shared),
            policy: Arc::clone(&watched),
            cutoff_ns,
            stop: ends.clone(),
        };
        // Whether it comes to its end or not: what was counted is a sample.
        let (Ok(_) | Err(_)) = tokio::time::timeout(RECENT_PATIENCE, open.walk(make, &stop)).await;
        let [old, recent] = [&written.old, &written.recent].map(|count| count.load(Ordering::Relaxed));
        if recent > old / 2 {
            let message = format!(
                "of {} that were written longer ago than keep, {} stay for now: they were made or changed since, as by a copy, \
                 a restore or chmod",
                counted(old, "file"),
                recent
            );
            let fix =
                format!("wait, or write age_by = \"mtime\" in [stores.{}] if only writing counts there", store.name);
            findings.warn(format!("policy {}", policy.name), message, fix);
        }
    }
}

fn room(settings: &Settings, store: &Store, open: &OpenStore, findings: &mut Findings) {
    for policy in settings.policies_in(&store.name).filter(|policy| policy.enabled) {
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

//! Puts back what a run moved into the trash of its stores. Never takes the place of a file that is there.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use futures_util::StreamExt;
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_tokio::Signals;
use tokio_util::sync::CancellationToken;

use super::{audit, status};
use crate::clock::Clock;
use crate::ledger::{AuditAction, Ledger};
use crate::outcome::RunId;
use crate::policy::{Settings, Store};
use crate::report::{FileLeft, Restoration, StoreRestored};
use crate::run::store_guard;
use crate::stores::{Left, OpenStore, RawPath, Restored, TrashError};
use crate::text::chain;

/// Something that cannot be restored because there is no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error("no store has a trash of a run {given:?}")]
    NoRun { given: String, known: Vec<RunId>, unopened: Vec<String> },
    #[error("{given:?} could be any of {}", listed(candidates))]
    Ambiguous { given: String, candidates: Vec<RunId> },
    #[error("{path:?} is no path in a store: {why}")]
    BadPath { path: String, why: String },
}

impl RestoreError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match self {
            RestoreError::NoRun { known, unopened, .. } => {
                let known = match known.as_slice() {
                    [] => "there is nothing in any trash".to_owned(),
                    known => format!("there is trash of {}", listed(known)),
                };
                match unopened.as_slice() {
                    [] => known,
                    unopened => format!("{known}; and not looked through: {}", unopened.join("; ")),
                }
            }
            RestoreError::Ambiguous { .. } => "write more of it".to_owned(),
            RestoreError::BadPath { .. } => {
                "write it from the store's root on, such as a/b.jpg, or as an absolute path".to_owned()
            }
        }
    }
}

fn listed(runs: &[RunId]) -> String {
    runs.iter().map(RunId::to_string).collect::<Vec<_>>().join(", ")
}

/// A store with what its trash holds.
struct Holder<'s> {
    store: &'s Arc<Store>,
    open: OpenStore,
    runs: Vec<RunId>,
}

/// Puts back everything of a run, or of that only what lies at or beneath some paths. `given` is a beginning or end of the
/// run's id that only one of those has of which there is trash.
pub async fn restore(
    settings: &Settings,
    given: &str,
    paths: &[OsString],
    clock: &Clock,
) -> anyhow::Result<Result<Restoration, RestoreError>> {
    let stop = CancellationToken::new();
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals cannot be watched")?;
    let listening = tokio::spawn(cancel_at_signal(signals, stop.clone()));
    let ledger = status::open(settings, clock.now()).await?;
    let (holders, unopened) = look(settings, ledger.as_ref(), &stop).await?;
    let run_id = match find(given, &holders, &unopened) {
        Ok(run_id) => run_id,
        Err(error) => return Ok(Err(error)),
    };
    let asked = match paths.iter().map(|path| Asked::parse(settings, path)).collect::<Result<Vec<_>, _>>() {
        Ok(asked) => asked,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(ledger) = &ledger {
        let paths: Vec<String> = asked.iter().map(Asked::to_string).collect();
        let what = (AuditAction::Restore, format!("run {run_id}"));
        audit::note(ledger, clock, what, serde_json::json!({ "paths": paths })).await?;
    }
    let mut restoration = Restoration { run_id, stores: Vec::new(), missing: Vec::new(), stopped: false };
    let mut found = BTreeSet::new();
    for holder in holders.iter().filter(|holder| holder.runs.contains(&run_id)) {
        let mine: Vec<_> = asked.iter().filter_map(|asked| asked.in_store(holder.store)).collect();
        if mine.is_empty() && !asked.is_empty() {
            continue;
        }
        let only = (!asked.is_empty()).then(|| mine.clone());
        let restored = holder.open.restore(run_id, only, &stop).await;
        if let Ok(Restored { missing, .. }) = &restored {
            found.extend(mine.into_iter().filter(|path| !missing.contains(path)));
        }
        restoration.stores.push(told(holder.store, &run_id, restored));
    }
    restoration.missing = asked.iter().filter(|asked| !found.contains(&asked.path)).map(Asked::to_string).collect();
    restoration.stopped = stop.is_cancelled();
    listening.abort();
    Ok(Ok(restoration))
}

async fn cancel_at_signal(mut signals: Signals, stop: CancellationToken) {
    if signals.next().await.is_some() {
        stop.cancel();
    }
}

/// Every store that can be opened and is the one that was adopted, and why others are not.
async fn look<'s>(
    settings: &'s Settings,
    ledger: Option<&Ledger>,
    stop: &CancellationToken,
) -> anyhow::Result<(Vec<Holder<'s>>, Vec<String>)> {
    let (mut holders, mut unopened) = (Vec::new(), Vec::new());
    for store in &settings.stores {
        let open = match OpenStore::open(store) {
            Ok(open) => open,
            Err(error) => {
                unopened.push(chain(&error));
                continue;
            }
        };
        if let Some(why) = store_guard(&open, store, ledger, false).await? {
            unopened.push(why.to_string());
            continue;
        }
        match open.trash(stop).await {
            Ok(runs) => {
                let runs = runs.into_iter().map(|trashed| trashed.run).collect();
                holders.push(Holder { store, open, runs });
            }
            Err(error) => unopened.push(chain(&error)),
        }
    }
    Ok((holders, unopened))
}

fn find(given: &str, holders: &[Holder<'_>], unopened: &[String]) -> Result<RunId, RestoreError> {
    let all: BTreeSet<RunId> = holders.iter().flat_map(|holder| holder.runs.iter().copied()).collect();
    let plain = given.replace('-', "").to_ascii_lowercase();
    let is_meant = |run: &&RunId| {
        let id = run.simple().to_string();
        !plain.is_empty() && (id.starts_with(&plain) || id.ends_with(&plain))
    };
    let meant: Vec<RunId> = all.iter().filter(is_meant).copied().collect();
    match meant.as_slice() {
        [run] => Ok(*run),
        [] => {
            let (known, unopened) = (all.into_iter().collect(), unopened.to_vec());
            Err(RestoreError::NoRun { given: given.to_owned(), known, unopened })
        }
        _ => Err(RestoreError::Ambiguous { given: given.to_owned(), candidates: meant }),
    }
}

/// A path that was asked for: of one store where it is absolute, else of whichever has it.
struct Asked<'s> {
    store: Option<&'s Arc<Store>>,
    path: RawPath,
}

impl<'s> Asked<'s> {
    fn parse(settings: &'s Settings, given: &OsStr) -> Result<Self, RestoreError> {
        let bad = |why: &str| RestoreError::BadPath { path: given.to_string_lossy().into_owned(), why: why.to_owned() };
        let path = Path::new(given);
        let (store, relative) = match path.is_absolute() {
            false => (None, path),
            true => {
                let beneath = |store: &'s Arc<Store>| Some((Some(store), path.strip_prefix(&store.root).ok()?));
                settings.stores.iter().find_map(beneath).ok_or_else(|| bad("it is beneath the root of none"))?
            }
        };
        // `./a` and `a/` are what a shell's completion makes of it.
        let text = relative.as_os_str().as_bytes();
        let text = text.strip_prefix(b"./").unwrap_or(text);
        let text = text.strip_suffix(b"/").unwrap_or(text);
        Ok(Self { store, path: RawPath::parse(text).map_err(bad)? })
    }

    fn in_store(&self, store: &Store) -> Option<RawPath> {
        self.store.is_none_or(|of| of.name == store.name).then(|| self.path.clone())
    }
}

impl std::fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.store {
            Some(store) => write!(f, "{}/{}", store.root.display(), self.path),
            None => self.path.fmt(f),
        }
    }
}

fn told(store: &Store, run: &RunId, restored: Result<Restored, TrashError>) -> StoreRestored {
    let mut told = StoreRestored {
        store: store.name.clone(),
        files_restored: 0,
        bytes_restored: 0,
        files_left: 0,
        left: Vec::new(),
        error: None,
    };
    match restored {
        Err(error) => told.error = Some(chain(&error)),
        Ok(Restored { part, .. }) => {
            (told.files_restored, told.bytes_restored) = (part.files, part.size_bytes);
            told.files_left = part.kept + part.failed;
            let prefix = format!(".retaind/trash/{run}/");
            told.left = part
                .left
                .into_iter()
                .map(|Left { path, why }| FileLeft {
                    path: path.strip_prefix(&prefix).map(str::to_owned).unwrap_or(path),
                    why: why.cause().to_string(),
                })
                .collect();
        }
    }
    told
}

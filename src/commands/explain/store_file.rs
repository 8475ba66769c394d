//! Gathers what `why STORE PATH` shows: what each policy that goes through a store says of one file. Changes nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::namers::{Names, namers};
use super::remembered::{Remembered, remember};
use super::verdict::{Judge, Seen};
use crate::clock::Clock;
use crate::commands::adopt::{self, UnknownStore};
use crate::commands::status;
use crate::decide::file::{FileFacts, FileKind};
use crate::decide::files::StoreState;
use crate::policy::{Mapped, Settings, Store};
use crate::report::{FileAnswer, FoundAs};
use crate::run::store_guard;
use crate::stores::{Glance, OpenStore, RawPath};
use crate::text::chain;

/// A file that is asked about, as the command line has it.
pub struct FileQuestion<'a> {
    pub store: &'a str,
    /// From the store's root on, absolute, or as a row writes it.
    pub path: &'a OsStr,
}

/// A question that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileWhyError {
    #[error("{0}, and a table is written SOURCE.TABLE")]
    UnknownStore(UnknownStore),
    #[error("{path:?} is no path in store {store}: {why}")]
    BadPath { store: String, path: String, why: String },
}

impl FileWhyError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match self {
            FileWhyError::UnknownStore(error) => {
                format!("{}; or a table, such as nvr.detections", error.hint())
            }
            FileWhyError::BadPath { .. } => {
                "write it from the store's root on, such as a/b.jpg, or as an absolute path".to_owned()
            }
        }
    }
}

/// Asks every policy that goes through the store.
pub async fn why_file(
    settings: &Settings,
    question: FileQuestion<'_>,
    clock: &Clock,
) -> anyhow::Result<Result<FileAnswer, FileWhyError>> {
    let store = match adopt::find(settings, question.store) {
        Ok(store) => store,
        Err(error) => return Ok(Err(FileWhyError::UnknownStore(error))),
    };
    let open = OpenStore::open(store)?;
    let (path, glance) = match find(store, &open, question.path)? {
        Ok(found) => found,
        Err(why) => {
            let path = question.path.to_string_lossy().into_owned();
            return Ok(Err(FileWhyError::BadPath { store: store.name.to_string(), path, why }));
        }
    };
    let now = clock.now();
    let remembered = remember(settings, now).await?;
    let names = namers(settings, (store, &open), &path).await;
    let facts = match &glance {
        Glance::File(facts) => Some(*facts),
        Glance::Missing | Glance::Directory => None,
    };
    let mut answer = blank(store, &path, &glance, now);
    if facts.is_some() {
        let seen = Seen { path: &path, facts, names: &names, now };
        answer.policies = verdicts(settings, store, &open, &remembered, seen).await;
    }
    if settings.policies_in(&store.name).next().is_none() {
        answer.remarks.push("no policy of files or orphans goes through the store".to_owned());
    }
    let Names { rows, unknown } = names;
    answer.named_by = rows;
    answer.remarks.extend(unknown);
    Ok(Ok(answer))
}

async fn verdicts(
    settings: &Settings,
    store: &Arc<Store>,
    open: &OpenStore,
    remembered: &Remembered,
    seen: Seen<'_>,
) -> Vec<crate::report::PolicyOnFile> {
    let ledger = status::open(settings, seen.now).await.ok().flatten();
    let not_adopted = match store_guard(open, store, ledger.as_ref(), true).await {
        Ok(doubt) => doubt.map(StoreState::Doubt),
        Err(error) => Some(StoreState::Unknown(chain(&error))),
    };
    let judge = Judge { settings, store, open, remembered, not_adopted, seen };
    let mut verdicts = Vec::new();
    for policy in settings.policies_in(&store.name) {
        verdicts.push(judge.judge(policy).await);
    }
    verdicts
}

/// The path that is meant, and what is there: as it is written, or as a row writes it.
fn find(store: &Store, open: &OpenStore, given: &OsStr) -> std::io::Result<Result<(RawPath, Glance), String>> {
    let relative = Path::new(given).strip_prefix(&store.root).map_or(given, Path::as_os_str).as_bytes();
    let relative = relative.strip_prefix(b"./").unwrap_or(relative);
    let literal = RawPath::parse(relative);
    let mapped = match store.map(given.to_str()) {
        Mapped::Inside(path) => Some(RawPath::from(path)),
        Mapped::None | Mapped::Refused(_) => None,
    };
    let mut missing = None;
    for path in literal.clone().ok().into_iter().chain(mapped) {
        match open.glance(&path)? {
            Glance::Missing => missing = Some(path),
            glance => return Ok(Ok((path, glance))),
        }
    }
    Ok(match (missing, literal) {
        (Some(path), _) => Ok((path, Glance::Missing)),
        (None, Err(why)) => Err(why.to_owned()),
        (None, Ok(path)) => Ok((path, Glance::Missing)),
    })
}

fn blank(store: &Store, path: &RawPath, glance: &Glance, now: Timestamp) -> FileAnswer {
    let (found, facts) = match glance {
        Glance::Missing => (FoundAs::Missing, None),
        Glance::Directory => (FoundAs::Directory, None),
        Glance::File(facts) => (found_as(facts), Some(facts)),
    };
    FileAnswer {
        at: now,
        store: store.name.clone(),
        path: path.to_string(),
        found,
        size_bytes: facts.filter(|facts| facts.kind == FileKind::File).map(|facts| facts.size_bytes),
        changed_at: facts.and_then(changed_at),
        links: facts.map(|facts| facts.links),
        named_by: Vec::new(),
        policies: Vec::new(),
        remarks: Vec::new(),
    }
}

fn found_as(facts: &FileFacts) -> FoundAs {
    match facts.kind {
        FileKind::File => FoundAs::File,
        FileKind::Link => FoundAs::Link,
        FileKind::Pipe => FoundAs::Pipe,
        FileKind::Socket => FoundAs::Socket,
        FileKind::Device | FileKind::Unknown => FoundAs::Device,
        FileKind::Directory => FoundAs::Directory,
    }
}

/// When a file was last changed; none for a time that no calendar has.
fn changed_at(facts: &FileFacts) -> Option<Timestamp> {
    Timestamp::from_nanosecond(facts.modified_ns).ok()
}

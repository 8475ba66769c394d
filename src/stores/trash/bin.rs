//! The trash of a store, `.retaind/trash/RUN`: what a run took lies there under its own path until it is restored or its time
//! is over. Only directories named after a run are ever listed, emptied or restored.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use jiff::Timestamp;
use rustix::fs::FileType;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::stores::dir_reader::{Scratch, read};
use crate::stores::metadata::nanoseconds;
use crate::stores::path::{OWN, RawPath};
use crate::stores::private_dir::{self, found};
use crate::stores::remove::context::{Act, Durable, RemovalContext, RemovalOptions};
use crate::stores::remove::directory;
use crate::stores::remove::hard_links::Links;
use crate::stores::remove::rename::Destination;
use crate::stores::request::{Left, Part, Unremoved, Why};
use crate::stores::root::{Root, facts};
use crate::stores::sys::{look, sync, sync_all, words};
use crate::stores::{Look, Outcome, RemovalRequest};

/// Its name in `.retaind`.
pub(crate) const TRASH: &str = "trash";

/// Way in which something is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// For good.
    Unlink,
    /// Into the trash of a run.
    Trash { run: Uuid },
}

/// Contents of the trash of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashedRun {
    pub run: Uuid,
    /// Files, links and whatever else is no directory.
    pub files: u64,
    /// Bytes that come free when it is emptied.
    pub size_bytes: u64,
    /// When a run last put something there, or less: nothing is overdue before its time after this.
    pub changed_at: Timestamp,
}

/// Result of emptying the trash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Runs of which nothing is left.
    pub runs: u64,
    /// Outcome of all of them; paths begin at the root.
    pub part: Part,
}

/// Result of a restoration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// Outcome of each path, which is the one that it is to have again.
    pub part: Part,
    /// Of the paths that were asked for: those that the run's trash does not have.
    pub missing: Vec<RawPath>,
}

/// Why nothing can be said about a trash.
#[derive(Debug, thiserror::Error)]
pub enum TrashError {
    /// The path no longer leads to the directory that was opened, in words.
    #[error("{0}")]
    Replaced(String),
    #[error("there is no trash of run {run} in {root}: it was restored or emptied, or the run trashed nothing here")]
    NoRun { run: Uuid, root: String },
    #[error("{OWN}/{TRASH} in {root} cannot be opened: {}", words(*error))]
    Unusable { root: String, error: Errno },
    #[error("the trash was not worked through to its end")]
    Broken(#[source] tokio::task::JoinError),
}

/// Directory of a run's trash, made where it is missing.
pub(crate) fn destination(root: &Root, run: Uuid) -> Result<Destination, String> {
    if let Some(why) = root.replaced() {
        return Err(why);
    }
    let mut directory = private_dir::make(root);
    for name in [TRASH, &run.to_string()] {
        directory = directory.and_then(|directory| private_dir::make_in(root, &directory, name.as_bytes()));
    }
    let base = directory.map_err(|error| format!("{OWN}/{TRASH} cannot be made: {}", words(error)))?;
    Ok(Destination::trash(base))
}

/// All runs that have something in the trash, the oldest first.
pub(crate) fn list(root: &Root, stop: &CancellationToken) -> Result<Vec<TrashedRun>, TrashError> {
    let Some(trash) = open(root)? else { return Ok(Vec::new()) };
    let mut runs = Vec::new();
    for (run, changed_at) in runs_in(root, &trash)? {
        let part = visit(root, &trash, run, Act::Examine, stop);
        runs.push(TrashedRun { run, files: part.files, size_bytes: part.size_bytes, changed_at });
    }
    runs.sort_by_key(|run| (run.changed_at, run.run));
    Ok(runs)
}

/// The runs that have something in the trash, which is not looked into.
pub(crate) fn runs(root: &Root) -> Result<Vec<Uuid>, TrashError> {
    let Some(trash) = open(root)? else { return Ok(Vec::new()) };
    Ok(runs_in(root, &trash)?.into_iter().map(|(run, _)| run).collect())
}

/// Removes the trash of all runs that put nothing there since `before`.
pub(crate) fn empty(root: &Root, before: Timestamp, stop: &CancellationToken) -> Result<Emptied, TrashError> {
    let mut emptied = Emptied::default();
    let Some(trash) = open(root)? else { return Ok(emptied) };
    for (run, _) in runs_in(root, &trash)?.into_iter().filter(|&(_, changed_at)| changed_at < before) {
        let part = visit(root, &trash, run, Act::Unlink, stop);
        emptied.runs += u64::from(!part.is_pending() && part.kept == 0);
        emptied.part.add(part);
    }
    settle(&mut emptied.part, sync(&trash));
    Ok(emptied)
}

/// Moves what a run trashed (or, of that, what lies at or beneath some paths) back to where it was.
pub(crate) fn restore(
    root: &Root,
    run: Uuid,
    only: Option<Vec<RawPath>>,
    stop: &CancellationToken,
) -> Result<Restored, TrashError> {
    let none = || TrashError::NoRun { run, root: root.path.display().to_string() };
    let unusable = |error| unusable(root, error);
    let trash = open(root)?.ok_or_else(none)?;
    let workplace = found(root.enter(&trash, run.to_string().as_bytes())).map_err(unusable)?.ok_or_else(none)?;
    let is_missing = |path: &&RawPath| {
        let (directory, name) = path.split();
        let directory = directory.map_or_else(|| Ok(None), |path| root.beneath(&workplace, path).map(Some));
        !directory.is_ok_and(|directory| look(directory.as_ref().unwrap_or(&workplace), name).is_ok())
    };
    let missing = only.iter().flatten().filter(is_missing).cloned().collect();
    let only = only.map(|only| only.iter().map(|path| path.as_bytes().to_vec()).collect());
    let base = root.directory(None).map_err(unusable)?;
    let act = Act::Move(Destination::restore(base, workplace, &path_of(run), only));
    let mut part = visit(root, &trash, run, act, stop);
    let inside = format!("{}/", path_of(run));
    for left in &mut part.left {
        left.path = left.path.strip_prefix(&inside).unwrap_or(&left.path).to_owned();
    }
    settle(&mut part, sync_all(&trash));
    Ok(Restored { part: Part { trashed: false, ..part }, missing })
}

/// Counts as failed what could not be made durable.
fn settle(part: &mut Part, synced: Result<(), Errno>) {
    if let Err(error) = synced {
        let why = Why::Failed(format!("what was done may be undone by a power cut: {}", words(error)).into());
        part.add(Part { failed: 1, left: vec![Left { path: format!("{OWN}/{TRASH}"), why }], ..Part::default() });
    }
}

fn path_of(run: Uuid) -> RawPath {
    RawPath::own(format!("{OWN}/{TRASH}/{run}"))
}

fn open(root: &Root) -> Result<Option<OwnedFd>, TrashError> {
    if let Some(why) = root.replaced() {
        return Err(TrashError::Replaced(why));
    }
    let unusable = |error| unusable(root, error);
    let Some(own) = private_dir::open(root).map_err(unusable)? else { return Ok(None) };
    found(root.enter(&own, TRASH.as_bytes())).map_err(unusable)
}

fn unusable(root: &Root, error: Errno) -> TrashError {
    TrashError::Unusable { root: root.path.display().to_string(), error }
}

/// The runs in an open trash, with the time at which their directories last changed.
fn runs_in(root: &Root, trash: &OwnedFd) -> Result<Vec<(Uuid, Timestamp)>, TrashError> {
    let mut runs = Vec::new();
    let listed = read(trash, &mut Scratch::new(), |name, kind| {
        let run = std::str::from_utf8(name).ok().and_then(|name| Uuid::try_parse(name).ok());
        // A name that says the same number in another way is not one that a run gave.
        let run = run.filter(|run| run.to_string().as_bytes() == name);
        runs.extend(run.filter(|_| matches!(kind, FileType::Directory | FileType::Unknown)));
        ControlFlow::Continue(())
    });
    listed.map_err(|error| unusable(root, error))?;
    let changed_at = |run: &Uuid| {
        let facts = facts(&root.enter(trash, run.to_string().as_bytes()).ok()?).ok()?;
        // A time that no calendar has is never overdue.
        Some(Timestamp::from_nanosecond(nanoseconds(&facts.stx_mtime)).unwrap_or(Timestamp::MAX))
    };
    // What cannot be entered is no directory of a run, or has just gone.
    Ok(runs.into_iter().filter_map(|run| Some((run, changed_at(&run)?))).collect())
}

/// Does the same with everything in the trash of a run.
fn visit(root: &Root, trash: &OwnedFd, run: Uuid, act: Act, stop: &CancellationToken) -> Part {
    let options = RemovalOptions {
        act,
        durable: Durable::AtOnce,
        decided_at: Timestamp::MAX,
        stop: stop.clone(),
        look: Look::default(),
    };
    let context = RemovalContext { root, options: &options, links: &Links::default() };
    let removal = RemovalRequest::directory(path_of(run));
    match directory::visit(context, trash, &removal, 0, None, &mut Scratch::new()) {
        Outcome::Removed { files, size_bytes } | Outcome::Trashed { files, size_bytes } => {
            Part { files, size_bytes, ..Part::default() }
        }
        Outcome::Partly(part) => part,
        Outcome::Missing => Part::default(),
        Outcome::Stopped => Part { stopped: true, ..Part::default() },
        Outcome::Kept(why) | Outcome::Mismatch(why) => not_removed(&removal, why.into()),
        Outcome::Failed(why) => not_removed(&removal, why),
    }
}

fn not_removed(removal: &RemovalRequest, why: Unremoved) -> Part {
    let left = Left { path: removal.path.to_string(), why: Why::Failed(why) };
    Part { failed: 1, left: vec![left], ..Part::default() }
}

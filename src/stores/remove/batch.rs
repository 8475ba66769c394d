//! Much at once: sorted by directory, spread over threads, each directory opened once and made durable once.

use std::collections::{HashMap, HashSet};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;

use super::context::{Durable, RemovalContext, RemovalOptions};
use super::directory;
use super::exclusions::{Mark, Marks};
use super::file::{self, outcome_of_parent};
use super::hard_links::Links;
use crate::decide::file::Stays;
use crate::stores::dir_reader::Scratch;
use crate::stores::request::Part;
use crate::stores::root::Root;
use crate::stores::sys::{sync, sync_all, words};
use crate::stores::{Outcome, RemovalRequest};

/// Directories held open at a time: they are synced together, after all that was done in them.
const DIRECTORIES_AT_ONCE: usize = 256;
/// Most directories that are synced one by one.
const SYNCED_APART: usize = 8;
const MOST_THREADS: usize = 4;
/// Files of one directory that one thread takes at a time.
const FILES_PER_GROUP: usize = 256;
/// Fewer files than this are not worth a thread.
const FILES_PER_THREAD: usize = 32;

/// Some files of one directory, or one directory that goes as a whole; as places in the caller's list.
struct Group<'a> {
    parent: Option<&'a [u8]>,
    directory: bool,
    places: &'a [usize],
}

/// Removals in one directory.
struct Done<'a> {
    group: &'a Group<'a>,
    outcomes: Vec<Outcome>,
    /// Directory that names may have gone from.
    directory: Option<OwnedFd>,
}

/// Outcome of everything, in the order of `removals`.
pub(crate) fn sweep(root: &Root, removals: &[RemovalRequest], options: &RemovalOptions) -> Vec<Outcome> {
    let mut order: Vec<usize> = (0..removals.len()).collect();
    order.sort_by_cached_key(|&place| (removals[place].path.split(), removals[place].directory, place));
    let mut alike = 0;
    let groups = order.chunk_by(|&a, &b| {
        let (a, b) = (&removals[a], &removals[b]);
        let beside = a.path.split().0 == b.path.split().0 && !a.directory && !b.directory && alike < FILES_PER_GROUP;
        let together = beside || (a.path == b.path && a.directory == b.directory);
        alike = if together { alike + 1 } else { 0 };
        together
    });
    let containers = containers(removals);
    let (mut around, apart): (Vec<_>, Vec<_>) = groups
        .map(|places| {
            let RemovalRequest { path, directory, .. } = &removals[places[0]];
            Group { parent: path.split().0, directory: *directory, places }
        })
        .partition(|group| group.directory && containers.contains(removals[group.places[0]].path.as_bytes()));

    let links = Links::default();
    let mut sweep = Sweep {
        context: RemovalContext { root, options, links: &links },
        removals,
        marks: Marks::default(),
        outcomes: vec![None; removals.len()],
        touched: None,
        unsynced: Vec::new(),
    };
    for path in removals.iter().flat_map(|removal| &removal.kept) {
        sweep.marks.add(path.as_str().as_bytes(), Mark::Kept);
    }
    for wave in apart.chunks(DIRECTORIES_AT_ONCE) {
        sweep.wave(wave);
    }
    // What is to be removed by itself beneath a directory to be removed goes first, so that a look says what a removal does.
    around.sort_by_key(|group| std::cmp::Reverse(removals[group.places[0]].path.as_bytes().len()));
    if !around.is_empty() {
        sweep.mark_settled(&order);
    }
    for group in around.chunks(1) {
        sweep.wave(group);
        sweep.mark_settled(group[0].places);
    }
    sweep.sync_together();
    let unseen = || Outcome::Failed("was not looked at".to_owned().into());
    sweep.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unseen)).collect()
}

/// The directories to be removed in which something else is to be removed, or of which a file of the same name is.
fn containers(removals: &[RemovalRequest]) -> HashSet<&[u8]> {
    let directories: HashSet<&[u8]> =
        removals.iter().filter(|removal| removal.directory).map(|removal| removal.path.as_bytes()).collect();
    let mut containers = HashSet::new();
    if directories.is_empty() {
        return containers;
    }
    for removal in removals {
        let path = removal.path.as_bytes();
        let above = (0..path.len()).filter(|&end| path[end] == b'/').map(|end| &path[..end]);
        let same = (!removal.directory).then_some(path);
        containers.extend(above.chain(same).filter(|path| directories.contains(path)));
    }
    containers
}

/// Of what is named twice: gone (or, when only looked at, as good as gone) the first time.
fn again(first: &Outcome) -> Outcome {
    match first {
        Outcome::Removed { .. } | Outcome::Trashed { .. } | Outcome::Missing => Outcome::Missing,
        Outcome::Partly(part) => Outcome::Partly(Part { files: 0, size_bytes: 0, ..part.clone() }),
        Outcome::Kept(_) | Outcome::Mismatch(_) | Outcome::Failed(_) | Outcome::Stopped => first.clone(),
    }
}

struct Sweep<'a> {
    context: RemovalContext<'a>,
    removals: &'a [RemovalRequest],
    marks: Marks,
    outcomes: Vec<Option<Outcome>>,
    /// One of many directories from which names have gone and that are not synced yet.
    touched: Option<OwnedFd>,
    /// Names that went from those.
    unsynced: Vec<usize>,
}

impl Sweep<'_> {
    /// Works through some groups, and makes that durable where they are in a few directories.
    fn wave(&mut self, groups: &[Group<'_>]) {
        if let Some(why) = self.context.root.replaced() {
            for &place in groups.iter().flat_map(|group| group.places) {
                self.outcomes[place] = Some(Outcome::Failed(why.clone().into()));
            }
            return;
        }
        let mut all = self.spread(groups);
        let touched: HashSet<_> =
            all.iter().filter(|done| done.directory.is_some()).map(|done| done.group.parent).collect();
        if self.context.options.durable == Durable::Later {
            // Nothing counts on it yet.
        } else if touched.len() > SYNCED_APART || self.context.options.act.moves() {
            self.unsynced.extend(all.iter().filter(|done| done.directory.is_some()).flat_map(|done| done.group.places));
            self.touched = self.touched.take().or_else(|| all.iter_mut().find_map(|done| done.directory.take()));
        } else {
            sync_apart(&mut all);
        }
        for done in all {
            for (&place, outcome) in done.group.places.iter().zip(done.outcomes) {
                self.outcomes[place] = Some(outcome);
            }
        }
    }

    /// Makes durable what was done in many directories: each sync of a directory waits for the disk, and one of the file
    /// system waits once.
    fn sync_together(&mut self) {
        let Some(Err(error)) = self.touched.as_ref().map(sync_all) else { return };
        for &place in &self.unsynced {
            if let Some(outcome) = &mut self.outcomes[place] {
                doubt(std::slice::from_mut(outcome), error);
            }
        }
    }

    /// Works through the groups on as many threads as they are worth.
    fn spread<'g>(&self, groups: &'g [Group<'g>]) -> Vec<Done<'g>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut done, mut scratch) = (Vec::new(), Scratch::new());
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                done.push(self.work_through(group, &mut scratch));
            }
            done
        };
        let weigh = |group: &Group| if group.directory { FILES_PER_THREAD } else { group.places.len() };
        let weight: usize = groups.iter().map(weigh).sum();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(MOST_THREADS).min(groups.len()).min(weight / FILES_PER_THREAD);
        std::thread::scope(|scope| {
            // A thread that can't be had is no loss: this one does what is left.
            let others: Vec<_> =
                (1..threads).filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
            let mut done = work();
            for other in others {
                match other.join() {
                    Ok(more) => done.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        })
    }

    fn work_through<'g>(&self, group: &'g Group<'g>, scratch: &mut Scratch) -> Done<'g> {
        let directory = match self.context.root.directory(group.parent) {
            Ok(directory) => directory,
            Err(error) => {
                let outcomes = vec![outcome_of_parent(error); group.places.len()];
                return Done { group, outcomes, directory: None };
            }
        };
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(group.places.len());
        let (mut last, mut target): (Option<&[u8]>, _) = (None, None);
        for &place in group.places {
            let removal = &self.removals[place];
            let (_, name) = removal.path.split();
            let marks = self.marks.at(removal.path.as_bytes());
            let outcome = match (outcomes.last().filter(|_| last == Some(name)), marks.and_then(|marks| marks.mark)) {
                (Some(first), _) => again(first),
                (None, Some(Mark::Kept)) => Outcome::Kept(Stays::Named),
                (None, Some(Mark::Gone)) => Outcome::Missing,
                (None, _) if self.context.options.is_gone(removal.path.as_bytes()) => Outcome::Missing,
                // Only what is in a directory is ever counted before.
                (None, Some(Mark::Counted) | None) => match removal.directory {
                    true => directory::visit(self.context, &directory, removal, place, marks, scratch),
                    false => file::visit(self.context, &directory, removal, &mut target),
                },
            };
            outcomes.push(outcome);
            last = Some(name);
        }
        // Also where something was missing: it may be a removal before a crash that was never made durable.
        let touched = self.context.options.act.takes() && outcomes.iter().any(is_taken);
        Done { group, outcomes, directory: touched.then_some(directory) }
    }

    /// After a look: what a removal would have taken by now.
    fn mark_settled(&mut self, places: &[usize]) {
        for &place in places {
            let mark = match self.outcomes[place] {
                _ if self.context.options.act.takes() => return,
                Some(Outcome::Removed { .. }) => Mark::Gone,
                Some(Outcome::Partly(_)) => Mark::Counted,
                // Nothing went: it is read again.
                Some(Outcome::Trashed { .. } | Outcome::Missing | Outcome::Kept(_) | Outcome::Mismatch(_))
                | Some(Outcome::Failed(_) | Outcome::Stopped)
                | None => continue,
            };
            self.marks.add(self.removals[place].path.as_bytes(), mark);
        }
    }
}

/// Makes durable what was done in a few directories.
fn sync_apart(all: &mut [Done<'_>]) {
    // Several groups may have the same directory: the first sync, after all that was done, is good for all.
    let mut synced: HashMap<Option<&[u8]>, Result<(), Errno>> = HashMap::new();
    for done in all {
        if let Some(directory) = &done.directory
            && let Err(error) = *synced.entry(done.group.parent).or_insert_with(|| sync(directory))
        {
            doubt(&mut done.outcomes, error);
        }
    }
}

/// True if a name went, now or before.
fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Removed { .. } | Outcome::Trashed { .. } | Outcome::Missing)
}

/// A removal that a power cut could undo does not count.
fn doubt(outcomes: &mut [Outcome], error: Errno) {
    for outcome in outcomes {
        if is_taken(outcome) {
            *outcome = Outcome::Failed(format!("removed, but perhaps not for good: {}", words(error)).into());
        }
    }
}

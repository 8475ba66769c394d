//! Many files at once: sorted by directory, spread over threads, each directory opened once and made durable once.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;

use super::beneath::Root;
use super::file::{Act, Verdict, outcome_of_parent, visit, words};
use super::{Doomed, Outcome, Terms};

/// Directories held open at a time: they are synced together, because the first sync of a journal does the work of all.
const DIRECTORIES_AT_ONCE: usize = 256;
const MOST_THREADS: usize = 4;
/// Fewer files than this are not worth a thread.
const FILES_PER_THREAD: usize = 32;

/// The files of one directory, as places in the caller's list.
struct Group<'a> {
    parent: Option<&'a str>,
    places: &'a [usize],
}

/// What was done in one directory.
struct Done<'a> {
    group: &'a Group<'a>,
    verdicts: Vec<Verdict>,
    /// Where names may have gone from it.
    directory: Option<OwnedFd>,
}

/// What becomes of each path, in the order of `doomed`.
pub(super) fn sweep(root: &Root, doomed: &[Doomed], terms: &Terms) -> Vec<Outcome> {
    let mut order: Vec<usize> = (0..doomed.len()).collect();
    order.sort_by_key(|&place| (doomed[place].path.split(), place));
    let groups: Vec<Group> = order
        .chunk_by(|&a, &b| doomed[a].path.split().0 == doomed[b].path.split().0)
        .map(|places| Group { parent: doomed[places[0]].path.split().0, places })
        .collect();

    let unseen = Verdict::from(Outcome::Failed("was not looked at".to_owned()));
    let mut verdicts = vec![unseen; doomed.len()];
    for wave in groups.chunks(DIRECTORIES_AT_ONCE) {
        if let Some(why) = root.replaced() {
            for &place in wave.iter().flat_map(|group| group.places) {
                verdicts[place] = Outcome::Failed(why.clone()).into();
            }
            continue;
        }
        for mut done in spread(root, doomed, wave, terms) {
            if let Some(directory) = &done.directory {
                make_durable(directory, &mut done.verdicts);
            }
            for (&place, verdict) in done.group.places.iter().zip(done.verdicts) {
                verdicts[place] = verdict;
            }
        }
    }
    credit_shared(&mut verdicts);
    verdicts.into_iter().map(|verdict| verdict.outcome).collect()
}

/// Works through the groups on as many threads as they are worth.
fn spread<'a>(root: &Root, doomed: &[Doomed], groups: &'a [Group<'a>], terms: &Terms) -> Vec<Done<'a>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push(work_through(root, doomed, group, terms));
        }
        done
    };
    let files: usize = groups.iter().map(|group| group.places.len()).sum();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MOST_THREADS).min(groups.len()).min(files / FILES_PER_THREAD);
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

fn work_through<'a>(root: &Root, doomed: &[Doomed], group: &'a Group<'a>, terms: &Terms) -> Done<'a> {
    let directory = match root.directory(group.parent) {
        Ok(directory) => directory,
        Err(error) => {
            let verdicts = vec![outcome_of_parent(error).into(); group.places.len()];
            return Done { group, verdicts, directory: None };
        }
    };
    let mut verdicts: Vec<Verdict> = Vec::with_capacity(group.places.len());
    let mut last: Option<&str> = None;
    for &place in group.places {
        let (_, name) = doomed[place].path.split();
        let before = verdicts.last().filter(|_| last == Some(name));
        let verdict = match before {
            // Named twice: gone (or, when only looked at, as good as gone) the first time.
            Some(Verdict { outcome: Outcome::Removed { .. } | Outcome::Missing, .. }) => Outcome::Missing.into(),
            Some(same) => same.clone(),
            None if doomed[place].directory => {
                Outcome::Failed("whole directories are not removed yet".to_owned()).into()
            }
            None => visit(&directory, name, terms.decided_at, terms.act),
        };
        verdicts.push(verdict);
        last = Some(name);
    }
    // Also where a file was missing: it may be a removal before a crash that was never made durable.
    let is_touched = |verdict: &Verdict| matches!(verdict.outcome, Outcome::Removed { .. } | Outcome::Missing);
    let touched = terms.act == Act::Remove && verdicts.iter().any(is_touched);
    Done { group, verdicts, directory: touched.then_some(directory) }
}

/// A removal that a power cut could undo does not count.
fn make_durable(directory: &OwnedFd, verdicts: &mut [Verdict]) {
    match rustix::io::retry_on_intr(|| rustix::fs::fsync(directory)) {
        // The last two: a file system without such a thing, or read-only, from which nothing was removed.
        Ok(()) | Err(Errno::INVAL | Errno::ROFS) => {}
        Err(error) => {
            for verdict in verdicts {
                if matches!(verdict.outcome, Outcome::Removed { .. } | Outcome::Missing) {
                    let why = format!("removed, but perhaps not for good: {}", words(error));
                    *verdict = Outcome::Failed(why).into();
                }
            }
        }
    }
}

/// A file with several links frees its bytes with the last of them: counted once, if all links went in this call.
fn credit_shared(verdicts: &mut [Verdict]) {
    let removed = |verdict: &Verdict| verdict.seen.filter(|_| matches!(verdict.outcome, Outcome::Removed { .. }));
    // Whoever looked first saw all links; after a removal the last one may look like a file with one.
    let mut files: HashMap<u64, (u32, Vec<usize>)> = HashMap::new();
    for (inode, links) in verdicts.iter().filter_map(removed).filter(|&(_, links)| links > 1) {
        let (most, _) = files.entry(inode).or_default();
        *most = links.max(*most);
    }
    if files.is_empty() {
        return;
    }
    for (place, (inode, _)) in
        verdicts.iter().enumerate().filter_map(|(place, verdict)| Some((place, removed(verdict)?)))
    {
        if let Some((_, places)) = files.get_mut(&inode) {
            places.push(place);
        }
    }
    for (links, mut places) in files.into_values() {
        if places.len() >= links as usize {
            places.pop();
        }
        for place in places {
            verdicts[place].outcome = Outcome::Removed { files: 1, size_bytes: 0 };
        }
    }
}

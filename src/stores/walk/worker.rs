//! Walks a store and tells of everything in it that is no directory: in parallel, without a lock or an allocation for a
//! file, and in bounded memory. Enters no link and no mount, opens nothing but directories, changes nothing.
//!
//! A worker has the directories that it found and did not read yet on a stack, and goes into the last of them first; it
//! gives away the outermost when another worker has none, and of a large directory a part that it has not read, or files
//! while it reads on. Each directory is opened anew by its path from the root.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::FileType;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::queue::{Batch, Large, Pool, Task};
use super::range::Span;
use super::visitor::{ERRORS_AT_MOST, Surveyed, Unseen, Visitor, WalkError, Walked, Want};
use crate::decide::file::{FileFacts, FileKind};
use crate::stores::dir_reader::{Listing, Names, Told, tell};
use crate::stores::metadata::{file_facts, file_kind};
use crate::stores::path::{is_own, shown};
use crate::stores::root::{Root, again};
use crate::stores::sys::{kind, look, words};

/// Most workers, however many cores there are.
const MOST_WORKERS: usize = 8;
/// Directories of one directory that are remembered at a time; of more, the rest is read again later. Fewer in tests, which
/// would be long in making so many.
pub(crate) const INNER_AT_ONCE: usize = if cfg!(test) { 1024 } else { 32 * 1024 };
/// The longest path that is gone into, in bytes: twice what any program can name in one call.
const LONGEST_PATH: usize = 8 * 1024;
/// Names of a directory that are told by one worker before another may tell of the next.
pub(crate) const PIECE_NAMES: u64 = 4096;
/// Names between two looks at the stop.
const NAMES_BETWEEN_STOPS: u32 = 4096;

/// Walks with a worker for each visitor that `make` makes.
pub(crate) fn walk<V: Visitor>(
    root: &Root,
    make: impl Fn() -> V,
    stop: &CancellationToken,
) -> Result<Walked<V>, WalkError> {
    root.replaced().map_or(Ok(()), |why| Err(WalkError::Replaced(why)))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let visitors: Vec<V> = (0..cores.min(MOST_WORKERS)).map(|_| make()).collect();
    let (pool, total) = (Pool::new(Batch::root(), visitors.len()), Mutex::new(Surveyed::default()));
    let work = |visitor: V| {
        let (surveyed, path, wanted, aside) = Default::default();
        let until_stop = NAMES_BETWEEN_STOPS;
        Worker { root, stop, pool: &pool, visitor, surveyed, path, wanted, aside, until_stop }.go(&total)
    };
    let visitors = spread(visitors, &work);
    if stop.is_cancelled() {
        return Err(WalkError::Stopped);
    }
    root.replaced().map_or(Ok(()), |why| Err(WalkError::Replaced(why)))?;
    let surveyed = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Walked { surveyed, visitors })
}

/// Runs a worker for each visitor on a thread of its own, one of them on this one.
fn spread<V: Visitor>(visitors: Vec<V>, work: &(impl Fn(V) -> V + Sync)) -> Vec<V> {
    std::thread::scope(|scope| {
        let mut visitors = visitors.into_iter();
        let first = visitors.next();
        // A thread that can't be had is no loss: its visitor has seen nothing, and the others do its work.
        let others: Vec<_> = visitors
            .filter_map(|visitor| std::thread::Builder::new().spawn_scoped(scope, move || work(visitor)).ok())
            .collect();
        let mut done: Vec<V> = first.into_iter().map(work).collect();
        for other in others {
            match other.join() {
                Ok(visitor) => done.push(visitor),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}

/// One thread of a walk.
struct Worker<'a, V> {
    root: &'a Root,
    stop: &'a CancellationToken,
    pool: &'a Pool,
    visitor: V,
    surveyed: Surveyed,
    /// Of what is looked at, beneath the root.
    path: Vec<u8>,
    /// Names in the current directory about which facts are wanted.
    wanted: Listing,
    /// Names in the current directory that another worker is to tell of.
    aside: Option<Listing>,
    until_stop: u32,
}

impl<V: Visitor> Worker<'_, V> {
    /// Works until there is nothing left for anybody.
    fn go(mut self, total: &Mutex<Surveyed>) -> V {
        let (mut stack, mut buffer): (Vec<Batch>, _) = (Vec::new(), Vec::new());
        while let Some((task, turn)) = self.pool.take() {
            match task {
                Task::Read(batch) => stack.push(batch),
                Task::ReadOn(large, span) => stack.extend(self.read_on(large, span, &mut buffer)),
                Task::Tell(large, names) => self.piece(large, &names),
            }
            while !self.stop.is_cancelled() && self.step_to(&mut stack, &mut buffer) {
                if let Some(inner) = self.directory(&mut buffer) {
                    stack.push(inner);
                }
                if self.pool.is_hungry() {
                    self.pool.share(&mut stack);
                }
            }
            stack.clear();
            drop(turn);
        }
        total.lock().unwrap_or_else(PoisonError::into_inner).add(self.surveyed);
        self.visitor
    }

    /// Takes the path of the next directory; whether there is one.
    fn step_to(&mut self, stack: &mut Vec<Batch>, buffer: &mut Vec<u8>) -> bool {
        while let Some(batch) = stack.last_mut() {
            self.path.clear();
            self.path.extend_from_slice(&batch.parent);
            if let Some(name) = batch.names.pop() {
                self.begin_name();
                self.path.extend_from_slice(&name);
                return true;
            }
            match batch.more.take() {
                Some(span) => *batch = self.more(span, buffer),
                None => drop(stack.pop()),
            }
        }
        false
    }

    /// Makes the path ready for a name in it; where the name begins.
    fn begin_name(&mut self) -> usize {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.len()
    }

    /// Tells of all that is in a directory; what is to be entered in it.
    fn directory(&mut self, buffer: &mut Vec<u8>) -> Option<Batch> {
        if !self.visitor.enters(&self.path) {
            return None;
        }
        let directory = Arc::new(self.open()?);
        self.surveyed.directories += 1;
        self.visitor.begin(&self.path);
        let (inner, names) = self.names(&directory, Span::WHOLE, buffer);
        self.visitor.end(&self.path, names);
        inner
    }

    /// Takes up a part that another worker left.
    fn read_on(&mut self, large: Large, span: Span, buffer: &mut Vec<u8>) -> Option<Batch> {
        self.path = large.path;
        match again(&large.directory) {
            Ok(directory) => return self.names(&Arc::new(directory), span, buffer).0,
            // It was removed meanwhile.
            Err(Errno::NOENT) => {}
            Err(error) => self.unseen(words(error)),
        }
        None
    }

    /// Tells of the names in part of a directory; what is to be entered of them, and how many they are.
    fn names(&mut self, directory: &Arc<OwnedFd>, mut span: Span, buffer: &mut Vec<u8>) -> (Option<Batch>, u64) {
        let length = self.path.len();
        let name_at = self.begin_name();
        let (mut inner, mut names) = (Inner::new(span.from), 0);
        let read = tell(directory, span.from, buffer, |told, next| {
            if !(name_at == 0 && is_own(told.name)) {
                names += 1;
                self.path.truncate(name_at);
                self.path.extend_from_slice(told.name);
                match (self.kind(directory, &told), &mut self.aside) {
                    (None, _) => {}
                    (Some(FileType::Directory), _) => inner.push(told.name, next),
                    (Some(kind), Some(aside)) => aside.push(&Told { kind, ..told }),
                    (Some(kind), None) => self.file(directory, &told, kind, name_at),
                }
                if names % PIECE_NAMES == 0 {
                    self.put_aside(directory, length);
                    self.share_directory(directory, length, &mut span, next, names);
                }
            }
            if span.ends_before(next) { ControlFlow::Break(()) } else { self.breathe() }
        });
        self.put_aside(directory, length);
        self.look_at_wanted(directory, name_at);
        self.path.truncate(length);
        if let Err(error) = read {
            self.unseen(words(error));
        }
        (inner.batch(&self.path, span), names)
    }

    /// Leaves a part of a large directory to a worker that waits, or puts the next files of it aside for one.
    fn share_directory(&mut self, directory: &Arc<OwnedFd>, length: usize, span: &mut Span, next: u64, names: u64) {
        let rest = self.pool.is_hungry().then(|| span.split(directory, next, names, PIECE_NAMES)).flatten();
        if let Some(span) = rest {
            self.pool.offer(Task::ReadOn(self.large(directory, length), span));
        } else {
            self.aside = self.pool.reserve().then(Listing::default);
        }
    }

    /// Gives away the names that were put aside.
    fn put_aside(&mut self, directory: &Arc<OwnedFd>, length: usize) {
        if let Some(names) = self.aside.take() {
            self.pool.offer(Task::Tell(self.large(directory, length), names));
        }
    }

    /// The directory that the path begins with, for another worker.
    fn large(&self, directory: &Arc<OwnedFd>, length: usize) -> Large {
        Large { directory: Arc::clone(directory), path: self.path[..length].to_vec() }
    }

    /// Tells of files that another worker met.
    fn piece(&mut self, large: Large, names: &Listing) {
        self.path = large.path;
        let name_at = self.begin_name();
        for told in names.told() {
            if self.breathe().is_break() {
                break;
            }
            self.path.truncate(name_at);
            self.path.extend_from_slice(told.name);
            self.file(&large.directory, &told, told.kind, name_at);
        }
        self.look_at_wanted(&large.directory, name_at);
    }

    /// The directory whose path was taken; none where it is gone or not to be entered.
    fn open(&mut self) -> Option<OwnedFd> {
        if self.path.len() > LONGEST_PATH {
            self.unseen(format!("its path is longer than {LONGEST_PATH} bytes"));
            return None;
        }
        let path = Some(self.path.as_slice()).filter(|path| !path.is_empty());
        match self.root.directory(path) {
            Ok(directory) => return Some(directory),
            Err(Errno::NOENT) if path.is_some() => {}
            Err(Errno::XDEV) => self.surveyed.mounts += 1,
            Err(Errno::LOOP | Errno::NOTDIR) => self.unseen("was replaced while the store was looked at".to_owned()),
            Err(error) => self.unseen(words(error)),
        }
        None
    }

    /// The directories in part of a directory, which were too many to be remembered when it was read.
    fn more(&mut self, span: Span, buffer: &mut Vec<u8>) -> Batch {
        let mut inner = Inner::new(span.from);
        if let Some(directory) = self.open() {
            let name_at = self.begin_name();
            let read = tell(&directory, span.from, buffer, |told, next| {
                self.path.truncate(name_at);
                self.path.extend_from_slice(told.name);
                if self.kind(&directory, &told) == Some(FileType::Directory) && !(name_at == 0 && is_own(told.name)) {
                    inner.push(told.name, next);
                }
                match inner.more {
                    Some(_) => ControlFlow::Break(()),
                    None if span.ends_before(next) => ControlFlow::Break(()),
                    None => self.breathe(),
                }
            });
            self.path.truncate(name_at.saturating_sub(1));
            if let Err(error) = read {
                self.unseen(words(error));
            }
        }
        inner.batch(&self.path, span).unwrap_or_default()
    }

    /// Ends the reading of a large directory soon after a stop.
    fn breathe(&mut self) -> ControlFlow<()> {
        self.until_stop = self.until_stop.checked_sub(1).unwrap_or(NAMES_BETWEEN_STOPS);
        match self.until_stop == 0 && self.stop.is_cancelled() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    /// Kind of the name at the end of the path; none where that is not to be known.
    fn kind(&mut self, directory: &OwnedFd, told: &Told<'_>) -> Option<FileType> {
        if told.kind != FileType::Unknown {
            return Some(told.kind);
        }
        match look(directory, told.name) {
            Ok(facts) => return Some(kind(&facts)),
            Err(Errno::NOENT) => {}
            Err(error) => self.unseen(words(error)),
        }
        None
    }

    fn file(&mut self, directory: &OwnedFd, told: &Told<'_>, kind: FileType, name_at: usize) {
        let kind = file_kind(kind);
        if matches!(kind, FileKind::Directory | FileKind::Unknown) {
            return;
        }
        self.surveyed.files += 1;
        match self.visitor.file(&self.path, kind) {
            Want::Nothing => {}
            Want::Facts => {
                self.wanted.push(told);
                if self.wanted.is_full() {
                    self.look_at_wanted(directory, name_at);
                }
            }
            Want::FactsIfAny => {
                let facts = look(directory, told.name).map(|facts| file_facts(&facts));
                let is_file = |facts: &FileFacts| !matches!(facts.kind, FileKind::Directory | FileKind::Unknown);
                if let Ok(facts) = facts
                    && is_file(&facts)
                    && !facts.is_mount_point
                {
                    self.visitor.facts(&self.path, &facts);
                }
            }
        }
    }

    fn look_at_wanted(&mut self, directory: &OwnedFd, name_at: usize) {
        let mut wanted = std::mem::take(&mut self.wanted);
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) = wanted.in_order(|name, _| {
            self.path.truncate(name_at);
            self.path.extend_from_slice(name);
            match look(directory, name) {
                Ok(facts) => match file_facts(&facts) {
                    facts if facts.is_mount_point => self.surveyed.mounts += 1,
                    FileFacts { kind: FileKind::Directory | FileKind::Unknown, .. } => {}
                    facts => self.visitor.facts(&self.path, &facts),
                },
                Err(Errno::NOENT) => {}
                Err(error) => self.unseen(words(error)),
            }
            self.breathe()
        });
        wanted.clear();
        self.wanted = wanted;
    }

    fn unseen(&mut self, why: String) {
        self.surveyed.errors += 1;
        if self.surveyed.first_errors.len() < ERRORS_AT_MOST {
            self.surveyed.first_errors.push(Unseen { path: shown(&self.path), why });
        }
    }
}

/// The directories in a directory.
struct Inner {
    names: Names,
    count: usize,
    /// Position at which those begin that are too many.
    more: Option<u64>,
    /// Position at which the names after the last one begin.
    after: u64,
}

impl Inner {
    fn new(from: u64) -> Self {
        Self { names: Names::default(), count: 0, more: None, after: from }
    }

    fn push(&mut self, name: &[u8], next: u64) {
        if self.count < INNER_AT_ONCE {
            self.names.push(name);
            self.count += 1;
            self.after = next;
        } else {
            self.more.get_or_insert(self.after);
        }
    }

    /// Them, of the part of a directory that was read.
    fn batch(self, parent: &[u8], read: Span) -> Option<Batch> {
        let more = self.more.map(|from| Span { from, ..read });
        (self.count > 0).then(|| Batch { parent: parent.to_vec(), names: self.names, more })
    }
}

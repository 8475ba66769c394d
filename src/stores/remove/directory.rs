//! A whole directory: examined, or removed from the innermost out. Descends by open handles, one name at a time, and never
//! through a symbolic link or into a mount; whatever depth a tree has takes no recursion and few handles.
//!
//! Only the innermost directories are held open. One further out is opened again from the directory in it, as its "..",
//! and only taken for what it was if it has the same imprint: so it is as good as a handle that was never closed.

use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Statx};
use rustix::io::Errno;

use super::context::{Act, Durable, RemovalContext};
use super::exclusions::{Mark, Marks};
use super::file::{outcome_of_parent, stays};
use super::frame::Frame;
use super::rename::Unmoved;
use crate::decide::file::{FileFacts, FileKind, Stays};
use crate::policy::AgeBy;
use crate::stores::dir_reader::{Scratch, read};
use crate::stores::metadata::file_facts;
use crate::stores::path::shown;
use crate::stores::request::{Inside, LEFT_AT_MOST, Left, Part, Why};
use crate::stores::root::{climb, facts};
use crate::stores::sys::{kind, look, sync, sync_all, unlink, words};
use crate::stores::{GoneBefore, Outcome, RemovalRequest};

/// Directories that one walk holds open.
const HANDLES: usize = 32;
/// Number of times that a directory is read again because something came into it while it was emptied.
const READINGS: u32 = 16;

/// Looks at a directory and everything in it and takes what may go in the way that the options say. `parent` is the open
/// directory that it is in, `place` its place in the caller's list.
pub(crate) fn visit(
    context: RemovalContext<'_>,
    parent: &OwnedFd,
    removal: &RemovalRequest,
    place: usize,
    marks: Option<&Marks>,
    scratch: &mut Scratch,
) -> Outcome {
    if context.options.stop.is_cancelled() {
        return Outcome::Stopped;
    }
    let name = removal.path.split().1;
    let (handle, facts) = match open(context, parent, name) {
        Ok(opened) => opened,
        Err(Refusal::Error(Errno::NOTDIR | Errno::LOOP)) => return outcome_of_no_directory(parent, name),
        Err(Refusal::Error(Errno::XDEV)) => return Outcome::Mismatch(Stays::MountPoint),
        Err(Refusal::Error(error)) => return outcome_of_parent(error),
        Err(Refusal::Stays(why @ Stays::ChangedLately)) => return Outcome::Failed(why.into()),
        Err(Refusal::Stays(why)) => return Outcome::Kept(why),
    };
    let name_at = removal.path.as_bytes().len() - name.len();
    let changed_ns = file_facts(&facts).touched_ns(removal.age_by);
    let frame = Frame { changed_ns, ..Frame::new(name_at, handle, &facts, marks, false) };
    let mut walk = Walk {
        context,
        place,
        path: removal.path.as_bytes().to_vec(),
        changed_before_ns: removal.changed_before_ns,
        age_by: removal.age_by,
        frames: Vec::new(),
        part: Part { trashed: context.options.act.moves(), ..Part::default() },
        end: None,
    };
    walk.enter(frame, scratch);
    walk.go(parent, scratch)
}

/// Why a directory is not entered.
enum Refusal {
    Error(Errno),
    Stays(Stays),
}

fn open(context: RemovalContext<'_>, parent: &OwnedFd, name: &[u8]) -> Result<(OwnedFd, Statx), Refusal> {
    let handle = context.root.enter(parent, name).map_err(Refusal::Error)?;
    let facts = facts(&handle).map_err(Refusal::Error)?;
    match stays(context, &file_facts(&facts), None) {
        Some(why) => Err(Refusal::Stays(why)),
        None => Ok((handle, facts)),
    }
}

fn outcome_of_no_directory(parent: &OwnedFd, name: &[u8]) -> Outcome {
    match look(parent, name) {
        Ok(facts) => match file_facts(&facts).is(FileKind::Directory) {
            Err(why) => Outcome::Mismatch(why),
            Ok(()) => Outcome::Failed("was replaced while it was looked at".to_owned().into()),
        },
        Err(error) => outcome_of_parent(error),
    }
}

/// Why something stays in a directory: for good, or to be asked about again.
fn why_left(stays: Stays) -> Why {
    match stays {
        Stays::ChangedLately => Why::Failed(stays.into()),
        for_good => Why::Kept(for_good),
    }
}

/// A directory under way.
struct Walk<'a> {
    context: RemovalContext<'a>,
    place: usize,
    /// The innermost frame's, beneath the root.
    path: Vec<u8>,
    changed_before_ns: Option<i128>,
    age_by: AgeBy,
    /// From the outermost directory to the innermost, whose handle is always open.
    frames: Vec<Frame<'a>>,
    part: Part,
    end: Option<End>,
}

/// End of a walk.
enum End {
    Stopped,
    /// The way back was lost.
    Lost,
    /// Came out of the outermost directory, which stays or does not.
    Out {
        stays: bool,
    },
}

impl<'a> Walk<'a> {
    fn go(mut self, parent: &OwnedFd, scratch: &mut Scratch) -> Outcome {
        while self.end.is_none() {
            // Once more for directories with nothing in them.
            if self.context.options.stop.is_cancelled() {
                self.end = Some(End::Stopped);
                break;
            }
            match self.frames.last_mut().and_then(|frame| frame.inner.pop()) {
                Some(name) => self.descend(&name, scratch),
                None => self.finish(parent, scratch),
            }
        }
        self.part.stopped = matches!(self.end, Some(End::Stopped));
        match self.end {
            Some(End::Out { stays: false }) => self.context.options.act.outcome(self.part.files, self.part.size_bytes),
            _ => Outcome::Partly(self.part),
        }
    }

    /// Enters a directory in the innermost one.
    fn descend(&mut self, name: &[u8], scratch: &mut Scratch) {
        let Some((frame, handle)) = self.innermost() else { return };
        match open(self.context, &handle, name) {
            Ok((inner, facts)) => {
                let marks = frame.marks.and_then(|marks| marks.of(name));
                let counted = frame.counted || marks.is_some_and(|marks| marks.mark == Some(Mark::Counted));
                let changed_ns = file_facts(&facts).touched_ns(self.age_by);
                let frame = Frame { changed_ns, ..Frame::new(self.path.len() + 1, inner, &facts, marks, counted) };
                self.path.push(b'/');
                self.path.extend_from_slice(name);
                self.enter(frame, scratch);
            }
            Err(Refusal::Error(Errno::NOENT)) => {}
            // It was a directory when it was read.
            Err(Refusal::Error(Errno::NOTDIR | Errno::LOOP)) => self.file(&handle, name),
            Err(Refusal::Error(Errno::XDEV)) => self.leave(Some(name), why_left(Stays::MountPoint)),
            Err(Refusal::Error(error)) => self.leave(Some(name), Why::Failed(error.into())),
            Err(Refusal::Stays(why)) => self.leave(Some(name), why_left(why)),
        }
    }

    fn innermost(&self) -> Option<(&Frame<'a>, Rc<OwnedFd>)> {
        let frame = self.frames.last()?;
        Some((frame, Rc::clone(frame.handle.as_ref()?)))
    }

    fn enter(&mut self, frame: Frame<'a>, scratch: &mut Scratch) {
        self.frames.push(frame);
        if let Some(outer) = self.frames.len().checked_sub(HANDLES + 1) {
            self.frames[outer].handle = None;
            self.frames[outer].target = None;
        }
        self.read(scratch);
    }

    /// Deals with all that is in the innermost directory; the directories in it are left for later.
    fn read(&mut self, scratch: &mut Scratch) {
        let Some((frame, handle)) = self.innermost() else { return };
        let marks = frame.marks;
        let done = read(&handle, scratch, |name, kind| {
            if let Some(frame) = self.frames.last_mut() {
                frame.empty = false;
            }
            if self.context.options.stop.is_cancelled() {
                self.end = Some(End::Stopped);
                return ControlFlow::Break(());
            }
            match marks.and_then(|marks| marks.of(name)?.mark) {
                Some(Mark::Kept) => self.stay(),
                Some(Mark::Gone) => {}
                Some(Mark::Counted) | None if kind == FileType::Directory => self.postpone(name),
                Some(Mark::Counted) | None => self.file(&handle, name),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = done {
            self.leave(None, Why::Failed(error.into()));
        }
    }

    /// True if what was changed at that time stays for it.
    fn is_late(&self, changed_ns: i128) -> bool {
        self.changed_before_ns.is_some_and(|before| changed_ns >= before)
    }

    fn postpone(&mut self, name: &[u8]) {
        if let Some(frame) = self.frames.last_mut() {
            frame.inner.push(name);
        }
    }

    fn stay(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.stays = true;
        }
    }

    /// Removes what is not a directory, or was none a moment ago.
    fn file(&mut self, directory: &OwnedFd, name: &[u8]) {
        let options = self.context.options;
        // In a plan: by then it would not be there, whatever it is now.
        let gone_before = |gone: &GoneBefore| gone(&self.shown(Some(name)));
        if options.look.gone.as_ref().is_some_and(gone_before) {
            return;
        }
        let facts = match look(directory, name) {
            Ok(facts) if kind(&facts) == FileType::Directory => return self.postpone(name),
            Ok(facts) => facts,
            Err(Errno::NOENT) => return,
            Err(error) => return self.leave(Some(name), Why::Failed(error.into())),
        };
        let seen = file_facts(&facts);
        if self.is_late(seen.touched_ns(self.age_by)) {
            return self.leave(Some(name), Why::Kept(Stays::Young));
        }
        if let Some(why) = stays(self.context, &seen, None) {
            return self.leave(Some(name), why_left(why));
        }
        if self.is_unwanted(name) {
            return self.stay();
        }
        match self.context.take(directory, name, &facts, || self.target()) {
            Ok(()) => self.count(name, &seen),
            Err(Unmoved::Error(Errno::NOENT)) => {}
            Err(Unmoved::Error(Errno::ISDIR)) => self.postpone(name),
            Err(Unmoved::Error(error)) => self.leave(Some(name), Why::Failed(error.into())),
            Err(Unmoved::Kept(why)) => self.leave(Some(name), Why::Kept(why)),
            Err(Unmoved::Failed(why)) => self.leave(Some(name), Why::Failed(why)),
        }
    }

    /// True if a name is none of those that are to be moved.
    fn is_unwanted(&self, name: &[u8]) -> bool {
        match &self.context.options.act {
            Act::Examine | Act::Unlink => false,
            Act::Move(destination) => destination.is_choosy() && !destination.wants(&self.path_of(Some(name))),
        }
    }

    /// Place that the innermost directory's files are moved to.
    fn target(&mut self) -> Result<Rc<OwnedFd>, Unmoved> {
        let [outer @ .., frame] = self.frames.as_mut_slice() else { return Err(Unmoved::Error(Errno::INVAL)) };
        if let (None, Act::Move(destination), Some(above)) =
            (&frame.target, &self.context.options.act, outer.last().and_then(|outer| outer.target.as_ref()))
        {
            let target = destination.inner(self.context.root, above, &self.path[frame.name_at..])?;
            frame.target = Some(Rc::new(target));
        }
        self.context.target(&self.path, &mut frame.target)
    }

    fn count(&mut self, name: &[u8], facts: &FileFacts) {
        let Some(frame) = self.frames.last_mut() else { return };
        frame.touched = true;
        if frame.counted {
            return;
        }
        let size_bytes = facts.freed_bytes;
        self.part.files += 1;
        self.part.size_bytes += self.context.links.freed(facts.inode, facts.links, size_bytes);
        if let Some(listener) = &self.context.options.look.listener {
            listener(Inside { place: self.place, path: self.shown(Some(name)), size_bytes });
        }
    }

    /// Done with all that is in the innermost directory: removes it, unless something stays, and steps out of it.
    fn finish(&mut self, parent: &OwnedFd, scratch: &mut Scratch) {
        let outer = match self.outer() {
            Ok(outer) => outer,
            Err(why) => {
                self.leave(None, Why::Failed(why.into()));
                self.end = Some(End::Lost);
                return;
            }
        };
        if self.frames.last().is_some_and(|frame| frame.empty && self.is_late(frame.changed_ns)) {
            self.leave(None, Why::Kept(Stays::Young));
        }
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.stays {
            self.make_durable();
        } else if self.context.options.act.takes() {
            let name = &self.path[frame.name_at..];
            match unlink(outer.as_deref().unwrap_or(parent), name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) if frame.readings < READINGS => {
                    frame.readings += 1;
                    return self.read(scratch);
                }
                Err(error) => self.leave(None, Why::Failed(error.into())),
            }
        }
        self.step_out(outer);
    }

    /// The handle of the directory around the innermost one; none where that is the outermost.
    fn outer(&self) -> Result<Option<Rc<OwnedFd>>, String> {
        let [.., outer, frame] = self.frames.as_slice() else { return Ok(None) };
        match (&outer.handle, &frame.handle) {
            (Some(handle), _) => Ok(Some(Rc::clone(handle))),
            (None, None) => Err("its handle is closed".to_owned()),
            (None, Some(inner)) => match climb(inner, outer.imprint) {
                Ok(Some(handle)) => Ok(Some(Rc::new(handle))),
                Ok(None) => Err("was moved to another directory while it was looked at".to_owned()),
                Err(error) => Err(words(error)),
            },
        }
    }

    /// A removal that a power cut could undo does not count. What a directory that goes took with it needs no more.
    fn make_durable(&mut self) {
        let Some((frame, handle)) = self.innermost() else { return };
        if !frame.touched || self.context.options.durable == Durable::Later {
            return;
        }
        let synced = match self.context.options.act {
            Act::Examine => Ok(()),
            Act::Unlink => sync(&handle),
            // Several directories changed, new ones among them.
            Act::Move(_) => sync_all(&handle),
        };
        if let Err(error) = synced {
            self.leave(None, Why::Failed(format!("what was removed in it may come back: {}", words(error)).into()));
        }
    }

    fn step_out(&mut self, outer: Option<Rc<OwnedFd>>) {
        let Some(left) = self.frames.pop() else { return };
        match self.frames.last_mut() {
            Some(frame) => {
                self.path.truncate(left.name_at - 1);
                frame.handle = outer;
                frame.touched |= !left.stays;
                frame.stays |= left.stays;
            }
            None => self.end = Some(End::Out { stays: left.stays }),
        }
    }

    /// Leaves behind a name in the innermost directory, or that directory itself.
    fn leave(&mut self, name: Option<&[u8]>, why: Why) {
        self.stay();
        match why {
            Why::Kept(_) => self.part.kept += 1,
            Why::Failed(_) => self.part.failed += 1,
        }
        if self.part.left.len() < LEFT_AT_MOST {
            self.part.left.push(Left { path: self.shown(name), why });
        }
    }

    /// The path of a name in the innermost directory, or of that directory itself.
    fn shown(&self, name: Option<&[u8]>) -> String {
        shown(&self.path_of(name))
    }

    fn path_of(&self, name: Option<&[u8]>) -> Vec<u8> {
        let mut path = self.path.clone();
        if let Some(name) = name {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        path
    }
}

//! One name in an open directory: looked at, and taken if it is what was decided about. Takes a single component only,
//! because the kernel would resolve a longer one.

use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;

use super::context::RemovalContext;
use super::rename::Unmoved;
use crate::clock::Clock;
use crate::decide::file::{FileFacts, FileKind, LastLook, Seen, Stays};
use crate::stores::metadata::file_facts;
use crate::stores::sys::look;
use crate::stores::{Outcome, RemovalRequest};

/// Looks at one file and, if it may go, takes it in the way that the options say. `target` is where its directory's files
/// are moved to, once that was needed.
pub(crate) fn visit(
    context: RemovalContext<'_>,
    directory: &OwnedFd,
    removal: &RemovalRequest,
    target: &mut Option<Rc<OwnedFd>>,
) -> Outcome {
    let (parent, name) = removal.path.split();
    let facts = match look(directory, name) {
        Ok(facts) => facts,
        Err(error) => return outcome_of_file(error),
    };
    let seen = file_facts(&facts);
    match seen.is(FileKind::File).err().or_else(|| stays(context, &seen, removal.seen)) {
        None => {}
        Some(why @ (Stays::OtherKind { .. } | Stays::MountPoint)) => return Outcome::Mismatch(why),
        Some(why @ Stays::ChangedLately) => return Outcome::Failed(why.into()),
        Some(why) => return Outcome::Kept(why),
    }
    match context.take(directory, name, &facts, || context.target(parent.unwrap_or_default(), target)) {
        Ok(()) => {
            let size_bytes = context.links.freed(seen.inode, seen.links, seen.freed_bytes);
            context.options.act.outcome(1, size_bytes)
        }
        Err(Unmoved::Error(error)) => outcome_of_file(error),
        Err(Unmoved::Kept(why)) => Outcome::Kept(why),
        Err(Unmoved::Failed(why)) => Outcome::Failed(why),
    }
}

/// Reason that something stays, by what is known of it now. That this removal took another name of it is no doubt.
pub(crate) fn stays(context: RemovalContext<'_>, facts: &FileFacts, seen: Option<Seen>) -> Option<Stays> {
    let look = LastLook { decided_at: context.options.decided_at, now: Clock::system().now(), seen };
    facts.stays(look).filter(|why| *why != Stays::ChangedLately || !context.root.has_unlinked(facts.inode))
}

fn outcome_of_file(error: Errno) -> Outcome {
    match error {
        // No file can have a name that its file system does not take.
        Errno::NOENT | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::ISDIR => Outcome::Mismatch(Stays::OtherKind { found: FileKind::Directory, wanted: FileKind::File }),
        other => Outcome::Failed(other.into()),
    }
}

/// Outcome for a file of an error at its directory.
pub(crate) fn outcome_of_parent(error: Errno) -> Outcome {
    match error {
        // Beneath what is no directory there is no file either.
        Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG => Outcome::Missing,
        Errno::LOOP => Outcome::Mismatch(Stays::LinkInPath),
        Errno::XDEV => Outcome::Mismatch(Stays::MountInPath),
        other => Outcome::Failed(other.into()),
    }
}

//! A look at a single path, for who asks about it. Opens nothing but the directories above it, and changes nothing.

use rustix::io::Errno;

use crate::decide::file::{FileFacts, FileKind};
use crate::stores::metadata::file_facts;
use crate::stores::path::RawPath;
use crate::stores::root::Root;
use crate::stores::sys::look;

/// Kind of thing at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glance {
    Missing,
    Directory,
    /// Anything else: a file, a link, a socket, …
    File(FileFacts),
}

pub(crate) fn glance(root: &Root, path: &RawPath) -> Result<Glance, Errno> {
    let (parent, name) = path.split();
    let facts = match root.directory(parent).and_then(|directory| look(&directory, name)) {
        Ok(facts) => facts,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Glance::Missing),
        Err(error) => return Err(error),
    };
    let facts = file_facts(&facts);
    Ok(match facts.kind {
        FileKind::Directory | FileKind::Unknown => Glance::Directory,
        _ => Glance::File(facts),
    })
}

//! Obstacles to removing anything in a store, seen before anything is removed: a read-only mount, directories without
//! the right to write, a trash that cannot be made. Looks at names and rights; only a trial of the trash changes something.

use rustix::fs::{Access as Right, AtFlags, Mode, RenameFlags, StatVfsMountFlags};
use rustix::io::Errno;

use super::access::may;
use crate::stores::path::OWN;
use crate::stores::private_dir::{self, found};
use crate::stores::root::Root;
use crate::stores::sys::{unlink, words};
use crate::stores::trash::bin::TRASH;

/// Number by which `statfs` names a file system in memory: its directories take no room.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Removals that are planned in the store.
#[derive(Debug, Clone, Default)]
pub struct Removal {
    /// The directories beneath the root that files are to go from; none: the root.
    pub from: Vec<Option<Vec<u8>>>,
    /// Number of files.
    pub files: usize,
    /// They are to go into the trash.
    pub trashes: bool,
}

/// Why nothing could be removed, as far as a look tells.
pub(crate) fn obstacle(root: &Root, removal: &Removal) -> Option<String> {
    let place = root.path.display();
    if rustix::fs::fstatvfs(&root.handle).is_ok_and(|mounted| mounted.f_flag.contains(StatVfsMountFlags::RDONLY)) {
        return Some(format!("{place} is read-only"));
    }
    let writable = Right::WRITE_OK | Right::EXEC_OK;
    let closed = |from: &Option<Vec<u8>>| match root.directory(from.as_deref()) {
        Ok(directory) => !may(&directory, ".", writable),
        // Not there, or not to be entered: its files are told of one by one.
        Err(error) => error == Errno::ACCESS,
    };
    let all_closed = !removal.from.is_empty() && removal.from.iter().all(closed);
    if all_closed && (!may(&root.handle, ".", writable) || removal.files >= MANY) {
        return Some(format!("this user may not write to any directory of {place} that files would go from"));
    }
    match removal.trashes {
        true => trash_obstacle(root).map(|why| format!("the trash of {place} cannot be used: {why}")),
        false => None,
    }
}

/// So many files that cannot go are the rule, and no accident in one directory.
const MANY: usize = 20;

fn trash_obstacle(root: &Root) -> Option<String> {
    let writable = Right::WRITE_OK | Right::EXEC_OK;
    let open = |error: Errno| format!("{OWN}/{TRASH} cannot be opened: {}", words(error));
    let innermost = match private_dir::open(root) {
        Ok(None) => None,
        Ok(Some(own)) => match found(root.enter(&own, TRASH.as_bytes())) {
            Ok(trash) => Some(trash.unwrap_or(own)),
            Err(error) => return Some(open(error)),
        },
        Err(error) => return Some(open(error)),
    };
    if !may(innermost.as_ref().unwrap_or(&root.handle), ".", writable) {
        return Some(format!("this user may not write to {OWN}/{TRASH}, or not make it"));
    }
    let (space, kind) = (rustix::fs::fstatvfs(&root.handle).ok()?, rustix::fs::fstatfs(&root.handle).ok()?);
    let free = if rustix::process::geteuid().is_root() { space.f_bfree } else { space.f_bavail };
    if free == 0 && kind.f_type != TMPFS {
        return Some("its file system is full, so that no directory can be made".to_owned());
    }
    (space.f_files > 0 && space.f_ffree == 0).then(|| "its file system has no inode left for a directory".to_owned())
}

/// Makes the trash and moves an empty directory within it, as files are moved into it; says what went wrong.
pub(crate) fn try_trash(root: &Root) -> Result<(), String> {
    if let Some(why) = root.replaced() {
        return Err(why);
    }
    let tried =
        private_dir::make(root).and_then(|own| private_dir::make_in(root, &own, TRASH.as_bytes())).and_then(|trash| {
            let [from, to] = ["from", "to"].map(|end| format!("trial-{}-{end}", uuid::Uuid::now_v7()));
            rustix::fs::mkdirat(&trash, &from, Mode::RWXU)?;
            let moved = rustix::fs::renameat_with(&trash, &from, &trash, &to, RenameFlags::NOREPLACE);
            let left = if moved.is_ok() { &to } else { &from };
            unlink(&trash, left.as_bytes(), AtFlags::REMOVEDIR).and(moved)
        });
    tried.map_err(|error| {
        let why = match error {
            Errno::INVAL => "this file system cannot rename without the risk of replacing something".to_owned(),
            error => words(error),
        };
        format!("the trash of {} cannot be used: {why}", root.path.display())
    })
}

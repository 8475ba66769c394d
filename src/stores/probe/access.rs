//! Rights of this process in a store, for `check`: reads rights and mounts, changes nothing.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{Access as Right, AtFlags, FileType, StatVfsMountFlags};

use crate::stores::dir_reader::{Scratch, read};
use crate::stores::root::{Root, mount};
use crate::stores::sys::look;

/// Rights of retaind's user in a store, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Names can be listed and files be looked at.
    pub readable: bool,
    /// Files directly in the root can be removed, as far as its own mode and mount say.
    pub writable: bool,
    pub mount_point: PathBuf,
    pub read_only_mount: bool,
    /// Owner and group of the root ("camera:video"; a number where there is no name), for the message.
    pub owner: String,
    pub owner_id: u32,
    /// Group of the root.
    pub group: Group,
    /// Permission bits of the root.
    pub mode: u32,
}

/// A group of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub id: u32,
    /// The number as text, where it has no name.
    pub name: String,
}

/// A directory in a store that retaind's user may not empty, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Beneath the root.
    pub path: String,
    /// Owner and group, as in [`Access`].
    pub owner: String,
    /// Permission bits.
    pub mode: u32,
}

/// Most directories that are looked at in a store: enough to find what is usual in it.
const LOOKED_AT: usize = 1000;

pub(crate) fn access(root: &Root) -> std::io::Result<Access> {
    let stat = rustix::fs::fstat(&root.handle)?;
    let mounted = rustix::fs::fstatvfs(&root.handle)?;
    Ok(Access {
        readable: may(&root.handle, ".", Right::READ_OK | Right::EXEC_OK),
        writable: may(&root.handle, ".", Right::WRITE_OK | Right::EXEC_OK),
        mount_point: mount_point(root)?,
        read_only_mount: mounted.f_flag.contains(StatVfsMountFlags::RDONLY),
        owner: owner(stat.st_uid, stat.st_gid),
        owner_id: stat.st_uid,
        group: Group { id: stat.st_gid, name: named("/etc/group", stat.st_gid) },
        mode: stat.st_mode & 0o7777,
    })
}

pub(crate) fn may(directory: impl AsFd, name: &str, right: Right) -> bool {
    rustix::fs::accessat(directory, name, right, AtFlags::EACCESS).is_ok()
}

/// Those of the first directories beneath the root, the outer ones first, that cannot be emptied.
pub(crate) fn closed(root: &Root) -> Vec<Closed> {
    let (mut closed, mut scratch) = (Vec::new(), Scratch::new());
    let (mut ahead, mut looked_at) = (VecDeque::from([None::<String>]), 0);
    while let Some(path) = ahead.pop_front() {
        // Gone by now or a mount point, if not the root, whose own rights are told of elsewhere.
        let Ok(directory) = root.directory(path.as_deref().map(str::as_bytes)) else { continue };
        let read = read(&directory, &mut scratch, |name, kind| {
            let Ok(name) = std::str::from_utf8(name) else { return ControlFlow::Continue(()) };
            if looked_at >= LOOKED_AT {
                return ControlFlow::Break(());
            }
            if kind == FileType::Directory {
                looked_at += 1;
                let path = path.as_ref().map_or_else(|| name.to_owned(), |path| format!("{path}/{name}"));
                match may(&directory, name, Right::READ_OK | Right::WRITE_OK | Right::EXEC_OK) {
                    true => ahead.push_back(Some(path)),
                    false => closed.extend(describe(&directory, name, path)),
                }
            }
            ControlFlow::Continue(())
        });
        // What cannot be read to its end has been looked at as far as it goes.
        let (Ok(()) | Err(_)) = read;
    }
    closed
}

fn describe(directory: &OwnedFd, name: &str, path: String) -> Option<Closed> {
    let facts = look(directory, name.as_bytes()).ok()?;
    let owner = owner(facts.stx_uid, facts.stx_gid);
    Some(Closed { path, owner, mode: u32::from(facts.stx_mode) & 0o7777 })
}

/// "camera:video".
fn owner(user: u32, group: u32) -> String {
    format!("{}:{}", named("/etc/passwd", user), named("/etc/group", group))
}

/// Mount point of the file system that holds the root, as this process sees it; the root where that is not known.
fn mount_point(root: &Root) -> std::io::Result<PathBuf> {
    let Some(id) = mount(&root.handle)? else {
        return Ok(root.path.clone());
    };
    let table = std::fs::read("/proc/self/mountinfo")?;
    let found = table.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let is_ours = fields.next()? == id.to_string().as_bytes();
        is_ours.then(|| fields.nth(3)).flatten()
    });
    Ok(found.map_or_else(|| root.path.clone(), |field| PathBuf::from(OsString::from_vec(unescape(field)))))
}

/// The kernel writes a space as `\040`, and so with tab, newline and backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

/// The name of a user, where it has one.
pub fn user_name(user: u32) -> Option<String> {
    Some(named("/etc/passwd", user)).filter(|name| *name != user.to_string())
}

/// The name that goes with a number in `/etc/passwd` or `/etc/group`, or the number.
fn named(file: &str, number: u32) -> String {
    let wanted = number.to_string();
    let table = std::fs::read(file).unwrap_or_default();
    let table = String::from_utf8_lossy(&table);
    let found = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == wanted).then(|| name.to_owned())
    });
    found.unwrap_or(wanted)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mount_point_with_a_space_is_read() {
        assert_eq!(super::unescape(br"/srv/my\040disk\134x\9"), br"/srv/my disk\x\9");
    }

    #[test]
    fn an_owner_without_a_name_is_a_number() {
        assert_eq!(super::named("/etc/passwd", 0), "root");
        assert_eq!(super::named("/etc/passwd", 3_999_999_999), "3999999999");
    }
}

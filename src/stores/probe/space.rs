//! Room of a store's file system. Changes nothing.

use crate::stores::root::Root;

/// The room on a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    pub total_bytes: u64,
    /// Bytes that a user without special rights may still fill.
    pub available_bytes: u64,
}

pub(crate) fn space(root: &Root) -> std::io::Result<Room> {
    let facts = rustix::fs::fstatvfs(&root.handle)?;
    Ok(Room {
        total_bytes: facts.f_blocks.saturating_mul(facts.f_frsize),
        available_bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
    })
}

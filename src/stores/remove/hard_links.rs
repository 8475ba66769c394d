//! Hard links: a file with several frees its bytes with the last of them, counted once. Keeps no more than what is shared.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Files of which some links went and others are not known to have gone, by inode; all of one file system.
#[derive(Default)]
pub(crate) struct Links {
    files: Mutex<HashMap<u64, Shared>>,
    /// There ever was one; else nobody needs to wait for the lock.
    any: AtomicBool,
}

#[derive(Default)]
struct Shared {
    links: u32,
    gone: u32,
}

impl Links {
    /// The bytes that come free with one more link that went; `links` is their number, as seen before.
    pub(crate) fn freed(&self, inode: u64, links: u32, size_bytes: u64) -> u64 {
        if links <= 1 && !self.any.load(Ordering::Acquire) {
            return size_bytes;
        }
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if links <= 1 && !files.contains_key(&inode) {
            return size_bytes;
        }
        self.any.store(true, Ordering::Release);
        let file = files.entry(inode).or_default();
        // Whoever looked first saw all links; after a removal the last one looks like the only one.
        file.links = file.links.max(links);
        file.gone += 1;
        if file.gone < file.links {
            return 0;
        }
        files.remove(&inode);
        size_bytes
    }
}

//! Exclusions from the walk of a directory that is to be removed: what is already resolved beneath it. Pure.

use std::collections::HashMap;

/// Resolution of a path and all that is beneath it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It stays: somebody still names it.
    Kept,
    /// It would be gone by now, had anything been removed.
    Gone,
    /// The files that would go from it have been counted.
    Counted,
}

/// The marks of a directory (at first, of the root) and of what is beneath it, by name.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    pub(crate) mark: Option<Mark>,
    inner: HashMap<Vec<u8>, Marks>,
}

impl Marks {
    /// Marks a path beneath the root. What is kept is never taken for anything else.
    pub(crate) fn add(&mut self, path: &[u8], mark: Mark) {
        let mut marks = self;
        for name in path.split(|&byte| byte == b'/') {
            marks = marks.inner.entry(name.to_vec()).or_default();
        }
        if marks.mark != Some(Mark::Kept) {
            marks.mark = Some(mark);
        }
    }

    /// Mark of a name in the directory.
    pub(crate) fn of(&self, name: &[u8]) -> Option<&Marks> {
        self.inner.get(name)
    }

    /// Mark of a path beneath the root: the outermost that is marked on the way, or the path itself.
    pub(crate) fn at(&self, path: &[u8]) -> Option<&Marks> {
        let mut marks = self;
        for name in path.split(|&byte| byte == b'/') {
            marks = marks.of(name)?;
            if marks.mark.is_some() {
                break;
            }
        }
        Some(marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_by_its_path() {
        let mut marks = Marks::default();
        marks.add(b"7/a/b", Mark::Kept);
        marks.add(b"7/a/b", Mark::Gone);
        marks.add(b"8", Mark::Gone);
        let mark = |text: &str| marks.at(text.as_bytes()).and_then(|marks| marks.mark);
        assert_eq!(["7", "7/a", "7/a/c", "70", "9"].map(mark), [None; 5]);
        assert_eq!(["7/a/b", "7/a/b/c", "8"].map(mark), [Some(Mark::Kept), Some(Mark::Kept), Some(Mark::Gone)]);
        let a = marks.at(b"7/a").unwrap();
        assert_eq!(a.of(b"b").unwrap().mark, Some(Mark::Kept));
        assert!(a.of(b"c").is_none());
    }
}

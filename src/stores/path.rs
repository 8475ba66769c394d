//! A path beneath a store's root as the file system knows it: bytes, because a name need not be text. Pure.

use std::fmt;

use crate::policy::StorePath;

/// The directory in a root that is retaind's own.
pub(super) const OWN: &str = ".retaind";

/// A path beneath a root: components of 1 to 255 bytes, none of them `.` or `..`, none with a NUL, the first none of
/// retaind's own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawPath(Vec<u8>);

impl RawPath {
    /// Takes a path as a walk told it; the error says in words what is wrong with any other.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.contains(&0) {
            return Err("the path has a NUL character");
        }
        for name in bytes.split(|&byte| byte == b'/') {
            match name {
                b"" => return Err("the path has an empty component"),
                b"." | b".." => return Err("the path has a \".\" or \"..\""),
                name if name.len() > 255 => return Err("a component is longer than 255 bytes"),
                _ => {}
            }
        }
        match is_own(bytes) {
            true => Err("the path is retaind's own"),
            false => Ok(Self(bytes.to_vec())),
        }
    }

    /// A path in retaind's own directory.
    pub(super) fn own(path: String) -> Self {
        debug_assert!(is_own(path.as_bytes()));
        Self(path.into_bytes())
    }

    /// The path, relative to the root, without a slash at either end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Path as a database could name it; none where it is no text.
    pub fn text(&self) -> Option<StorePath> {
        StorePath::parse(std::str::from_utf8(&self.0).ok()?).ok()
    }

    /// The directory's path (none for the root) and the last component.
    pub fn split(&self) -> (Option<&[u8]>, &[u8]) {
        split(&self.0)
    }
}

/// The directory's path (none for the root) and the last component.
pub(super) fn split(path: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (Some(&path[..slash]), &path[slash + 1..]),
        None => (None, path),
    }
}

/// True if a path begins with a name that is retaind's own, as [`StorePath`] has it.
pub(super) fn is_own(path: &[u8]) -> bool {
    path.starts_with(OWN.as_bytes())
}

/// Bytes that are no text are shown as `\u{fffd}`.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl From<StorePath> for RawPath {
    fn from(path: StorePath) -> Self {
        Self(String::from(path).into_bytes())
    }
}

impl From<&StorePath> for RawPath {
    fn from(path: &StorePath) -> Self {
        Self(path.as_str().as_bytes().to_vec())
    }
}

impl PartialEq<StorePath> for RawPath {
    fn eq(&self, path: &StorePath) -> bool {
        self.0 == path.as_str().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_no_raw_path_leads_outside_or_into_retaind() {
        for wrong in [&b""[..], b"/a", b"a/", b"a//b", b".", b"a/..", b"../a", b"a\0", b".retaind", b".retaind/trash"] {
            assert!(RawPath::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(RawPath::parse(&[b'x'; 256]).is_err());
        for right in [&b"a"[..], b"a/b\nc", b"\xff\xfe/x", b"a/.retaind", b".hidden"] {
            assert_eq!(RawPath::parse(right).unwrap().as_bytes(), right);
        }
    }

    #[test]
    fn only_text_is_a_path_of_a_database() {
        let path = StorePath::parse("a/b").unwrap();
        assert_eq!(RawPath::from(&path).text(), Some(path));
        assert_eq!(RawPath::parse(b"a/\xff").unwrap().text(), None);
        assert_eq!(RawPath::parse("a/\u{fffd}".as_bytes()).unwrap().text(), None);
    }
}

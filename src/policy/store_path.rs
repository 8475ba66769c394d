//! Paths beneath a store's root, as text. Pure.

use std::fmt;

/// Longest path that there can be: Linux takes none that is longer.
pub const LONGEST_BYTES: usize = 4096;

/// A path beneath a store's root: at most [`LONGEST_BYTES`], and one or more components, none of them empty, `.` or `..`, none with a NUL.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct StorePath(String);

impl StorePath {
    /// Parses a relative path; `.` and doubled slashes are dropped, as the file system would.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST_BYTES {
            return Err(format!("the path is longer than {LONGEST_BYTES} bytes"));
        }
        if text.contains('\0') {
            return Err("the path has a NUL character".to_owned());
        }
        if text.contains('\u{FFFD}') {
            // What a driver writes for bytes that are no UTF-8: many names would map to this one.
            return Err("the path has bytes that are no text".to_owned());
        }
        let mut components = Vec::new();
        for component in text.split('/') {
            match component {
                "" | "." => {}
                ".." => return Err("the path has a \"..\"".to_owned()),
                name if name.len() > 255 => {
                    return Err("a component is longer than 255 bytes".to_owned());
                }
                name => components.push(name),
            }
        }
        match components.first() {
            None => Err("the path names the store itself".to_owned()),
            Some(first) if first.starts_with(".retaind") => Err("the path is retaind's own".to_owned()),
            Some(_) => Ok(Self(components.join("/"))),
        }
    }

    /// The path, relative to the root, without a slash at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True if it lies in a directory, at whatever depth.
    pub fn is_beneath(&self, directory: &StorePath) -> bool {
        self.0.strip_prefix(&directory.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// The directories that it is in, beneath the root.
    pub fn ancestors(&self) -> impl Iterator<Item = StorePath> + '_ {
        self.0.match_indices('/').map(|(end, _)| StorePath(self.0[..end].to_owned()))
    }

    /// The directory's path (none for the root) and the last component.
    pub fn split(&self) -> (Option<&str>, &str) {
        match self.0.rsplit_once('/') {
            Some((parent, name)) => (Some(parent), name),
            None => (None, &self.0),
        }
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StorePath {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<StorePath> for String {
    fn from(path: StorePath) -> String {
        path.0
    }
}

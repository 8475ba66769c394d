//! Stores, and how a path in a database maps to a file beneath a store's root. Pure: nothing here touches a disk.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{AgeBy, Name, Reference, StorePath};

/// A file tree whose files are governed.
#[derive(Debug, Clone)]
pub struct Store {
    pub name: Name,
    /// Absolute, without `.` or `..`.
    pub root: PathBuf,
    /// Prefix that the database writes before the paths of this store.
    pub strip_prefix: Option<String>,
    /// Rows that name files of this store.
    pub references: Vec<Reference>,
    /// Time for which removed files can be put back; none: they are gone at once.
    pub trash: Option<Duration>,
    pub age_by: AgeBy,
}

/// Result of mapping a path that a database wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// NULL or empty: the row has no file.
    None,
    /// A file beneath the root.
    Inside(StorePath),
    /// Not in this store, or not a path that can be trusted; the text says why. Such a file is kept.
    Refused(String),
}

impl Store {
    /// Maps a path as the database wrote it.
    pub fn map(&self, written: Option<&str>) -> Mapped {
        let Some(written) = written.filter(|text| !text.is_empty()) else {
            return Mapped::None;
        };
        let relative = match self.relative(written) {
            Ok(relative) => relative,
            Err(why) => return Mapped::Refused(why),
        };
        match StorePath::parse(relative) {
            Ok(path) => Mapped::Inside(path),
            Err(why) => Mapped::Refused(why),
        }
    }

    fn relative<'a>(&self, written: &'a str) -> Result<&'a str, String> {
        if let Some(prefix) = &self.strip_prefix
            && let Some(rest) = after_prefix(written, prefix)
        {
            return Ok(rest);
        }
        if Path::new(written).is_absolute() {
            let root = self.root.to_str().unwrap_or_default();
            return after_prefix(written, root).ok_or_else(|| "the path is outside the store".to_owned());
        }
        match &self.strip_prefix {
            Some(prefix) => Err(format!("the path does not begin with strip_prefix {prefix:?}")),
            None if is_url(written) => Err("the path is a URL".to_owned()),
            None => Ok(written),
        }
    }

    /// The file that a reference names, however oddly it spells the path: `.`, `..` and doubled slashes are resolved by
    /// the text alone. For keeping files only; what is to be removed goes through [`Store::map`].
    pub fn map_reference(&self, written: &str) -> Option<StorePath> {
        let rest = self.strip_prefix.as_deref().and_then(|prefix| after_prefix(written, prefix));
        let inside = rest.and_then(|rest| StorePath::parse(resolved(rest)?.trim_start_matches('/')).ok());
        if inside.is_none() && is_url(written) {
            return None;
        }
        inside.or_else(|| match self.map(Some(&resolved(written)?)) {
            Mapped::Inside(path) => Some(path),
            Mapped::None | Mapped::Refused(_) => None,
        })
    }

    /// The path of [`Store::map_reference`] as text, borrowed where the spelling needs no more than its prefix
    /// stripped.
    pub fn reference_text<'a>(&self, written: &'a str) -> Option<Cow<'a, str>> {
        match self.relative(written) {
            Ok(relative) if is_plain(relative) => Some(Cow::Borrowed(relative)),
            _ => self.map_reference(written).map(|path| Cow::Owned(path.into())),
        }
    }

    /// Every usual way in which a database would write `path`, for looking it up in a reference column.
    pub fn spellings(&self, path: &StorePath) -> Vec<String> {
        let mut spellings = Vec::with_capacity(3);
        match &self.strip_prefix {
            Some(prefix) if prefix.ends_with('/') => spellings.push(format!("{prefix}{path}")),
            Some(prefix) => spellings.push(format!("{prefix}/{path}")),
            None => spellings.push(path.to_string()),
        }
        if let Some(root) = self.root.to_str() {
            let absolute = format!("{}/{path}", root.trim_end_matches('/'));
            if !spellings.contains(&absolute) {
                spellings.push(absolute);
            }
        }
        spellings
    }
}

/// True if a text begins as a URL does: `https://`.
fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_part)
    })
}

/// The path without `.`, `..` and empty components; none where it climbs out of where it begins.
fn resolved(path: &str) -> Option<String> {
    let mut components = Vec::new();
    for component in path.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                components.pop()?;
            }
            name => components.push(name),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    Some(format!("{root}{}", components.join("/")))
}

/// True if a relative path is spelled as a [`StorePath`] is: anything that is not said so at a glance may still be.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    for byte in path.bytes() {
        // The first byte of the character that stands for bytes that are no text, and of others.
        if (before == b'/' && matches!(byte, b'/' | b'.')) || matches!(byte, 0 | 0xEF) {
            return false;
        }
        before = byte;
    }
    before != b'/' && path.len() <= 255
}

/// The rest of `text` behind `prefix`, where the prefix ends at a component's end.
fn after_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(prefix)?;
    (prefix.ends_with('/') || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(strip_prefix: Option<&str>) -> Store {
        Store {
            name: Name::parse("thumbnails").unwrap(),
            root: PathBuf::from("/srv/nvr/data/thumbnails"),
            strip_prefix: strip_prefix.map(str::to_owned),
            references: Vec::new(),
            trash: None,
            age_by: AgeBy::default(),
        }
    }

    fn inside(path: &str) -> Mapped {
        Mapped::Inside(StorePath::parse(path).unwrap())
    }

    #[test]
    fn g4_a_path_maps_only_beneath_the_root() {
        let store = store(Some("data/thumbnails/"));
        assert_eq!(store.map(Some("data/thumbnails/a/b.jpg")), inside("a/b.jpg"));
        assert_eq!(store.map(Some("/srv/nvr/data/thumbnails/b.jpg")), inside("b.jpg"));
        assert_eq!(store.map(Some("data/thumbnails//./b.jpg")), inside("b.jpg"));
        assert_eq!(store.map(None), Mapped::None);
        assert_eq!(store.map(Some("")), Mapped::None);
        for refused in [
            "data/thumbnails/../../etc/passwd",
            "/srv/nvr/data/thumbnails/../x",
            "/srv/nvr/data/thumbnails2/x",
            "/etc/passwd",
            "data/thumbnails/",
            "data/thumbnails2/x",
            "x.jpg",
            "data/thumbnails/a\0b",
            "data/thumbnails/.retaind/trash/x",
            "/",
            "..",
        ] {
            assert!(matches!(store.map(Some(refused)), Mapped::Refused(_)), "{refused}");
        }
    }

    #[test]
    fn a_prefix_without_slash_ends_at_a_component() {
        let store = store(Some("data/thumbnails"));
        assert_eq!(store.map(Some("data/thumbnails/b.jpg")), inside("b.jpg"));
        assert!(matches!(store.map(Some("data/thumbnails2/b.jpg")), Mapped::Refused(_)));
    }

    #[test]
    fn g3_a_reference_counts_however_oddly_it_is_spelled() {
        let store = store(Some("data/thumbnails/"));
        let path = StorePath::parse("a/b.jpg").unwrap();
        for odd in [
            "data/thumbnails/a//b.jpg",
            "data/./thumbnails/a/b.jpg",
            "data/thumbnails/x/../a/b.jpg",
            "./data/thumbnails/a/b.jpg",
            "/srv/nvr/data/thumbnails/./a/b.jpg",
            "/srv/nvr/../nvr/data/thumbnails/a/b.jpg/",
        ] {
            assert_eq!(store.map_reference(odd), Some(path.clone()), "{odd}");
        }
        assert_eq!(store.map_reference("data/thumbnails/../../x"), None);
        let store = self::store(None);
        assert_eq!(store.map_reference("https://host/a/b.jpg"), None);
        assert_eq!(store.map_reference("a://b.jpg/../c"), None);
        assert_eq!(store.map_reference("a b://c"), Some(StorePath::parse("a b:/c").unwrap()));
    }

    #[test]
    fn g3_a_reference_is_the_same_however_read() {
        for prefix in [None, Some("data/thumbnails/"), Some("data/thumbnails"), Some("/srv/")] {
            let store = store(prefix);
            for written in [
                "a",
                "a/b.jpg",
                "data/thumbnails/a/b.jpg",
                "data/thumbnails/a//b.jpg",
                "data/thumbnails/./b.jpg",
                "data/thumbnails/.b.jpg",
                "data/thumbnails/b/../c",
                "data/thumbnails/b/",
                "data/thumbnails/",
                "data/thumbnails",
                "data/thumbnails/.retaind/x",
                "/srv/nvr/data/thumbnails/b.jpg",
                "/srv/b.jpg",
                "/srv/",
                "a\0b",
                "\u{FFFD}",
                "\u{EC00}",
                "",
                "/",
                "../x",
            ] {
                let text = store.reference_text(written).map(Cow::into_owned);
                assert_eq!(text, store.map_reference(written).map(String::from), "{prefix:?} {written:?}");
            }
        }
    }

    #[test]
    fn every_spelling_maps_back_to_its_path() {
        for prefix in [None, Some("data/thumbnails/"), Some("data/thumbnails"), Some("file:///x/")] {
            let store = store(prefix);
            let path = StorePath::parse("a/b.jpg").unwrap();
            for spelling in store.spellings(&path) {
                assert_eq!(store.map(Some(&spelling)), Mapped::Inside(path.clone()), "{spelling}");
            }
        }
    }
}

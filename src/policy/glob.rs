//! Files of a store that a policy is about, by patterns over paths beneath the root. Pure: touches no disk.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Files by their paths: those that one pattern of `include` matches, and none of `exclude`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMatch {
    /// None: every file.
    include: Option<Globs>,
    exclude: Option<Globs>,
}

/// Patterns, of which any one may match; never empty.
#[derive(Clone)]
pub struct Globs {
    /// As they were written.
    patterns: Vec<String>,
    set: GlobSet,
}

impl FileMatch {
    /// Every file.
    pub fn everything() -> Self {
        Self { include: None, exclude: None }
    }

    /// The files that `include` matches and `exclude` does not; without `include`, all others.
    pub fn new(include: Option<Globs>, exclude: Option<Globs>) -> Self {
        Self { include, exclude }
    }

    /// True if it is about the file of that path beneath the root, whatever bytes the path has.
    pub fn matches(&self, path: &[u8]) -> bool {
        self.include.as_ref().is_none_or(|globs| globs.matches(path))
            && !self.exclude.as_ref().is_some_and(|globs| globs.matches(path))
    }

    /// True if it is about every file: then no path need be looked at.
    pub fn matches_all(&self) -> bool {
        let every = |globs: &Globs| globs.patterns.iter().any(|pattern| pattern == "**" || pattern == "**/*");
        self.exclude.is_none() && self.include.as_ref().is_none_or(every)
    }

    /// The patterns of `match` alone: they tell which of the two keeps a file away.
    pub fn without_exclude(&self) -> Self {
        Self { include: self.include.clone(), exclude: None }
    }

    /// The patterns of `match`, as they were written; none: every file.
    pub fn include(&self) -> &[String] {
        self.include.as_ref().map(|globs| globs.patterns.as_slice()).unwrap_or_default()
    }

    /// The patterns of `exclude`.
    pub fn exclude(&self) -> &[String] {
        self.exclude.as_ref().map(|globs| globs.patterns.as_slice()).unwrap_or_default()
    }
}

impl Globs {
    /// Compiles patterns. `**` crosses directories, `*` and `?` do not. On failure: the position of the pattern at fault
    /// (of the last one where only all together are), and what is wrong with it.
    pub fn parse(patterns: &[String]) -> Result<Self, (usize, String)> {
        let mut builder = GlobSetBuilder::new();
        for (position, pattern) in patterns.iter().enumerate() {
            check_pattern(pattern).map_err(|message| (position, message))?;
            let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
            builder.add(glob.map_err(|error| (position, error.kind().to_string()))?);
        }
        let last = patterns.len().checked_sub(1).ok_or_else(|| (0, "there is no pattern".to_owned()))?;
        let set = builder.build().map_err(|error| (last, error.kind().to_string()))?;
        Ok(Self { patterns: patterns.to_vec(), set })
    }

    fn matches(&self, path: &[u8]) -> bool {
        self.set.is_match(OsStr::from_bytes(path))
    }
}

/// Refuses what can match no file beneath a root, or looks as if it meant something else.
fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.trim().is_empty() {
        return Err("an empty pattern matches no file".to_owned());
    }
    if pattern.contains('\0') {
        return Err("the pattern has a NUL character".to_owned());
    }
    if pattern.starts_with('/') {
        return Err("the pattern begins with '/', and paths begin beneath the store's root".to_owned());
    }
    if pattern.ends_with('/') {
        return Err("the pattern ends with '/', and no path of a file does".to_owned());
    }
    if pattern.split('/').any(|component| matches!(component, "" | "." | "..")) {
        return Err(
            "the pattern has an empty component, a \".\" or a \"..\", which no path beneath a root has".to_owned()
        );
    }
    Ok(())
}

impl PartialEq for Globs {
    fn eq(&self, other: &Self) -> bool {
        self.patterns == other.patterns
    }
}

impl Eq for Globs {}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.patterns).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(patterns: &[&str]) -> Option<Globs> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        (!patterns.is_empty()).then(|| Globs::parse(&patterns).unwrap())
    }

    fn matching(include: &[&str], exclude: &[&str]) -> FileMatch {
        FileMatch::new(globs(include), globs(exclude))
    }

    #[test]
    fn only_two_stars_cross_directories() {
        for (pattern, yes, no) in [
            ("*.log", &["a.log", ".log"][..], &["a/b.log", "a.log.1"][..]),
            ("**/*.log", &["a.log", "a/b.log", "a/.b/c.log"], &["a.logs"]),
            ("logs/**", &["logs/a", "logs/a/b"], &["log/a", "x/logs/a", "logs"]),
            ("a?c", &["abc"], &["a/c", "ac", "abbc"]),
            ("[0-9]*.{jpg,png}", &["1.jpg", "23.png"], &["a.jpg", "1.gif", "1/2.jpg"]),
            ("a\\*", &["a*"], &["ab"]),
        ] {
            let matching = matching(&[pattern], &[]);
            yes.iter().for_each(|path| assert!(matching.matches(path.as_bytes()), "{pattern} {path}"));
            no.iter().for_each(|path| assert!(!matching.matches(path.as_bytes()), "{pattern} {path}"));
        }
    }

    #[test]
    fn a_name_is_bytes_and_may_have_any() {
        let matching = matching(&["**/*.jpg"], &["**/keep-*"]);
        assert!(matching.matches(b"a/\xff\xfe.jpg"));
        assert!(matching.matches(b"a\nb.jpg"));
        assert!(!matching.matches(b"a/keep-\xff.jpg"));
        assert!(!matching.matches(b"a/\xff.png"));
    }

    #[test]
    fn everything_is_told_apart_from_much() {
        assert!(FileMatch::everything().matches_all() && FileMatch::everything().matches(b".hidden/x"));
        assert!(matching(&["*.a", "**"], &[]).matches_all());
        assert!(matching(&["**/*"], &[]).matches_all() && matching(&["**/*"], &[]).matches(b".a/.b"));
        assert!(!matching(&["**"], &["x"]).matches_all());
        assert!(!matching(&["*"], &[]).matches_all());
        assert!(!matching(&[], &["x"]).matches_all());
    }

    #[test]
    fn g10_refuses_patterns_that_can_match_nothing() {
        for pattern in ["", " ", "/a", "a/", "../a", "a/../b", "./a", "a//b", "a\0", "[a", "{a,b"] {
            assert_eq!(Globs::parse(&["ok".to_owned(), pattern.to_owned()]).unwrap_err().0, 1, "{pattern}");
        }
        assert!(Globs::parse(&[]).is_err());
    }
}

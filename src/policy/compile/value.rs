//! Absolute paths. Pure; says what is wrong and what to write instead.

use std::path::{Component, Path, PathBuf};

use crate::config::Fault;

/// Parses an absolute path without `.` and `..`; a slash at its end is dropped.
pub(super) fn parse_absolute(text: &str) -> Result<PathBuf, Fault> {
    let path = Path::new(text);
    if !path.is_absolute() {
        return Err(Fault::new("the path is not absolute").hint("begin it with '/'"));
    }
    if text.contains(char::is_control) {
        return Err(Fault::new("the path has a control character, such as a line break")
            .hint("give the directory another name"));
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err(Fault::new("the path has a \".\" or \"..\"").hint("write it as it really is"));
    }
    // Collecting drops doubled slashes and the one at the end.
    Ok(path.components().filter(|part| !matches!(part, Component::CurDir)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_plain() {
        assert_eq!(parse_absolute("/srv//a/").unwrap(), PathBuf::from("/srv/a"));
        for text in ["", "srv", "./a", "/srv/../etc", "/srv/./a", "/a\0b", "/a\nb", "/a\x1b[1mb", "~/a"] {
            assert!(parse_absolute(text).is_err(), "{text}");
        }
    }
}

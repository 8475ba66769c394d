//! Values that are no text although their column says so: marked where they are read, so that one of them is the problem of
//! its row and of nothing else.

/// Beginning of a value that was marked: no text of a database begins with it.
const MARK: &str = "\0\u{fffd}";

/// Reads bytes as text; what is none is marked, and shows where its bytes are wrong.
pub(super) fn read(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| format!("{MARK}{}", String::from_utf8_lossy(error.as_bytes())))
}

/// True if a value that was read is no text.
pub(in crate::sources) fn is(value: &str) -> bool {
    value.starts_with(MARK)
}

/// A value as a person may see it.
pub(in crate::sources) fn shown(value: String) -> String {
    value.strip_prefix(MARK).map(str::to_owned).unwrap_or(value)
}

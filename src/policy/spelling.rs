//! Spellings of one path: what two texts have in common when they may mean the same file. Pure.
//!
//! A form is a text under which a written path and the path of a file are looked up. They share one where they are equal
//! after Unicode normalization, case folding, percent-decoding, with `\\` for `/`, without blanks at the ends of components,
//! and without doubled slashes. A query string or a fragment may be left out of one of the two, not of both.

use unicode_normalization::UnicodeNormalization;

use super::ReferenceMatch;

/// Longer texts name no file (PATH_MAX), and are not taken apart.
const LONGEST: usize = 4096;
/// Characters that separate several names in one text.
const SEPARATORS: [char; 9] = [',', ';', '|', '\n', '\r', '\t', '"', '\'', '\0'];
/// Characters around a list.
const BRACKETS: [char; 7] = ['[', ']', '{', '}', '(', ')', ' '];
/// Most parts of a text that are looked at.
const PARTS_AT_MOST: usize = 1000;

/// Forms of a path that a row has written.
pub fn written_forms(written: &str) -> Vec<String> {
    let mut forms = Vec::with_capacity(2);
    push_written(&mut forms, &normal(written), without_query(written).map(normal).as_deref());
    forms
}

/// Forms of the last segment of a path that a row has written, and of each name in a text that lists several.
pub fn written_name_forms(written: &str) -> Vec<String> {
    let mut forms = Vec::new();
    push_written_name(&mut forms, written);
    if written.contains(SEPARATORS) {
        for part in written.split(SEPARATORS).filter(|part| !part.trim().is_empty()).take(PARTS_AT_MOST) {
            push_written_name(&mut forms, part.trim_matches(BRACKETS));
        }
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn push_written_name(forms: &mut Vec<String>, written: &str) {
    let whole = normal(written);
    let cut = without_query(written).map(normal);
    push_written(forms, last(&whole), cut.as_deref().map(last));
    // In what is no query string, but a name with a question mark, a slash may follow it.
    if let Some(name) = ReferenceMatch::last_segment(written) {
        push_written(forms, last(&normal(name)), None);
    }
}

/// Forms of the path of a file.
pub fn file_forms(path: &str) -> Vec<String> {
    let mut forms = Vec::with_capacity(3);
    push_file(&mut forms, &normal(path), without_query(path).map(normal).as_deref());
    forms
}

/// Forms of the last component of the path of a file.
pub fn name_forms(path: &str) -> Vec<String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut forms = Vec::with_capacity(3);
    push_file(&mut forms, last(&normal(name)), without_query(name).map(normal).as_deref().map(last));
    forms
}

fn push_written(forms: &mut Vec<String>, whole: &str, cut: Option<&str>) {
    let cut = cut.filter(|cut| *cut != whole);
    for (tag, form) in [("=", Some(whole)), ("?", cut)] {
        let Some(form) = form.filter(|form| !form.is_empty()) else { continue };
        forms.push(format!("{tag}{form}"));
        // Bytes that are no text may be any characters of another encoding.
        if form.contains(char::REPLACEMENT_CHARACTER) {
            forms.push(format!("~{}", skeleton(form)));
        }
    }
}

fn push_file(forms: &mut Vec<String>, whole: &str, cut: Option<&str>) {
    for (tag, form) in [("=", Some(whole)), ("?", Some(whole)), ("=", cut)] {
        forms.extend(form.filter(|form| !form.is_empty()).map(|form| format!("{tag}{form}")));
    }
    if !whole.is_ascii() {
        forms.push(format!("~{}", skeleton(whole)));
    }
}

/// The path in the one spelling of all that may mean the same.
fn normal(text: &str) -> String {
    if text.len() > LONGEST {
        return String::new();
    }
    if is_simple(text) {
        return text.to_ascii_lowercase();
    }
    let decoded = decoded(text);
    let upper = decoded.nfd().flat_map(char::to_uppercase);
    let folded: String = upper.flat_map(char::to_lowercase).nfc().collect();
    let mut components: Vec<&str> = Vec::new();
    for component in folded.split(['/', '\\']) {
        match component.trim_matches(is_blank) {
            "" | "." => {}
            ".." => drop(components.pop()),
            component => components.push(component),
        }
    }
    components.join("/")
}

/// True if nothing but the case of letters may be spelled otherwise: most paths, told at a glance.
fn is_simple(text: &str) -> bool {
    let mut before = b'/';
    for byte in text.bytes() {
        let begins_oddly = before == b'/' && matches!(byte, b'/' | b'.');
        if begins_oddly || !byte.is_ascii_graphic() || matches!(byte, b'%' | b'+' | b'\\') {
            return false;
        }
        before = byte;
    }
    before != b'/'
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}' | '\u{feff}')
}

/// Without the escapes of URLs, twice escaped ones included; a `+` may stand for a blank.
fn decoded(text: &str) -> String {
    let mut decoded = text.replace('+', " ");
    for _ in 0..2 {
        if !decoded.contains('%') {
            break;
        }
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(&decoded).collect();
        // What is not UTF-8 is of an older page, in Latin-1.
        decoded =
            String::from_utf8(bytes).unwrap_or_else(|bytes| bytes.as_bytes().iter().map(|b| char::from(*b)).collect());
    }
    decoded
}

fn without_query(text: &str) -> Option<&str> {
    text.find(['?', '#']).map(|end| &text[..end])
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The text with one sign for each run of characters that are not ASCII.
fn skeleton(text: &str) -> String {
    let mut skeleton = String::new();
    for c in text.chars() {
        match c.is_ascii() {
            true => skeleton.push(c),
            false if skeleton.ends_with(char::REPLACEMENT_CHARACTER) => {}
            false => skeleton.push(char::REPLACEMENT_CHARACTER),
        }
    }
    skeleton
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(written: &str, path: &str) -> bool {
        let file = file_forms(path);
        written_forms(written).iter().any(|form| file.contains(form))
    }

    fn share_name(written: &str, path: &str) -> bool {
        let file = name_forms(path);
        written_name_forms(written).iter().any(|form| file.contains(form))
    }

    #[test]
    fn f5_spellings_of_one_path_share_a_form() {
        for (written, path) in [
            ("a/b.jpg", "a/b.jpg"),
            ("caf\u{e9}.jpg", "cafe\u{301}.jpg"),
            ("a/IMG%20\u{c9}.JPG?v=3", "a/img e\u{301}.jpg"),
            ("a%2Fb%2520c.jpg", "a/b c.jpg"),
            ("a\\b.jpg", "a/b.jpg"),
            (" a/b.jpg ", "a/b.jpg"),
            ("a//./b.jpg\n", "a/b.jpg"),
            ("b.jpg#top", "b.jpg"),
            ("b.jpg", "b.jpg?v=3"),
            ("caf%E9.jpg", "caf\u{e9}.jpg"),
            ("STRASSE.jpg", "stra\u{df}e.jpg"),
            ("caf\u{fffd}.jpg", "caf\u{e9}.jpg"),
        ] {
            assert!(share(written, path), "{written} {path}");
        }
    }

    #[test]
    fn f5_other_paths_share_none() {
        for (written, path) in
            [("a/b.jpg", "b.jpg"), ("a#1.jpg", "a#2.jpg"), ("a?1", "a?2"), ("a.jpg", "b.jpg"), ("", "a"), ("?x", "#y")]
        {
            assert!(!share(written, path), "{written} {path}");
        }
    }

    #[test]
    fn f4_every_path_has_the_name_of_its_file() {
        for written in [
            "7.jpg",
            "/old/mount/uploads/7.jpg",
            "https://host/x/7.jpg?next=/a/b#c",
            "C:\\x\\7.JPG",
            "file:///x/7.jpg/",
            "6.jpg,7.jpg",
            "[\"6.jpg\", \"x/7.jpg\"]",
            "{6.jpg,x/7.jpg}",
        ] {
            assert!(share_name(written, "a/7.jpg"), "{written}");
            assert!(!share_name(written, "a/8.jpg"), "{written}");
        }
    }
}

//! Fits the merged tree to its shape: what does not fit is reported and cut out, until the rest fits.

use serde_path_to_error::Segment as SerdeSegment;
use toml::{Table, Value};

use super::diagnostic::SHOWN_AT_MOST;
use super::hint::{did_you_mean, unit_hint, zero_hint};
use super::path::{KeyPath, KeySegment};
use super::raw::{DURATION, NAMES, Raw, SIZE, TEXTS};

/// Sections whose entries are tables by name.
const NAMED: [&str; 4] = ["sources", "stores", "tasks", "policies"];

/// Something that does not fit.
pub(super) struct Misfit {
    pub path: KeyPath,
    /// The key itself is wrong, not its value.
    pub key_is_wrong: bool,
    pub message: String,
    pub hint: Option<String>,
}

/// A tree that was made to fit.
pub(super) struct Fitted {
    pub raw: Raw,
    pub misfits: Vec<Misfit>,
    /// There is so much that does not fit that the rest was not looked at, and `raw` is empty.
    pub is_hopeless: bool,
}

/// Deserializes the tree. Never fails: in the worst case everything is cut out. The entries of each section are made to
/// fit one by one, because finding what does not fit costs as much as the tree is large.
pub(super) fn fit(mut tree: Value) -> Fitted {
    let mut misfits = Vec::new();
    let sections = tree.as_table_mut().into_iter().flat_map(|tree| tree.iter_mut());
    let mut is_hopeless = false;
    for (section, entries) in sections.filter(|(section, _)| NAMED.contains(&section.as_str())) {
        let Some(entries) = entries.as_table_mut() else { continue };
        let mut kept = Table::new();
        for (name, entry) in std::mem::take(entries) {
            let alone = Table::from_iter([(name, entry)]);
            let mut alone = Value::Table(Table::from_iter([(section.clone(), Value::Table(alone))]));
            is_hopeless |= fit_part(&mut alone, &mut misfits).is_none();
            if is_hopeless {
                break;
            }
            if let Some(Value::Table(left)) = alone.get_mut(section.as_str()) {
                kept.extend(std::mem::take(left));
            }
        }
        *entries = kept;
    }
    match fit_part(&mut tree, &mut misfits) {
        Some(raw) if !is_hopeless => Fitted { raw, misfits, is_hopeless: false },
        Some(_) | None => Fitted { raw: Raw::default(), misfits, is_hopeless: true },
    }
}

/// Cuts out of a tree what does not fit; none where that is more than anybody reads.
fn fit_part(tree: &mut Value, misfits: &mut Vec<Misfit>) -> Option<Raw> {
    loop {
        if misfits.len() > SHOWN_AT_MOST {
            return None;
        }
        let error = match serde_path_to_error::deserialize::<_, Raw>(tree.clone()) {
            Ok(raw) => return Some(raw),
            Err(error) => error,
        };
        let path = key_path(error.path());
        let misfit = describe(&path, error.inner().message(), lookup(tree, &path));
        // What was cut out once and fails again (an entry of a list, which leaves a hole) goes with its list.
        let mut cut = path.clone();
        while misfits.iter().any(|misfit| misfit.path == cut) || !cut_out(tree, &cut) {
            match cut.split_last() {
                Some((above, _)) => cut = above,
                None => {
                    *tree = Value::Table(Table::new());
                    break;
                }
            }
        }
        if !misfits.iter().any(|misfit| misfit.path == path) {
            misfits.push(misfit);
        }
    }
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    let mut keys = KeyPath::default();
    for segment in path {
        match segment {
            SerdeSegment::Map { key } => keys.push(KeySegment::Key(key.clone())),
            SerdeSegment::Seq { index } => keys.push(KeySegment::Index(*index)),
            SerdeSegment::Enum { .. } | SerdeSegment::Unknown => {}
        }
    }
    keys
}

fn lookup<'a>(tree: &'a Value, path: &KeyPath) -> Option<&'a Value> {
    path.segments().iter().try_fold(tree, |value, segment| match segment {
        KeySegment::Key(key) => value.get(key.as_str()),
        KeySegment::Index(index) => value.get(*index),
    })
}

/// Takes the value at a path away; an entry of a list leaves an empty table, so that the others keep their places.
fn cut_out(tree: &mut Value, path: &KeyPath) -> bool {
    let Some((above, last)) = path.split_last() else { return false };
    let parent = above.segments().iter().try_fold(tree, |value, segment| match segment {
        KeySegment::Key(key) => value.get_mut(key.as_str()),
        KeySegment::Index(index) => value.get_mut(*index),
    });
    match (parent, last) {
        (Some(Value::Table(table)), KeySegment::Key(key)) => table.remove(key.as_str()).is_some(),
        (Some(Value::Array(items)), KeySegment::Index(index)) => match items.get_mut(*index) {
            Some(item) => {
                *item = Value::Table(Table::new());
                true
            }
            None => false,
        },
        _ => false,
    }
}

fn describe(path: &KeyPath, message: &str, value: Option<&Value>) -> Misfit {
    let expected = message.rfind("expected ").map_or("", |at| &message[at + "expected ".len()..]);
    if message.starts_with("unknown field") {
        return unknown_key(path, expected);
    }
    let hint = hint_for(path, expected, value);
    let message = format!("expected {}, found {}", phrase(expected), value.map_or("nothing", found));
    Misfit { path: path.clone(), key_is_wrong: false, message, hint }
}

/// What is expected, in the words of the file instead of Rust's.
fn phrase(expected: &str) -> &str {
    match expected {
        "a string" => "a text in quotes",
        "a boolean" => "true or false",
        "i64" => "a whole number",
        "f64" => "a number",
        "a sequence" => "a list in [ ]",
        other => other,
    }
}

/// What was found, without its value: that may be a password in the wrong place.
fn found(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a bare number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

fn hint_for(path: &KeyPath, expected: &str, value: Option<&Value>) -> Option<String> {
    let key = duration_key(path);
    match (expected, value?) {
        (DURATION, Value::Integer(0)) => Some(zero_hint(key)),
        (DURATION, Value::Integer(number)) => Some(unit_hint(key, number.unsigned_abs())),
        (DURATION, _) => Some("write \"30d\": a number and one of s, m, h, d, w".to_owned()),
        (SIZE, Value::Integer(number)) => Some(format!("give it a unit: \"{number}GiB\" or \"{number}MB\"")),
        (SIZE, _) => Some("write \"10GiB\": a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB".to_owned()),
        ("a string" | TEXTS | NAMES, Value::Integer(_) | Value::Float(_) | Value::Boolean(_)) => {
            Some("put it in quotes".to_owned())
        }
        ("a boolean" | "i64" | "f64", Value::String(_)) => Some("write it without quotes".to_owned()),
        ("a sequence", Value::Table(_)) => Some("put the table in [ ]".to_owned()),
        ("a sequence", Value::String(_)) => Some("put it in [ ]".to_owned()),
        _ => None,
    }
}

/// By which key the hints about a duration go: the times in a table of `keep` have names of the operator's.
fn duration_key(path: &KeyPath) -> &str {
    match path.segments() {
        [_, _, KeySegment::Key(keep), _, ..] if keep == "keep" => "keep.values",
        _ => path.last_key(),
    }
}

fn unknown_key(path: &KeyPath, expected: &str) -> Misfit {
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let hint = match (path.last_key(), path.segments()) {
        ("password", [KeySegment::Key(section), ..]) if section == "sources" => {
            Some("use password_credential, password_file or the url".to_owned())
        }
        (key, _) => {
            did_you_mean(key, known.iter().copied()).or_else(|| Some(format!("known are {}", known.join(", "))))
        }
    };
    Misfit { path: path.clone(), key_is_wrong: true, message: "unknown key".to_owned(), hint }
}

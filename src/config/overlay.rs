//! Overrides from outside the files: environment variables and `--set`, each for one key.

use std::ffi::OsStr;

use config::{Map, Value, ValueKind};

use super::diagnostic::{Diagnostic, Origin};
use super::document::{Document, Form, Place, Placed, parse_value};
use super::keys::{self, KeyKind, SHIPPED_TASKS};
use super::mask::mask_message;
use super::path::{KeyPath, KeySegment, is_bare};

/// `RETAIND__POLICIES__DETECTIONS__KEEP`, and `RETAIND_POLICIES__…` for those who miss an underscore:
/// ignoring that one would be worse. Variables without a double underscore override nothing: `environment` knows them.
pub(super) fn steps_of_variable(name: &str) -> Option<Vec<&str>> {
    let rest = match name.strip_prefix("RETAIND__") {
        Some(rest) => rest,
        None => name.strip_prefix("RETAIND_").filter(|rest| rest.contains("__"))?,
    };
    Some(rest.split("__").collect())
}

/// Reads one environment variable against the tree so far; `None` where it is not configuration, or is wrong.
pub(super) fn read_variable(
    name: &OsStr,
    value: &OsStr,
    tree: &toml::Value,
    found: &mut Vec<Diagnostic>,
) -> Option<Document> {
    let name = name.to_str()?;
    let steps = steps_of_variable(name)?;
    let path = match resolve(&steps, tree) {
        Ok(path) => path,
        Err(message) => {
            found.push(Diagnostic::new(Origin::Env(name.to_owned()), "", message));
            return None;
        }
    };
    match value.to_str() {
        Some(value) => Some(document(path, value, Place::Env(name.to_owned()), found)),
        None => {
            found.push(Diagnostic::new(Origin::Env(name.to_owned()), path, "the value is not UTF-8 text"));
            None
        }
    }
}

/// Reads one `--set` against the tree so far.
pub(super) fn read_set(key: &str, value: &str, tree: &toml::Value, found: &mut Vec<Diagnostic>) -> Option<Document> {
    let path = match parse_key(key, tree) {
        Ok(path) => path,
        Err(message) => {
            let hint = "write it as in the file: policies.detections.keep=60d";
            // What is no key may be anything, a url among it.
            found.push(Diagnostic::new(Origin::Set(mask_message(key)), "", message).hint(hint));
            return None;
        }
    };
    Some(document(path, value, Place::Set(key.to_owned()), found))
}

/// Finds the names that the steps of a variable stand for: there, `-` is written `_` and everything is upper case.
fn resolve(steps: &[&str], tree: &toml::Value) -> Result<KeyPath, String> {
    let mut path = KeyPath::default();
    for step in steps {
        if step.is_empty() {
            return Err("a name between two double underscores is missing".to_owned());
        }
        let known: Vec<&str> = match path.lookup(tree) {
            Some(toml::Value::Array(items)) => {
                path.push(KeySegment::Index(parse_index(step, items.len())?));
                continue;
            }
            Some(toml::Value::Table(table)) => table.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        let plain = step.to_ascii_lowercase();
        if !is_bare(&plain) {
            return Err(format!("{plain:?} is no name"));
        }
        let shipped = SHIPPED_TASKS.iter().map(|(name, _)| *name).filter(|_| path == KeyPath::of(&["tasks"]));
        let mut matching: Vec<&str> =
            known.into_iter().chain(shipped).filter(|name| normal(name) == normal(&plain)).collect();
        matching.sort_unstable();
        matching.dedup();
        let name = match matching.as_slice() {
            [] => plain.as_str(),
            [name] => name,
            [one, other, ..] => return Err(format!("this may mean {one} or {other}; use --set or a file")),
        };
        path.push(KeySegment::Key(name.to_owned()));
    }
    Ok(path)
}

/// A name as variables write it, but in lower case.
pub(super) fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn parse_index(text: &str, length: usize) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(index) if index < length => Ok(index),
        Ok(_) => Err(format!("the list has {length} entries, counted from 0")),
        Err(_) => Err("an entry of a list is meant by its number, from 0".to_owned()),
    }
}

/// Parses `policies.detections.files[1].enabled`.
fn parse_key(key: &str, tree: &toml::Value) -> Result<KeyPath, String> {
    let mut path = KeyPath::default();
    for step in key.split('.') {
        let mut parts = step.split('[');
        let name = parts.next().unwrap_or_default().trim();
        if !is_bare(name) {
            return Err("this is not a key".to_owned());
        }
        path.push(KeySegment::Key(name.to_owned()));
        for part in parts {
            let index = part.trim_end().strip_suffix(']').ok_or("a '[' is not closed")?;
            let length = match path.lookup(tree) {
                Some(toml::Value::Array(items)) => items.len(),
                _ => return Err(format!("{path} is not a list")),
            };
            path.push(KeySegment::Index(parse_index(index.trim(), length)?));
        }
    }
    Ok(path)
}

/// A value as TOML where it is TOML and the key does not take text anyway; else as text.
/// So `007` and `30` stay what was typed where a text is wanted.
fn document(path: KeyPath, text: &str, place: Place, found: &mut Vec<Diagnostic>) -> Document {
    let takes_text = keys::find(&path).is_some_and(|kind| match kind.plain() {
        KeyKind::Text | KeyKind::Word(_) | KeyKind::Duration | KeyKind::ShortDuration | KeyKind::Size => true,
        // A pattern or name may begin with a bracket as well: then it wants quotes.
        KeyKind::Patterns | KeyKind::Names => !text.trim_start().starts_with('['),
        _ => false,
    });
    let quoted = text.trim_start().starts_with(['"', '\'']);
    let table = text.trim_start().starts_with('{');
    let parsed = if takes_text && !quoted && !table { None } else { parse_value(text, &path, &place, found) };
    let (value, places) = parsed.unwrap_or_else(|| {
        let value = Value::new(None, ValueKind::String(text.to_owned()));
        (value, vec![Placed { path: path.clone(), place, form: Form::Single }])
    });
    // All names are bare, so that this is a path expression as the `config` crate reads it.
    let values: Map<String, Value> = [(path.to_string(), value)].into_iter().collect();
    Document { values, places }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> toml::Value {
        let names = ["gpu-stats", "a_b", "a-b"].map(|name| format!("[policies.{name}]\nfiles = [{{ store = 's' }}]\n"));
        toml::Value::Table(names.concat().parse().unwrap())
    }

    fn resolved(name: &str) -> Result<String, String> {
        resolve(&steps_of_variable(name).ok_or("not ours")?, &tree()).map(|path| path.to_string())
    }

    #[test]
    fn variables_find_the_names_that_exist() {
        assert_eq!(resolved("RETAIND__POLICIES__GPU_STATS__KEEP").unwrap(), "policies.gpu-stats.keep");
        assert_eq!(resolved("RETAIND_POLICIES__GPU_STATS__KEEP").unwrap(), "policies.gpu-stats.keep");
        assert_eq!(resolved("RETAIND__TASKS__LOG_PURGE__ENABLED").unwrap(), "tasks.log-purge.enabled");
        assert_eq!(resolved("RETAIND__POLICIES__NEW_ONE__KEEP").unwrap(), "policies.new_one.keep");
        assert_eq!(
            resolved("RETAIND__POLICIES__GPU_STATS__FILES__0__ENABLED").unwrap(),
            "policies.gpu-stats.files[0].enabled"
        );
        assert_eq!(resolved("RETAIND_CONFIG").unwrap_err(), "not ours");
        assert!(resolved("RETAIND__POLICIES__A_B__KEEP").unwrap_err().contains("a-b or a_b"));
        assert!(resolved("RETAIND__POLICIES__GPU_STATS__FILES__1__ENABLED").is_err());
        assert!(resolved("RETAIND__POLICIES____KEEP").is_err());
        assert!(resolved("RETAIND__").is_err());
    }

    #[test]
    fn set_takes_keys_as_the_file_writes_them() {
        let key = |text: &str| parse_key(text, &tree()).map(|path| path.to_string());
        assert_eq!(key("policies.gpu-stats.files[0].enabled").unwrap(), "policies.gpu-stats.files[0].enabled");
        for wrong in ["", "a..b", "policies.gpu-stats.files[1].x", "policies.gpu-stats[0]", "a b", "policies.x[", "a[0"]
        {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_toml_unless_the_key_takes_text() {
        let kind = |key: &str, text: &str| {
            let mut found = Vec::new();
            let document = document(parse_key(key, &tree()).unwrap(), text, Place::Set(key.to_owned()), &mut found);
            document.values.into_iter().next().unwrap().1.kind
        };
        assert_eq!(kind("policies.x.table", "007"), ValueKind::String("007".to_owned()));
        assert_eq!(kind("policies.x.table", "true"), ValueKind::String("true".to_owned()));
        assert_eq!(kind("policies.x.table", "\"a b\""), ValueKind::String("a b".to_owned()));
        assert_eq!(kind("policies.x.keep", "30"), ValueKind::String("30".to_owned()));
        assert_eq!(kind("policies.x.match", "**/*.log"), ValueKind::String("**/*.log".to_owned()));
        assert!(matches!(kind("policies.x.match", "[\"a\", \"b\"]"), ValueKind::Array(items) if items.len() == 2));
        assert_eq!(kind("policies.x.max_total", "30"), ValueKind::String("30".to_owned()));
        assert_eq!(kind("policies.x.batch", "30"), ValueKind::I64(30));
        assert_eq!(kind("policies.x.batch", "007"), ValueKind::String("007".to_owned()));
        assert_eq!(kind("policies.x.files", "[]"), ValueKind::Array(vec![]));
        assert_eq!(kind("policies.x.enabled", "false"), ValueKind::Boolean(false));
    }
}

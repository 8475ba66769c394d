//! The configuration as it may be shown: every key with its value and where that was written, without secrets.

use toml::Value;

use super::form::Form;
use super::keys::{KeyKind, SHIPPED_TASKS};
use super::kind::Key;
use super::mask::{is_secret, mask_message};
use super::raw::Raw;
use super::words::{KindWord, Mode};
use super::{Aspect, KeyPath, Loaded, Origin};

/// Stands for a value that is nobody's business.
const HIDDEN: &str = "***";

/// A key with its value.
#[derive(Debug)]
pub struct ShownKey {
    pub path: KeyPath,
    pub value: Value,
    /// None of a default.
    pub origin: Option<Origin>,
}

impl Loaded {
    /// Every key that is written, and the defaults of those that are not, table by table.
    pub fn shown(&self) -> Vec<ShownKey> {
        let mut shown = Vec::new();
        for section in Raw::KIND.keys() {
            let path = KeyPath::of(&[section.name]);
            match section.kind {
                KeyKind::Named(kind) => {
                    let tables = self.names(section.name).into_iter().map(|name| path.key(&name));
                    tables.for_each(|path| self.table(&path, kind.keys(), &mut shown));
                }
                kind => self.table(&path, kind.keys(), &mut shown),
            }
        }
        shown
    }

    /// Names in a section: what ships, then what is written.
    fn names(&self, section: &str) -> Vec<String> {
        let shipped = SHIPPED_TASKS.iter().map(|(name, _)| (*name).to_owned()).filter(|_| section == "tasks");
        let written = self.tree.get(section).and_then(Value::as_table).into_iter().flat_map(|table| table.keys());
        let mut names: Vec<String> = shipped.collect();
        for name in written {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    fn table(&self, path: &KeyPath, keys: &[Key], shown: &mut Vec<ShownKey>) {
        let written = path.lookup(&self.tree);
        if let Some(value) = written {
            self.list(path, value, shown);
        }
        let has = |key: &str| written.is_some_and(|table| table.get(key).is_some());
        let kind = written.and_then(|table| table.get("kind")?.as_str()).unwrap_or(KindWord::default().word());
        for key in keys.iter().filter(|key| !has(key.name) && (key.of.is_empty() || key.of.contains(&kind))) {
            let shipped = SHIPPED_TASKS.iter().find(|(name, _)| *path == KeyPath::of(&["tasks", name]));
            let default = match shipped {
                Some((_, schedule)) if key.name == "schedule" && !has("every") => Some((*schedule).into()),
                // What only an explicit word lets delete.
                _ if key.name == "mode" && kind == KindWord::Orphans.word() => Some(Mode::Report.word().into()),
                _ => default_of(key),
            };
            shown.extend(default.map(|value| ShownKey { path: path.key(key.name), value, origin: None }));
        }
    }

    /// Lists what is written at a path; tables and lists of tables entry by entry.
    fn list(&self, path: &KeyPath, value: &Value, shown: &mut Vec<ShownKey>) {
        match value {
            Value::Table(table) => table.iter().for_each(|(key, value)| self.list(&path.key(key), value, shown)),
            Value::Array(items) if items.iter().any(Value::is_table) => {
                items.iter().enumerate().for_each(|(index, item)| self.list(&path.index(index), item, shown));
            }
            value => {
                let value = if is_secret(path.last_key()) { HIDDEN.into() } else { masked(value) };
                shown.push(ShownKey { path: path.clone(), value, origin: Some(self.origin(path, Aspect::Value)) });
            }
        }
    }
}

/// The value of a key that is left out; none where there is none, or no single one.
fn default_of(key: &Key) -> Option<Value> {
    // What the documentation says of it, where that is one value and no sentence.
    let shown = key
        .shown
        .strip_prefix('`')
        .and_then(|shown| shown.strip_suffix('`'))
        .filter(|shown| !shown.contains(['`', ' ']));
    let text = if key.default.is_empty() { shown? } else { key.default };
    let parsed = text.parse::<bool>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
    Some(parsed.or_else(|_| text.parse::<f64>().map(Value::from)).unwrap_or_else(|_| text.into()))
}

/// The value without passwords of urls.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => mask_message(text).into(),
        Value::Array(items) => items.iter().map(masked).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

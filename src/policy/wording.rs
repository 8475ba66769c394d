//! The configuration in words, without secrets: what the ledger remembers of a policy that was approved, and can compile again.

use std::fmt::Write;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::{Name, Policy, Settings};
use crate::text::hex;

/// Whole configuration as it was written, merged. Urls have no passwords, and keys that say where a password is are left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written {
    words: Table,
    /// Made when it is asked for first.
    #[serde(skip)]
    fingerprint: OnceLock<String>,
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

/// Everything that is written about one policy and decides what it may take: the policy, its stores and sources, its task.
/// Whether it is switched on and enforced is left out: that can be changed by anybody at any time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wording(Table);

/// Keys of a policy that say how and when it runs, and not what it may take.
pub(super) const NOT_TAKING: [&str; 8] =
    ["enabled", "mode", "batch", "pace", "parallel", "details", "description", "owner"];

impl Written {
    /// The words of a configuration and what was compiled from them.
    pub fn of(tree: &Value, settings: &Settings) -> Self {
        let mut words = tree.as_table().cloned().unwrap_or_default();
        if let Some(Value::Table(sources)) = words.get_mut("sources") {
            for (name, source) in sources.iter_mut() {
                let compiled = settings.sources.iter().find(|source| source.name.as_str() == name);
                if let (Some(source), Some(compiled)) = (source.as_table_mut(), compiled) {
                    source.retain(|key, _| !key.starts_with("password"));
                    source.insert("url".to_owned(), Value::String(compiled.endpoint.url()));
                }
            }
        }
        let redis = words.get_mut("publish").and_then(|publish| publish.get_mut("redis")).and_then(Value::as_table_mut);
        if let (Some(redis), Some(compiled)) = (redis, &settings.publish) {
            redis.retain(|key, _| !key.starts_with("password"));
            redis.insert("url".to_owned(), Value::String(compiled.url()));
        }
        words.remove("ledger");
        hide_notifications(&mut words);
        Self { words, ..Self::default() }
    }

    /// SHA-256 of all words in a fixed order, in hexadecimal: the same wherever the same is written.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.get_or_init(|| fingerprint(&self.words)).clone()
    }

    /// The tree, as it would be loaded from a file.
    pub(super) fn into_tree(self) -> Value {
        Value::Table(self.words)
    }

    fn entry(&self, section: &str, name: &Name) -> Option<&Value> {
        self.words.get(section)?.get(name.as_str())
    }
}

impl Wording {
    /// The words of one policy.
    pub fn of(settings: &Settings, policy: &Policy) -> Self {
        let (policies, stores) = context(settings, policy);
        let mut sources: Vec<&Name> = policies.iter().filter_map(|policy| Some(&policy.kind.rows()?.source)).collect();
        let references = stores.iter().filter_map(|name| settings.store(name)).flat_map(|store| &store.references);
        sources.extend(references.map(|reference| &reference.source));
        let tasks: Vec<&Name> = policies.iter().filter_map(|policy| policy.task.as_ref()).collect();
        let names: Vec<&Name> = policies.iter().map(|policy| &policy.name).collect();
        let mut sections = Table::new();
        for (section, names) in [("policies", names), ("stores", stores), ("sources", sources), ("tasks", tasks)] {
            let entries = names.into_iter().filter_map(|name| {
                let mut entry = settings.written.entry(section, name)?.clone();
                if let (true, Some(entry)) = (section == "policies", entry.as_table_mut()) {
                    entry.retain(|key, _| !NOT_TAKING.contains(&key));
                }
                if let (true, Some(entry)) = (section == "tasks", entry.as_table_mut()) {
                    entry.remove("enabled");
                }
                Some((name.to_string(), entry))
            });
            sections.insert(section.to_owned(), Value::Table(entries.collect()));
        }
        Self(sections)
    }

    /// SHA-256 of the words in a fixed order, in hexadecimal: the same wherever the same is written.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0)
    }

    /// The words as a configuration of their own.
    pub(super) fn into_written(self) -> Written {
        Written { words: self.0, ..Written::default() }
    }
}

/// Puts a fingerprint in the place of all that says who is notified: any url of it may be a secret as a whole.
fn hide_notifications(words: &mut Table) {
    let mut hidden = Table::new();
    hidden.extend(words.remove("notify").map(|notify| ("notify".to_owned(), notify)));
    let tasks = words.get_mut("tasks").and_then(Value::as_table_mut).into_iter().flat_map(|tasks| tasks.iter_mut());
    let ping = |(name, task): (&str, &mut Value)| Some((name.to_owned(), task.as_table_mut()?.remove("ping")?));
    hidden.extend(tasks.filter_map(|(name, task)| ping((name.as_str(), task))));
    if !hidden.is_empty() {
        words.insert("notify".to_owned(), Value::String(fingerprint(&hidden)));
    }
}

fn fingerprint(table: &Table) -> String {
    let mut canonical = String::new();
    write_sorted(&Value::Table(table.clone()), &mut canonical);
    hex(&Sha256::digest(canonical.as_bytes()))
}

/// Policies and stores by which it is decided what a policy may take. Rows that own files of a store name them, and what is
/// named stays: their policies belong to each policy that takes files of that store.
fn context<'a>(settings: &'a Settings, policy: &'a Policy) -> (Vec<&'a Policy>, Vec<&'a Name>) {
    let takes_from = stores_of(policy);
    let owns = |other: &&Policy| {
        other.kind.rows().is_some() && stores_of(other).iter().any(|store| takes_from.contains(store))
    };
    let others = settings.policies.iter().map(AsRef::as_ref).filter(|other: &&Policy| other.name != policy.name);
    let policies: Vec<&Policy> = std::iter::once(policy).chain(others.filter(owns)).collect();
    let stores = policies.iter().flat_map(|policy| stores_of(policy)).collect();
    (policies, stores)
}

fn stores_of(policy: &Policy) -> Vec<&Name> {
    match policy.kind.rows() {
        Some(rows) => rows.all_files().into_iter().map(|(_, file)| &file.store).collect(),
        None => policy.kind.store().into_iter().collect(),
    }
}

/// Writes a value with the keys of each table in order.
fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| key.as_str());
            out.push('{');
            for (key, value) in entries {
                // Writing to a String cannot fail.
                let _ = write!(out, "{key:?}=");
                write_sorted(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_sorted(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::String(text) => {
            let _ = write!(out, "{text:?}");
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            let _ = write!(out, "{value}");
        }
    }
}

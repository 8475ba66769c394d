//! Compiles raw configuration into policy types; gathers every error before it gives up.

mod command;
mod daemon;
mod declared;
mod email;
mod files;
mod notify;
mod orphans;
mod pace;
mod ping;
mod policy;
mod publish;
mod rows;
mod secret;
mod serving;
mod size;
mod source;
mod store;
mod task;
mod url;
mod value;
mod wording;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::keys;
use crate::config::raw::{Raw, RawStore};
use crate::config::{
    Aspect, Diagnostic, Diagnostics, Fault, Inputs, KeyPath, Loaded, Origin, did_you_mean, listed, mask_value,
};

use super::{Destination, Name, Settings, Written};
use declared::{Names, Section};
pub use wording::{recompile, recompile_all};

/// Errors after which no more are sought: nobody reads them all.
const ENOUGH: usize = 200;

/// Loads and compiles a configuration. On failure: everything that is wrong with it, in the order of the files.
pub fn load(inputs: &Inputs) -> Result<Settings, Diagnostics> {
    compile(crate::config::load(inputs), inputs)
}

/// Compiles what was loaded. Reads the passwords that it names; touches nothing else.
pub fn compile(mut loaded: Loaded, inputs: &Inputs) -> Result<Settings, Diagnostics> {
    let mut found = std::mem::take(&mut loaded.problems);
    if loaded.incomplete {
        return Err(Diagnostics::new(found));
    }
    let faulty = found.iter().map(|problem| problem.key().to_owned()).collect();
    let declared = declared::names(&loaded.raw);
    let mut gather = Gather { loaded: &loaded, inputs, declared, faulty, found: Vec::new() };
    let settings = gather.settings(&loaded.raw);
    found.append(&mut gather.found);
    match settings {
        Some(settings) if found.is_empty() => {
            let overrides = inputs.set.iter().map(|(key, value)| (key.clone(), mask_value(key, value))).collect();
            Ok(Settings { written: Written::of(&loaded.tree, &settings), overrides, ..settings })
        }
        _ => Err(Diagnostics::new(found)),
    }
}

/// Those who are notified, and the state directory, of a configuration that may be wrong elsewhere: what is wrong with itself is
/// left out.
pub fn destinations(inputs: &Inputs) -> (Vec<Arc<Destination>>, Option<PathBuf>) {
    let loaded = crate::config::load(inputs);
    let faulty = loaded.problems.iter().map(|problem| problem.key().to_owned()).collect();
    let declared = declared::names(&loaded.raw);
    let mut gather = Gather { loaded: &loaded, inputs, declared, faulty, found: Vec::new() };
    let destinations = gather.notify(&loaded.raw).into_iter().map(Arc::new).collect();
    (destinations, gather.daemon(&loaded.raw).map(|daemon| daemon.state_dir))
}

/// A configuration being compiled, and the problems that were found in it.
struct Gather<'a> {
    loaded: &'a Loaded,
    inputs: &'a Inputs,
    /// Names of each section.
    declared: [Names<'a>; 3],
    /// Entries that loading found fault with: they are not complained about twice.
    faulty: HashSet<String>,
    found: Vec<Diagnostic>,
}

impl<'a> Gather<'a> {
    /// `None` where something was found that leaves no settings to return.
    fn settings(&mut self, raw: &Raw) -> Option<Settings> {
        let daemon = self.daemon(raw);
        let serving = daemon.as_ref().and_then(|daemon| self.serving(raw, &daemon.state_dir));
        let publish = self.publish(raw).map(Arc::new);
        let notify = self.notify(raw);
        let sources = self.sources(raw);
        let stores = self.stores(raw);
        let tasks = self.tasks(raw);
        let policies = self.policies(raw);
        let of_tasks: HashSet<&Name> = tasks.iter().map(|task| &task.name).collect();
        for policy in policies.iter().filter(|policy| of_tasks.contains(&policy.name)) {
            let path = KeyPath::of(&["policies", policy.name.as_str()]);
            let hint = "`retaind run NAME` takes either: give the policy another name";
            self.refuse_key(&path, "there is a task of that name", hint);
        }
        Some(Settings {
            daemon: daemon?,
            serving: serving?,
            publish,
            notify: notify.into_iter().map(Arc::new).collect(),
            sources: sources.into_iter().map(Arc::new).collect(),
            stores: stores.into_iter().map(Arc::new).collect(),
            tasks: tasks.into_iter().map(Arc::new).collect(),
            policies: policies.into_iter().map(Arc::new).collect(),
            written: Written::default(),
            overrides: BTreeMap::new(),
        })
    }

    /// True if so much is wrong that nothing more need be found.
    fn is_full(&self) -> bool {
        self.found.len() >= ENOUGH
    }

    fn refuse(&mut self, path: &KeyPath, aspect: Aspect, fault: Fault) {
        self.found.push(self.loaded.diagnostic(path, aspect, fault));
    }

    /// Refuses a key, and says what to do.
    fn refuse_key(&mut self, path: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.refuse(path, Aspect::Key, Fault::new(message).hint(hint));
    }

    /// Refuses a value, and says what to do.
    fn refuse_value(&mut self, path: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.refuse(path, Aspect::Value, Fault::new(message).hint(hint));
    }

    /// The value, or `None` and a diagnostic that points at it.
    fn check<T>(&mut self, path: &KeyPath, checked: Result<T, impl Into<Fault>>) -> Option<T> {
        checked.map_err(|fault| self.refuse(path, Aspect::Value, fault.into())).ok()
    }

    /// The value of a key that may be left out, parsed.
    fn parsed<T, E: Into<Fault>>(
        &mut self,
        table: &KeyPath,
        key: &str,
        written: Option<&String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.check(&table.key(key), parse(written?))
    }

    /// The value of a key that must be there. Says that it is missing, unless it is there and was found faulty.
    fn required<'v, T>(&mut self, table: &KeyPath, key: &str, value: &'v Option<T>, hint: &str) -> Option<&'v T> {
        if value.is_none() && !self.is_written(table, key) {
            self.refuse_key(table, format!("{key} is missing"), hint);
        }
        value.as_ref()
    }

    /// True if a table has a key, be its value usable or not.
    fn is_written(&self, table: &KeyPath, key: &str) -> bool {
        self.loaded.is_written(&table.key(key))
    }

    /// The entries of a list, each read; one that was there before is refused. Those that loading found fault with are left out.
    fn list<R, T>(
        &mut self,
        list: &KeyPath,
        raw: &[R],
        thing: &str,
        mut read: impl FnMut(&mut Self, &KeyPath, &R) -> Option<T>,
        is_same: impl Fn(&T, &T) -> bool,
    ) -> Vec<T> {
        let mut items: Vec<T> = Vec::new();
        for (index, entry) in raw.iter().enumerate() {
            let path = list.index(index);
            if self.is_faulty(&path) {
                continue;
            }
            let Some(item) = read(self, &path, entry) else { continue };
            if items.iter().any(|other| is_same(other, &item)) {
                self.refuse_value(&path, format!("this {thing} is there twice"), "leave one out");
            }
            items.push(item);
        }
        items
    }

    /// True if a table is there only because an override misspelt the name of another; says so.
    fn is_stray(&mut self, table: &KeyPath) -> bool {
        if self.loaded.is_written(table) {
            return false;
        }
        let Some((section, _)) = table.split_last() else { return false };
        let is_declared = |path: &&KeyPath| {
            path.split_last().is_some_and(|(above, _)| above == section) && self.loaded.is_written(path)
        };
        let declared = self.loaded.written().iter().filter(is_declared).map(KeyPath::last_key);
        let shipped = keys::SHIPPED_TASKS.iter().map(|(name, _)| *name).filter(|_| section.last_key() == "tasks");
        if shipped.clone().any(|name| name == table.last_key()) {
            return false;
        }
        let Some(hint) = did_you_mean(table.last_key(), declared.chain(shipped)) else { return false };
        let thing = singular(section.last_key());
        self.refuse_key(table, format!("there is no such {thing}"), hint);
        true
    }

    /// The tables of a section with their paths, in declared order.
    fn tables<'r, T>(&mut self, section: &str, named: &'r [(String, T)]) -> Vec<(KeyPath, &'r T)> {
        let tables = named.iter().map(|(name, value)| (KeyPath::of(&[section, name]), value));
        tables.filter(|(path, _)| !self.is_stray(path)).collect()
    }

    fn is_faulty(&self, path: &KeyPath) -> bool {
        self.faulty.contains(&path.to_string())
    }

    /// True if loading found fault with the entry, or with anything beneath it.
    fn is_faulty_within(&self, path: &KeyPath) -> bool {
        let path = path.to_string();
        let beneath = |key: &String| key.strip_prefix(&path).is_some_and(|rest| rest.starts_with(['.', '[']));
        self.faulty.contains(&path) || self.faulty.iter().any(beneath)
    }

    /// The name of a table, checked.
    fn name(&mut self, path: &KeyPath) -> Option<Name> {
        let written = path.last_key();
        match Name::parse(written) {
            Ok(name) => Some(name),
            Err(message) => {
                let tame = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
                let better: String = written.chars().map(tame).collect();
                let better = better.trim_matches(['-', '_']);
                let hint = Name::parse(better).ok().map(|name| format!("write `{name}`"));
                self.refuse(path, Aspect::Key, Fault { message, hint });
                None
            }
        }
    }

    /// A name that must be declared in a section.
    fn reference(&mut self, path: &KeyPath, written: &str, section: Section) -> Option<Name> {
        let (thing, known) = (section.thing(), &self.declared[section as usize]);
        if known.place(written).is_some() {
            // A bad name was complained about where it was declared.
            return Name::parse(written).ok();
        }
        let hint = did_you_mean(written, known.all().iter().copied()).unwrap_or_else(|| match known.all() {
            [] => format!("declare it: [{thing}s.NAME]"),
            known => format!("there are {}", listed(known)),
        });
        self.refuse_value(path, format!("there is no {thing} {written:?}"), hint);
        None
    }

    /// The store of that name, as it is declared.
    fn raw_store(&self, name: &str) -> Option<&'a RawStore> {
        let place = self.declared[Section::Stores as usize].place(name)?;
        self.loaded.raw.stores.get(place).map(|(_, raw)| raw)
    }

    /// True if a value was given by `--set`, where every user of the machine can read it.
    fn is_on_command_line(&self, path: &KeyPath) -> bool {
        matches!(self.loaded.origin(path, Aspect::Value), Origin::Set(_))
    }
}

/// The noun for one entry of a section.
fn singular(section: &str) -> &str {
    match section {
        "policies" => "policy",
        "notify" => "destination",
        section => section.trim_end_matches('s'),
    }
}

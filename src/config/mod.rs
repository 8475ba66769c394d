//! Loads TOML, environment and `--set` into raw values with their places; judges nothing.

mod declare;
mod diagnostic;
mod document;
pub mod environment;
mod fault;
mod file;
pub mod form;
mod hint;
mod inputs;
pub mod keys;
mod kind;
mod layers;
mod mask;
mod overlay;
mod path;
pub mod raw;
pub mod schema;
mod shown;
pub mod values;
pub mod words;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

pub use diagnostic::{Diagnostic, Diagnostics, Origin, SourceText};
pub use fault::Fault;
pub use file::read_regular;
pub use hint::{did_you_mean, listed};
pub use inputs::Inputs;
pub use mask::mask_value;
pub use path::{KeyPath, KeySegment};
pub use shown::ShownKey;

use document::Place;
use form::{Form, FormReader};
use layers::Layers;

/// A configuration whose shape is known: what did not fit is left out and listed in `problems`.
pub struct Loaded {
    pub raw: raw::Raw,
    /// Problems that were found so far.
    pub problems: Vec<Diagnostic>,
    /// True if a whole file, or everything, is missing in `raw`: then what it would have defined must not be missed.
    pub incomplete: bool,
    /// Everything that is written, merged; it may hold passwords.
    pub tree: toml::Value,
    file: PathBuf,
    places: HashMap<KeyPath, Place>,
    /// Every key that is written, in order: what is in a table follows it.
    written: Vec<KeyPath>,
    /// Index of each in `written`.
    positions: HashMap<KeyPath, usize>,
}

impl fmt::Debug for Loaded {
    /// Values may be secret and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("problems", &self.problems).finish_non_exhaustive()
    }
}

/// Part of an entry that a diagnostic points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    Key,
    Value,
}

/// Reads the main file, then `conf.d/*.toml` in name order, the environment, and `--set`: a later one wins, key by key.
/// Never gives up: `problems` has everything that is wrong.
pub fn load(inputs: &Inputs) -> Loaded {
    let mut problems = Vec::new();
    let mut layers = Layers::default();
    let mut incomplete = false;
    for (position, path) in files(inputs, &mut problems).iter().enumerate() {
        match document::read(path, position, &mut problems) {
            Some(document) => layers.add(document),
            None => incomplete = true,
        }
    }
    let mut tree = merge(&layers, &mut problems);
    let mut env: Vec<_> = inputs.env.iter().collect();
    env.sort();
    for (name, value) in env {
        if let Some(document) = overlay::read_variable(name, value, &tree, &mut problems) {
            layers.add(document);
            tree = merge(&layers, &mut problems);
        }
    }
    for (key, value) in &inputs.set {
        if let Some(document) = overlay::read_set(key, value, &tree, &mut problems) {
            layers.add(document);
            tree = merge(&layers, &mut problems);
        }
    }
    // What could not be read may name a variable.
    if !incomplete {
        let names = inputs.env.iter().map(|(name, _)| name.as_os_str());
        problems.extend(environment::check(names, &layers.values(), &tree));
    }
    let mut loaded =
        Loaded { problems, incomplete, file: inputs.file.clone(), ..Loaded::of(tree, layers.into_places()) };
    loaded.fit();
    loaded
}

/// A configuration that was loaded and written down before: where its values were is not known any more.
pub fn reload(tree: toml::Value) -> Loaded {
    let mut loaded = Loaded::of(tree, HashMap::new());
    loaded.places = loaded.written.iter().map(|path| (path.clone(), Place::Set(path.to_string()))).collect();
    loaded.fit();
    loaded
}

/// The main file and the fragments, in order.
fn files(inputs: &Inputs, problems: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
    let mut files = vec![inputs.file.clone()];
    let directory = inputs.fragments_dir();
    let entries = std::fs::read_dir(&directory)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<PathBuf>, _>>());
    match entries {
        Ok(mut fragments) => {
            let is_hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            fragments.retain(|path| path.extension().is_some_and(|extension| extension == "toml") && !is_hidden(path));
            fragments.sort();
            files.extend(fragments);
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            problems.push(Diagnostic::new(Origin::File(directory), "", format!("cannot be read: {error}")));
        }
    }
    files
}

fn merge(layers: &Layers, problems: &mut Vec<Diagnostic>) -> toml::Value {
    layers.merge().unwrap_or_else(|error| {
        problems.push(Diagnostic::new(Origin::File(PathBuf::new()), "", format!("cannot be merged: {error}")));
        toml::Value::Table(toml::Table::new())
    })
}

fn list_keys(value: &toml::Value, path: &KeyPath, written: &mut Vec<KeyPath>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = path.key(key);
                written.push(path.clone());
                list_keys(value, &path, written);
            }
        }
        toml::Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| list_keys(item, &path.index(index), written));
        }
        _ => {}
    }
}

impl Loaded {
    fn of(tree: toml::Value, places: HashMap<KeyPath, Place>) -> Self {
        let mut written = Vec::new();
        list_keys(&tree, &KeyPath::default(), &mut written);
        Self {
            raw: raw::Raw::default(),
            problems: Vec::new(),
            incomplete: false,
            tree,
            file: PathBuf::new(),
            places,
            positions: written.iter().enumerate().map(|(position, path)| (path.clone(), position)).collect(),
            written,
        }
    }

    /// Reads the tree into its shape; what does not fit is left out and listed.
    fn fit(&mut self) {
        let mut reader = FormReader::default();
        self.raw = raw::Raw::read(&self.tree, &mut reader).unwrap_or_default();
        self.incomplete |= self.problems.len().max(reader.misfits.len()) > diagnostic::SHOWN_AT_MOST;
        for misfit in reader.misfits {
            let aspect = if misfit.key_is_wrong { Aspect::Key } else { Aspect::Value };
            self.problems.push(self.diagnostic(&misfit.path, aspect, misfit.fault));
        }
    }

    /// A diagnostic about the entry at a path; about the nearest thing that has a place where the entry has none.
    pub fn diagnostic(&self, path: &KeyPath, aspect: Aspect, fault: Fault) -> Diagnostic {
        Diagnostic::new(self.origin(path, aspect), path, fault.message).maybe_hint(fault.hint)
    }

    /// Origin of an entry.
    pub fn origin(&self, path: &KeyPath, aspect: Aspect) -> Origin {
        let mut at = path.clone();
        let place = loop {
            if let Some(place) = self.places.get(&at) {
                break place;
            }
            // A table that only overrides speak of has no place of its own, but they have.
            let position = self.positions.get(&at).copied().unwrap_or(self.written.len());
            let mut inner = self.written[position..].iter().take_while(|inner| inner.is_within(&at));
            if let Some(place) = inner.find_map(|path| self.places.get(path)) {
                break place;
            }
            match at.split_last() {
                Some((above, _)) => at = above,
                None => return Origin::File(self.file.clone()),
            }
        };
        // A missing key is missed at the header of its table.
        place.origin(aspect == Aspect::Key || at != *path)
    }

    /// True if the key is there, be its value usable or not.
    pub fn is_written(&self, path: &KeyPath) -> bool {
        self.places.contains_key(path)
    }

    /// Every key that is written, in order.
    pub fn written(&self) -> &[KeyPath] {
        &self.written
    }
}

//! Names that a configuration declares, looked up in a time that does not grow with their number.

use std::collections::HashMap;

use crate::config::keys::SHIPPED_TASKS;
use crate::config::raw::Raw;

/// Names of one section, each with its place in declared order.
#[derive(Default)]
pub(super) struct Names<'a> {
    names: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    /// Place in declared order.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// In declared order.
    pub(super) fn all(&self) -> &[&'a str] {
        &self.names
    }
}

impl<'a> FromIterator<&'a str> for Names<'a> {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut all = Self::default();
        for name in names {
            let next = all.names.len();
            all.places.entry(name).or_insert_with(|| {
                all.names.push(name);
                next
            });
        }
        all
    }
}

/// Sections whose entries others refer to by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Sources,
    Stores,
    Tasks,
}

impl Section {
    /// The noun for one entry of it.
    pub(super) fn thing(self) -> &'static str {
        ["source", "store", "task"][self as usize]
    }
}

/// The names of each section; the shipped tasks come before the others.
pub(super) fn names(raw: &Raw) -> [Names<'_>; 3] {
    fn of<T>(named: &[(String, T)]) -> impl Iterator<Item = &str> {
        named.iter().map(|(name, _)| name.as_str())
    }
    let tasks = SHIPPED_TASKS.iter().map(|(name, _)| *name).chain(of(&raw.tasks));
    [of(&raw.sources).collect(), of(&raw.stores).collect(), tasks.collect()]
}

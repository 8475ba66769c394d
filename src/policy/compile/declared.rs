//! Names that a configuration declares, looked up in a time that does not grow with their number.

use std::collections::HashMap;

use crate::config::keys::SHIPPED_TASKS;
use crate::config::raw::{Named, Raw};

/// Names of one section, each with its place in declared order.
#[derive(Default)]
pub(super) struct Names<'a> {
    names: Vec<&'a str>,
    places: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn of<T>(named: Option<&'a Named<T>>) -> Self {
        Self::from_iter(named.map(|named| named.0.as_slice()).unwrap_or_default().iter().map(|(name, _)| name.as_str()))
    }

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
    /// What one entry of it is called.
    pub(super) fn thing(self) -> &'static str {
        match self {
            Section::Sources => "source",
            Section::Stores => "store",
            Section::Tasks => "task",
        }
    }
}

/// Names that others may refer to.
pub(super) struct Declared<'a> {
    sources: Names<'a>,
    stores: Names<'a>,
    /// The shipped ones come first.
    tasks: Names<'a>,
}

impl<'a> Declared<'a> {
    pub(super) fn of(raw: &'a Raw) -> Self {
        let shipped = SHIPPED_TASKS.iter().map(|(name, _)| *name);
        let tasks = raw.tasks.as_ref().map(|named| named.0.as_slice()).unwrap_or_default();
        Self {
            sources: Names::of(raw.sources.as_ref()),
            stores: Names::of(raw.stores.as_ref()),
            tasks: shipped.chain(tasks.iter().map(|(name, _)| name.as_str())).collect(),
        }
    }

    pub(super) fn names(&self, section: Section) -> &Names<'a> {
        match section {
            Section::Sources => &self.sources,
            Section::Stores => &self.stores,
            Section::Tasks => &self.tasks,
        }
    }
}

//! Files that rows mean by spellings that no index finds: `a//b`, another case, a path that leads elsewhere, a list.
//! The rows of a store's references are read once for many files, which wait for the answer.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::fingerprints::{Collection, Fingerprinter, Fingerprints};
use super::referenced_store::ReferencedStore;
use super::sessions::Sessions;
use crate::policy::{
    FilePath, ReferenceMatch, Settings, StorePath, file_forms, name_forms, written_forms, written_name_forms,
};
use crate::sources::{ErrorKind, Gone, NamedPath, Naming, Rows, SourceError};
use crate::stores::{Glance, Inside, Look, OpenStore, RawPath, RemovalRequest};

/// Rows of a table that is read by its session, and not by a connection of its own.
const FEW_ROWS: usize = 5000;
/// Rows that may mean a sought file, at most; beyond that nothing is removed.
const HITS_AT_MOST: usize = 20_000;

/// Files of a store that are sought.
struct Sought {
    fingerprinter: Fingerprinter,
    /// Forms of their paths, each with the fingerprint of the only path that has it.
    forms: HashMap<u64, Option<u64>>,
    names: HashSet<u64>,
    /// Forms of directories that are to go as a whole.
    directories: HashSet<u64>,
}

/// Files that rows were found to mean by unusual spellings.
#[derive(Default)]
pub(super) struct Meant {
    /// A table has too many rows for its session.
    pub(super) reads_long: bool,
    fingerprinter: Fingerprinter,
    hits: Vec<Hit>,
    by_form: HashMap<u64, Vec<usize>>,
    by_name: HashMap<u64, Vec<usize>>,
    /// Forms of the names that paths end with which lead out of the store, where a directory is to go.
    outside: Arc<Fingerprints>,
}

/// A row that may mean a sought file.
struct Hit {
    /// Index of its reference among those of the referenced store.
    reference: usize,
    /// As the row has it; empty where it is one of several in a value.
    written: String,
    /// Path in the store that it leads to; none: elsewhere.
    path: Option<StorePath>,
}

impl Sought {
    fn new(referenced: &ReferencedStore, items: &[(StorePath, bool)]) -> Self {
        let fingerprinter = Fingerprinter::default();
        let mut sought =
            Self { fingerprinter, forms: HashMap::new(), names: HashSet::new(), directories: HashSet::new() };
        let by_directory = referenced.references.iter().any(|naming| naming.column.directory);
        for (path, is_directory) in items {
            sought.add(path);
            if by_directory {
                path.ancestors().for_each(|above| sought.add(&above));
            }
            if *is_directory {
                let forms = file_forms(path.as_str());
                sought.directories.extend(forms.iter().map(|form| sought.fingerprinter.of(form.as_bytes())));
            }
        }
        sought
    }

    fn add(&mut self, path: &StorePath) {
        let exact = self.fingerprinter.of(path.as_str().as_bytes());
        for form in file_forms(path.as_str()) {
            let form = self.fingerprinter.of(form.as_bytes());
            let only = self.forms.entry(form).or_insert(Some(exact));
            if *only != Some(exact) {
                *only = None;
            }
        }
        let forms = name_forms(path.as_str());
        self.names.extend(forms.iter().map(|form| self.fingerprinter.of(form.as_bytes())));
    }

    /// The forms by which a row may mean a sought path. One that an index finds is no hit, unless it may mean another, too.
    fn found_of(&self, path: &str, is_odd: bool) -> Vec<u64> {
        let mut exact = None;
        let forms = written_forms(path).into_iter().map(|form| self.fingerprinter.of(form.as_bytes()));
        let found_of = forms.filter(|form| match self.forms.get(form) {
            None => false,
            Some(None) => true,
            Some(Some(only)) => is_odd || *only != *exact.get_or_insert_with(|| self.fingerprinter.of(path.as_bytes())),
        });
        found_of.collect()
    }

    /// The forms of directories to go that a path lies in.
    fn around(&self, path: &str) -> Vec<u64> {
        if self.directories.is_empty() {
            return Vec::new();
        }
        let forms = path.match_indices('/').flat_map(|(at, _)| written_forms(&path[..at]));
        forms
            .map(|form| self.fingerprinter.of(form.as_bytes()))
            .filter(|form| self.directories.contains(form))
            .collect()
    }
}

/// Reads what the rows of a store's references mean by unusual spellings of some files, and directories that are to go.
pub(super) async fn search(
    referenced: &ReferencedStore,
    settings: &Settings,
    sessions: &mut Sessions,
    items: &[(StorePath, bool)],
) -> Result<Meant, SourceError> {
    if items.is_empty() || referenced.references.is_empty() {
        return Ok(Meant::default());
    }
    let sought = Sought::new(referenced, items);
    let store = &referenced.store;
    let mut meant = Meant { fingerprinter: sought.fingerprinter.clone(), ..Meant::default() };
    let mut outside = Collection::default();
    for (reference, naming) in referenced.references.iter().enumerate() {
        let column = &naming.column;
        if column.matching() == ReferenceMatch::Name {
            continue;
        }
        let others = settings.others_named(&store.name, (&column.source, &column.table.table, column.path()));
        let others: Vec<_> = others.collect();
        let mut reading =
            Reading { sought: &sought, meant: &mut meant, outside: &mut outside, reference, by_value: false };
        let mut each = |naming: Naming<'_>| {
            let elsewhere = matches!(&naming, Naming::Outside(written) if others.iter().any(|store| store.map_reference(written).is_some()));
            if !elsewhere {
                reading.take(naming);
            }
            if reading.meant.hits.len() > HITS_AT_MOST { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let session = sessions.get(&column.source).await?;
        let few = column.read_few(session, store, FEW_ROWS, &mut each).await?;
        if !few {
            let (reader, _permit) = sessions.reader(&column.source).await?;
            sessions.metering().measure(&column.source, column.read_all(reader, store, Rows::All, &mut each)).await?;
        }
        meant.reads_long |= !few;
        if meant.hits.len() > HITS_AT_MOST {
            let cause = format!(
                "more than {HITS_AT_MOST} rows name files that are to go by other spellings, so that it cannot be told which \
                 of them they mean; rewrite them, or set strip_prefix of store {} to how they begin",
                store.name
            );
            let operation = format!("asking which files {} means", column.table);
            return Err(SourceError::new(&column.source, operation, ErrorKind::Other, cause));
        }
    }
    meant.outside = Arc::new(outside.finish());
    Ok(meant)
}

/// One reference that is being read.
struct Reading<'a> {
    sought: &'a Sought,
    meant: &'a mut Meant,
    outside: &'a mut Collection,
    reference: usize,
    /// The text that is read is one of several in a value.
    by_value: bool,
}

impl Reading<'_> {
    fn take(&mut self, naming: Naming<'_>) {
        match naming {
            Naming::Nothing | Naming::Name(_) => {}
            Naming::Several(several) => {
                self.by_value = true;
                several.into_iter().for_each(|naming| self.take(naming));
                self.by_value = false;
            }
            Naming::Path(NamedPath { path, is_odd, written }) => {
                let mut forms = self.sought.found_of(&path, is_odd || self.by_value);
                forms.extend(self.sought.around(&path).into_iter().filter(|_| is_odd || self.by_value));
                // What lists several names at once names each of them by its last segment.
                let listed =
                    if path.contains([',', ';', '|', '\n', '\t', '"']) { self.named(&path) } else { Vec::new() };
                for (forms, by_path) in [(forms, true), (listed, false)] {
                    if let (false, Ok(path)) = (forms.is_empty(), StorePath::parse(&path)) {
                        self.meant.push(self.hit(&written, Some(path)), &forms, by_path);
                    }
                }
            }
            Naming::Outside(written) => {
                if !self.sought.directories.is_empty() {
                    for form in written_name_forms(&written) {
                        self.outside.push(self.sought.fingerprinter.of(form.as_bytes()));
                    }
                }
                let forms = self.named(&written);
                if !forms.is_empty() {
                    self.meant.push(self.hit(&written, None), &forms, false);
                }
            }
        }
    }

    fn named(&self, written: &str) -> Vec<u64> {
        let forms = written_name_forms(written).into_iter().map(|form| self.sought.fingerprinter.of(form.as_bytes()));
        forms.filter(|form| self.sought.names.contains(form)).collect()
    }

    fn hit(&self, written: &str, path: Option<StorePath>) -> Hit {
        let written = if self.by_value { String::new() } else { written.to_owned() };
        Hit { reference: self.reference, written, path }
    }
}

impl Meant {
    fn push(&mut self, hit: Hit, forms: &[u64], by_path: bool) {
        let map = if by_path { &mut self.by_form } else { &mut self.by_name };
        for form in forms {
            map.entry(*form).or_default().push(self.hits.len());
        }
        self.hits.push(hit);
    }

    fn of(&self, forms: &[String], map: &HashMap<u64, Vec<usize>>) -> Vec<usize> {
        let fingerprints = forms.iter().map(|form| self.fingerprinter.of(form.as_bytes()));
        fingerprints.filter_map(|form| map.get(&form)).flatten().copied().collect()
    }

    /// Those of `removals` that rows mean by unusual spellings, rows that are gone left out.
    pub(super) async fn kept(
        &self,
        referenced: &ReferencedStore,
        sessions: &mut Sessions,
        removals: &mut [RemovalRequest],
        gone: &[Gone],
    ) -> Result<HashSet<StorePath>, SourceError> {
        let mut kept = HashSet::new();
        if self.hits.is_empty() && self.outside.is_empty() {
            return Ok(kept);
        }
        let mut questions: Vec<(usize, StorePath, usize)> = Vec::new();
        for (place, path) in
            removals.iter().enumerate().filter_map(|(place, removal)| Some((place, removal.path.text()?)))
        {
            for at in std::iter::once(path.clone()).chain(path.ancestors()) {
                let is_above = at != path;
                let mut hits = self.of(&file_forms(at.as_str()), &self.by_form);
                hits.extend(self.of(&name_forms(at.as_str()), &self.by_name));
                hits.retain(|hit| !is_above || referenced.references[self.hits[*hit].reference].column.directory);
                hits.sort_unstable();
                hits.dedup();
                questions.extend(hits.into_iter().map(|hit| (place, at.clone(), hit)));
            }
        }
        let alive = self.alive(referenced, sessions, &questions, gone).await?;
        for (place, at, hit) in questions.into_iter().filter(|(_, _, hit)| alive.contains(hit)) {
            let Some(path) = removals[place].path.text() else { continue };
            match &self.hits[hit].path {
                Some(named) if removals[place].directory && named.is_beneath(&path) => {
                    removals[place].kept.push(named.clone())
                }
                Some(named) if !means(&referenced.open, named, &at) => {}
                Some(_) | None => drop(kept.insert(path)),
            }
        }
        kept.extend(self.directories_with_names(referenced, removals).await);
        Ok(kept)
    }

    /// Those of the hits in question whose rows still write the same.
    async fn alive(
        &self,
        referenced: &ReferencedStore,
        sessions: &mut Sessions,
        questions: &[(usize, StorePath, usize)],
        gone: &[Gone],
    ) -> Result<HashSet<usize>, SourceError> {
        let asked: HashSet<usize> = questions.iter().map(|(_, _, hit)| *hit).collect();
        let mut alive = HashSet::new();
        for (reference, naming) in referenced.references.iter().enumerate() {
            let column = &naming.column;
            let mine = || asked.iter().copied().filter(|hit| self.hits[*hit].reference == reference);
            if mine().next().is_none() {
                continue;
            }
            let session = sessions.get(&column.source).await?;
            match column.path() {
                FilePath::Template(_) => {
                    let paths: Vec<_> = mine().filter_map(|hit| self.hits[hit].path.clone()).collect();
                    let named = column.named(session, &referenced.store, &paths, gone).await?;
                    alive.extend(
                        mine().filter(|hit| self.hits[*hit].path.as_ref().is_none_or(|path| named.contains(path))),
                    );
                }
                FilePath::Column(_) => {
                    let mut written: Vec<_> = mine().map(|hit| self.hits[hit].written.clone()).collect();
                    written.sort_unstable();
                    written.dedup();
                    let still = column.still_written(session, &written, gone).await?;
                    let is_alive = |hit: &usize| {
                        let written = &self.hits[*hit].written;
                        // What is one of several, or was read as no text, is not asked for again.
                        written.is_empty() || written.contains(char::REPLACEMENT_CHARACTER) || still.contains(written)
                    };
                    alive.extend(mine().filter(is_alive));
                }
            }
        }
        Ok(alive)
    }

    /// Directories to go in which a file has a name that a path ends with which leads elsewhere.
    async fn directories_with_names(
        &self,
        referenced: &ReferencedStore,
        removals: &[RemovalRequest],
    ) -> Vec<StorePath> {
        let directories: Vec<_> = removals.iter().filter(|removal| removal.directory).cloned().collect();
        if self.outside.is_empty() || directories.is_empty() {
            return Vec::new();
        }
        let paths: Vec<_> = directories.iter().map(|removal| removal.path.text()).collect();
        let (sender, receiver) = std::sync::mpsc::channel();
        let (outside, fingerprinter) = (self.outside.clone(), self.fingerprinter.clone());
        let listener = Arc::new(move |inside: Inside| {
            if name_forms(&inside.path).iter().any(|form| outside.find(fingerprinter.of(form.as_bytes()))) {
                // Whoever listens is there until all were looked at.
                let _ = sender.send(inside.place);
            }
        });
        let look = Look { listener: Some(listener), gone: None };
        let never = tokio_util::sync::CancellationToken::new();
        referenced.open.examine(directories, jiff::Timestamp::MAX, &never, look).await;
        let mut places: Vec<usize> = receiver.try_iter().collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| paths.get(place).cloned().flatten()).collect()
    }
}

/// True if a path that a row names may lead to another one: it is that one, or the same file, or is not there itself.
pub fn means(open: &OpenStore, named: &StorePath, path: &StorePath) -> bool {
    if named == path {
        return true;
    }
    let glance = |path: &StorePath| open.glance(&RawPath::from(path));
    match (glance(named), glance(path)) {
        (Ok(Glance::File(named)), Ok(Glance::File(path))) => (named.device, named.inode) == (path.device, path.inode),
        (Ok(Glance::File(_)), Ok(Glance::Missing | Glance::Directory)) => false,
        (Ok(Glance::Missing | Glance::Directory) | Err(_), _) | (_, Err(_)) => true,
    }
}

//! Everything that the rows of a store's references name, read from end to end before the store is walked.

use std::ops::ControlFlow;

use super::outside::{Beginnings, SHOWN_AT_MOST};
use crate::outcome::OutsidePaths;
use crate::policy::{Settings, Store, name_forms, written_name_forms};
use crate::run::fingerprints::{Collection, Fingerprinter, Fingerprints};
use crate::run::referenced_store::ReferencedStore;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{NamedPath, Naming, ReferenceColumn, Rows, SourceError};

/// Rows between two looks at the stop.
const ROWS_BETWEEN_STOPS: u64 = 1024;

/// Everything that rows name in a store.
pub(in crate::run) struct Names {
    pub(in crate::run) fingerprinter: Fingerprinter,
    /// Files, and directories that rows name as such, by their paths.
    pub(in crate::run) paths: Fingerprints,
    /// Files by the last segments of their paths.
    pub(in crate::run) names: Fingerprints,
    /// Directories that rows name with everything in them.
    pub(in crate::run) directories: Fingerprints,
    /// Numbers of components that the paths of such directories have.
    pub(in crate::run) depths: Vec<usize>,
    /// Forms of the names that paths end with which lead out of the store: of files, and of directories.
    pub(in crate::run) outside: Fingerprints,
    pub(in crate::run) outside_directories: Fingerprints,
    pub(in crate::run) counts: Vec<Counts>,
}

/// Counts of the rows of one reference, by where their paths lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::run) struct Counts {
    /// `nvr.detections.thumbnail_path`.
    pub(in crate::run) reference: String,
    /// The operator declared it as a reference of the store; others are files of rows that policies own there.
    pub(in crate::run) declared: bool,
    pub(in crate::run) may_be_missing: bool,
    pub(in crate::run) may_be_empty: bool,
    pub(in crate::run) rows: u64,
    /// Rows that name a file of the store.
    pub(in crate::run) inside: u64,
    /// Rows whose path maps neither into this store nor into another one that the same column is a reference of.
    pub(in crate::run) outside: u64,
    /// Beginnings of those paths.
    pub(in crate::run) beginnings: Beginnings,
}

/// Why the names are not known.
#[derive(Debug, thiserror::Error)]
pub(in crate::run) enum NamesError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("stopped while the references were read")]
    Stopped,
}

/// Collects names.
#[derive(Default)]
struct Collector {
    fingerprinter: Fingerprinter,
    paths: Collection,
    names: Collection,
    directories: Collection,
    depths: Vec<usize>,
    outside: Collection,
    outside_directories: Collection,
}

impl Names {
    /// Reads every reference of a store.
    pub(in crate::run) async fn read(
        referenced: &ReferencedStore,
        settings: &Settings,
        sessions: &mut Sessions,
        stop: &Stop,
    ) -> Result<Self, NamesError> {
        let mut collector = Collector::default();
        let mut counts = Vec::new();
        let store = referenced.store.clone();
        for naming in &referenced.references {
            let column = &naming.column;
            let mut reading = Reading {
                collector: &mut collector,
                column,
                elsewhere: settings
                    .others_named(&store.name, (&column.source, &column.table.table, column.path()))
                    .collect(),
                counts: Counts {
                    reference: format!("{}.{}.{}", column.source, column.table, column.path()),
                    declared: naming.declared,
                    may_be_missing: naming.may_be_missing,
                    may_be_empty: naming.may_be_empty,
                    ..Counts::default()
                },
            };
            let (reader, _permit) = sessions.reader(&column.source).await?;
            let mut each = |naming: Naming<'_>| {
                reading.take(naming);
                match reading.counts.rows.is_multiple_of(ROWS_BETWEEN_STOPS) && stop.is_set() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let read = column.read_all(reader, &store, Rows::All, &mut each);
            if sessions.metering().measure(&column.source, read).await?.is_none() {
                return Err(NamesError::Stopped);
            }
            counts.push(reading.counts);
        }
        let Collector { fingerprinter, paths, names, directories, depths, outside, outside_directories } = collector;
        Ok(Self {
            fingerprinter,
            paths: paths.finish(),
            names: names.finish(),
            directories: directories.finish(),
            depths,
            outside: outside.finish(),
            outside_directories: outside_directories.finish(),
            counts,
        })
    }

    /// Number of rows that were read.
    pub(in crate::run) fn rows(&self) -> u64 {
        self.counts.iter().map(|counts| counts.rows).sum()
    }

    /// Number of rows that lead out of the store, and the beginnings of most of their paths.
    pub(in crate::run) fn outside(&self) -> (u64, Vec<OutsidePaths>) {
        let rows = self.counts.iter().map(|counts| counts.outside).sum();
        let all = self.counts.iter().flat_map(|counts| counts.beginnings.shown(&counts.reference));
        let mut shown: Vec<_> = all.collect();
        shown.sort_by(|one, other| other.rows.cmp(&one.rows).then_with(|| one.begins.cmp(&other.begins)));
        shown.truncate(SHOWN_AT_MOST);
        (rows, shown)
    }

    /// True if a row that leads out of the store may mean the file, or a directory that it is in, by the last segment of
    /// what it has written.
    pub(in crate::run) fn may_mean(&self, path: &str) -> bool {
        if self.outside.is_empty() && self.outside_directories.is_empty() {
            return false;
        }
        let has = |set: &Fingerprints, path: &str| {
            !set.is_empty() && name_forms(path).iter().any(|form| set.find(self.fingerprinter.of(form.as_bytes())))
        };
        has(&self.outside, path) || self.may_mean_directory(path)
    }

    /// True if a row that leads out of the store may mean this directory as a whole.
    pub(in crate::run) fn may_mean_directory(&self, path: &str) -> bool {
        if self.outside_directories.is_empty() {
            return false;
        }
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut forms = ends.flat_map(|end| name_forms(&path[..end]));
        forms.any(|form| self.outside_directories.find(self.fingerprinter.of(form.as_bytes())))
    }

    /// Number of different paths and names that rows name, and of those that the walk has not found.
    pub(in crate::run) fn count(&self) -> (u64, u64) {
        let sets = [&self.paths, &self.names, &self.directories];
        (sets.iter().map(|set| set.len()).sum(), sets.iter().map(|set| set.missed()).sum())
    }

    /// True if rows name a directory as a whole, or one that it is in. A path that rows name as that of a file keeps a
    /// directory, too.
    pub(in crate::run) fn holds_directory(&self, directory: &[u8]) -> bool {
        if directory.is_empty() || (self.directories.is_empty() && self.paths.is_empty()) {
            return false;
        }
        let slashes = directory.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut ends = slashes.map(|(at, _)| at).chain([directory.len()]);
        ends.any(|end| {
            let fingerprint = self.fingerprinter.of(&directory[..end]);
            self.directories.find(fingerprint) || self.paths.find(fingerprint)
        })
    }

    /// True if rows name a file, by its path or its name.
    pub(in crate::run) fn holds_file(&self, path: &[u8]) -> bool {
        // Both are asked, so that both are marked as found.
        let by_path = self.paths.find(self.fingerprinter.of(path));
        if self.names.is_empty() {
            return by_path;
        }
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        self.names.find(self.fingerprinter.of(name)) || by_path
    }
}

/// One reference that is being read.
struct Reading<'a> {
    collector: &'a mut Collector,
    column: &'a ReferenceColumn,
    /// Other stores that the same column is a reference of.
    elsewhere: Vec<&'a Store>,
    counts: Counts,
}

impl Reading<'_> {
    fn take(&mut self, naming: Naming<'_>) {
        self.counts.rows += 1;
        self.collect(naming);
    }

    fn collect(&mut self, naming: Naming<'_>) {
        let fingerprinter = &self.collector.fingerprinter;
        match naming {
            Naming::Nothing => {}
            Naming::Several(several) => several.into_iter().for_each(|naming| self.collect(naming)),
            Naming::Name(name) => {
                self.counts.inside += 1;
                self.collector.names.push(fingerprinter.of(name.as_bytes()));
            }
            Naming::Path(NamedPath { path, .. }) => {
                self.counts.inside += 1;
                let fingerprint = fingerprinter.of(path.as_bytes());
                if self.column.directory {
                    self.collector.directories.push(fingerprint);
                    let depth = path.split('/').count();
                    if !self.collector.depths.contains(&depth) {
                        self.collector.depths.push(depth);
                    }
                } else {
                    self.collector.paths.push(fingerprint);
                }
            }
            Naming::Outside(written) => {
                if self.elsewhere.iter().any(|store| store.map_reference(&written).is_some()) {
                    return;
                }
                self.counts.outside += 1;
                self.counts.beginnings.add(&written);
                let outside = match self.column.directory {
                    true => &mut self.collector.outside_directories,
                    false => &mut self.collector.outside,
                };
                for form in written_name_forms(&written) {
                    outside.push(fingerprinter.of(form.as_bytes()));
                }
            }
        }
    }
}

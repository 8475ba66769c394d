//! Everything that the rows of a store's references name, read from end to end before the store is walked.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::fingerprints::{Collection, Fingerprinter, Fingerprints};
use crate::policy::{FilePath, ReferenceMatch, Settings, Store, StorePath};
use crate::run::custody::Custody;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{Naming, OddNames, ReferenceColumn, SourceError};

/// Rows between two looks at the stop.
const ROWS_BETWEEN_STOPS: u64 = 1024;
/// Paths that map to no file of the store, shown of each reference.
const SHOWN_AT_MOST: usize = 3;

/// What rows name in a store.
pub(in crate::run) struct Names {
    pub(in crate::run) fingerprinter: Fingerprinter,
    /// Files, and directories that rows name as such, by their paths.
    pub(in crate::run) paths: Fingerprints,
    /// Files by the last segments of their paths.
    pub(in crate::run) names: Fingerprints,
    /// Directories that rows name with everything in them.
    pub(in crate::run) directories: Fingerprints,
    /// How many components the paths of such directories have.
    pub(in crate::run) depths: Vec<usize>,
    pub(in crate::run) counts: Vec<Counts>,
}

/// What one reference was found to name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::run) struct Counts {
    /// `nvr.detections.thumbnail_path`.
    pub(in crate::run) reference: String,
    /// The operator declared it as a reference of the store; others are files of rows that policies own there.
    pub(in crate::run) declared: bool,
    pub(in crate::run) rows: u64,
    /// Rows that name a file of the store.
    pub(in crate::run) inside: u64,
    /// Rows whose path maps neither into this store nor into another one that the same column is a reference of.
    pub(in crate::run) outside: u64,
    /// The first of those.
    pub(in crate::run) samples: Vec<String>,
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
}

impl Names {
    /// Reads every reference of a store; the custody learns which of them are spelled oddly.
    pub(in crate::run) async fn read(
        custody: &mut Custody,
        settings: &Settings,
        sessions: &mut Sessions,
        stop: &Stop,
    ) -> Result<Self, NamesError> {
        let mut collector = Collector::default();
        let mut counts = Vec::new();
        let store = custody.store.clone();
        for naming in &mut custody.references {
            let column = &naming.column;
            let mut reading = Reading {
                collector: &mut collector,
                column,
                odd: &mut naming.odd,
                elsewhere: elsewhere(column, &store, settings),
                counts: Counts {
                    reference: format!("{}.{}.{}", column.source, column.table, column.path()),
                    declared: naming.declared,
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
            // A reading that is stopped before its first row takes its connection with it.
            let read = stop.token().run_until_cancelled(column.read_all(reader, &store, &mut each)).await;
            if read.transpose()?.flatten().is_none() {
                return Err(NamesError::Stopped);
            }
            counts.push(reading.counts);
        }
        let Collector { fingerprinter, paths, names, directories, depths } = collector;
        let (paths, names, directories) = (paths.finish(), names.finish(), directories.finish());
        Ok(Self { fingerprinter, paths, names, directories, depths, counts })
    }

    /// How many rows were read.
    pub(in crate::run) fn rows(&self) -> u64 {
        self.counts.iter().map(|counts| counts.rows).sum()
    }

    /// How many different paths and names rows name, and how many of them the walk has not found.
    pub(in crate::run) fn count(&self) -> (u64, u64) {
        let sets = [&self.paths, &self.names, &self.directories];
        (sets.iter().map(|set| set.len()).sum(), sets.iter().map(|set| set.missed()).sum())
    }

    /// Whether rows name a directory as a whole, or one that it is in. A path that rows name as that of a file keeps a
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

    /// Whether rows name a file, by its path or its name.
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
    odd: &'a mut OddNames,
    /// Other stores that the same column is a reference of.
    elsewhere: Vec<&'a Store>,
    counts: Counts,
}

impl Reading<'_> {
    fn take(&mut self, naming: Naming<'_>) {
        self.counts.rows += 1;
        let fingerprinter = &self.collector.fingerprinter;
        match naming {
            Naming::Nothing => {}
            Naming::Name(name) => {
                self.counts.inside += 1;
                self.collector.names.push(fingerprinter.of(name.as_bytes()));
            }
            Naming::Path(path) => {
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
                if let (Cow::Owned(path), FilePath::Column(_)) = (path, self.column.path())
                    && let Ok(path) = StorePath::parse(&path)
                {
                    self.odd.insert(&path);
                }
            }
            Naming::Outside(written) => {
                if self.elsewhere.iter().any(|store| store.map_reference(&written).is_some()) {
                    return;
                }
                self.counts.outside += 1;
                if self.counts.samples.len() < SHOWN_AT_MOST {
                    self.counts.samples.push(written.into_owned());
                }
            }
        }
    }
}

fn elsewhere<'a>(column: &ReferenceColumn, store: &Store, settings: &'a Settings) -> Vec<&'a Store> {
    let others = settings.stores.iter().filter(|other| other.name != store.name);
    let shares = |other: &&std::sync::Arc<Store>| {
        let declared = other.references.iter().any(|reference| {
            reference.source == column.source
                && reference.table.table == column.table.table
                && reference.path == *column.path()
                && reference.matching == ReferenceMatch::Path
        });
        let owned = settings.owned_in(&other.name).any(|(_, rows, table, file)| {
            rows.source == column.source && table.table == column.table.table && file.path == *column.path()
        });
        declared || owned
    };
    others.filter(shares).map(std::sync::Arc::as_ref).collect()
}

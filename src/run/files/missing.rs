//! The other way round: what rows name and is not in the store. Told, and what has a similar spelling is kept.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::ended::TreeEnd;
use super::reference_index::Names;
use crate::decide::references::JUDGED_FROM;
use crate::outcome::{AlikeFile, MissingFile, SHOWN_AT_MOST};
use crate::policy::{ReferenceMatch, StorePath, file_forms, name_forms, written_forms, written_name_forms};
use crate::run::account::Account;
use crate::run::fingerprints::{Collection, Fingerprinter, Fingerprints};
use crate::run::referenced_store::ReferencedStore;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::{NamedPath, Naming, Rows};
use crate::stores::{Look, Outcome, RemovalRequest};

/// Files that are looked for at a time.
const FILES_AT_ONCE: usize = 1000;
/// Rows of one reference that are looked after.
const MISSED_AT_MOST: usize = 100_000;
/// Most components that a row may leave out, or have more of.
const DEEPEST: usize = 16;
/// Missing files that are known by their forms.
const KNOWN_AT_MOST: usize = 1000;

/// Files that rows name and that are not there.
#[derive(Default)]
pub(super) struct Missing {
    /// References that name at least [`JUDGED_FROM`] paths, of which none is there, and may not.
    pub(super) absent: Vec<MissingFile>,
    /// Files that are not there, of references that speak for something.
    pub(super) files: u64,
    /// Rows of such references that name a file.
    pub(super) rows: u64,
    alike: Collected,
}

/// Forms of what is missing.
#[derive(Default)]
struct Collected {
    paths: Collection,
    /// Ends of paths, some leading components left out: a file may have one as its whole path.
    ends: Collection,
    /// Of names alone, and of texts that list several.
    names: Collection,
    known: HashMap<u64, MissingFile>,
}

/// Names that keep a file which no row names as it is spelled.
pub(super) struct Alike {
    names: Arc<Names>,
    paths: Fingerprints,
    ends: Fingerprints,
    missing_names: Fingerprints,
    known: HashMap<u64, MissingFile>,
}

/// Tells of rows whose file is missing: those that the walk did not find, and that are not there now either.
pub(super) async fn tell(
    referenced: &ReferencedStore,
    names: &Names,
    sessions: &mut Sessions,
    stop: &Stop,
    account: &mut Account,
) -> Result<Missing, TreeEnd> {
    let mut missing = Missing::default();
    for (naming, counts) in referenced.references.iter().zip(&names.counts) {
        let column = &naming.column;
        let by_name = column.matching() == ReferenceMatch::Name;
        let set = match (by_name, column.directory) {
            (true, _) => &names.names,
            (false, true) => &names.directories,
            (false, false) => &names.paths,
        };
        if by_name && !naming.may_be_missing {
            missing.rows += counts.inside;
        }
        if set.missed() == 0 {
            continue;
        }
        let mut missed = Missed {
            set,
            fingerprinter: &names.fingerprinter,
            alike: &mut missing.alike,
            reference: &counts.reference,
            rows: 0,
            missed: 0,
            paths: Vec::new(),
            different: HashSet::new(),
        };
        let (reader, _permit) = sessions.reader(&column.source).await?;
        let mut each = |named: Naming<'_>| {
            missed.take(named);
            if stop.is_set() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let reading = column.read_all(reader, &referenced.store, Rows::Holding, &mut each);
        sessions.metering().measure(&column.source, reading).await?;
        let Missed { rows, missed: walked_past, paths, different, .. } = missed;
        let mut absent = 0;
        for some in paths.chunks(FILES_AT_ONCE).take_while(|_| !stop.is_set()) {
            absent += look(referenced, some, column.directory, &counts.reference, stop, account).await;
        }
        if stop.is_set() {
            return Err(TreeEnd::Stopped);
        }
        if walked_past > paths.len() as u64 {
            account
                .notes
                .push(format!("more than {MISSED_AT_MOST} rows of {} name files that are missing", counts.reference));
        }
        // A name tells no place in which its file could be missing.
        if naming.may_be_missing || by_name {
            continue;
        }
        missing.rows += rows;
        missing.files += absent;
        if different.len() >= JUDGED_FROM && walked_past == rows && absent == paths.len() as u64 {
            let path = paths.first().map(ToString::to_string).unwrap_or_default();
            missing.absent.push(MissingFile { reference: counts.reference.clone(), path });
        }
    }
    Ok(missing)
}

/// Names of one reference that the walk did not find.
struct Missed<'a> {
    set: &'a Fingerprints,
    fingerprinter: &'a Fingerprinter,
    alike: &'a mut Collected,
    reference: &'a str,
    rows: u64,
    missed: u64,
    /// As many as fit into memory at ease; of more it is only said that there are more.
    paths: Vec<StorePath>,
    /// The first different ones that are named.
    different: HashSet<u64>,
}

impl Missed<'_> {
    fn take(&mut self, named: Naming<'_>) {
        match named {
            Naming::Nothing | Naming::Outside(_) => {}
            Naming::Several(several) => several.into_iter().for_each(|naming| self.take(naming)),
            Naming::Name(name) => {
                if self.set.is_missed(self.fingerprinter.of(name.as_bytes())) {
                    self.alike.push_names(self.fingerprinter, &name);
                }
            }
            Naming::Path(NamedPath { path, .. }) => {
                self.rows += 1;
                let fingerprint = self.fingerprinter.of(path.as_bytes());
                if self.different.len() < JUDGED_FROM {
                    self.different.insert(fingerprint);
                }
                if self.set.is_missed(fingerprint) {
                    self.missed += 1;
                    self.alike.push(self.fingerprinter, self.reference, &path);
                    if self.paths.len() < MISSED_AT_MOST {
                        self.paths.extend(StorePath::parse(&path).ok());
                    }
                }
            }
        }
    }
}

impl Collected {
    fn push(&mut self, fingerprinter: &Fingerprinter, reference: &str, path: &str) {
        for form in written_forms(path) {
            let fingerprint = fingerprinter.of(form.as_bytes());
            self.paths.push(fingerprint);
            if self.known.len() < KNOWN_AT_MOST {
                let file = || MissingFile { reference: reference.to_owned(), path: path.to_owned() };
                self.known.entry(fingerprint).or_insert_with(file);
            }
        }
        for end in ends(path).flat_map(written_forms) {
            self.ends.push(fingerprinter.of(end.as_bytes()));
        }
        // A text that lists several files names none of them by itself.
        if path.contains([',', ';', '|', '\n', '\t', '"']) {
            self.push_names(fingerprinter, path);
        }
    }

    fn push_names(&mut self, fingerprinter: &Fingerprinter, written: &str) {
        for form in written_name_forms(written) {
            self.names.push(fingerprinter.of(form.as_bytes()));
        }
    }
}

impl Missing {
    /// Forms by which files that are spelled similarly are kept.
    pub(super) fn alike(self, names: Arc<Names>) -> Alike {
        let Collected { paths, ends, names: missing_names, known } = self.alike;
        let (paths, ends, missing_names) = (paths.finish(), ends.finish(), missing_names.finish());
        Alike { names, paths, ends, missing_names, known }
    }
}

impl Alike {
    /// The file of a row that may mean this one, in another spelling; none where no row does.
    pub(super) fn of(&self, path: &str) -> Option<AlikeFile> {
        let fingerprint = |form: &String| self.names.fingerprinter.of(form.as_bytes());
        if !self.paths.is_empty() {
            let form_there = file_forms(path).iter().map(fingerprint).find(|form| self.paths.find(*form));
            // A row may leave out, or have more of, what paths begin with.
            let form_there = form_there.or_else(|| {
                let mut shorter = ends(path).flat_map(file_forms).map(|form| fingerprint(&form));
                shorter.find(|form| self.paths.find(*form))
            });
            if let Some(form) = form_there {
                return Some(AlikeFile { path: path.to_owned(), named: self.known.get(&form).cloned() });
            }
            if file_forms(path).iter().map(fingerprint).any(|form| self.ends.find(form)) {
                return Some(AlikeFile { path: path.to_owned(), named: None });
            }
        }
        let by_name = !self.missing_names.is_empty()
            && name_forms(path).iter().map(fingerprint).any(|form| self.missing_names.find(form));
        by_name.then(|| AlikeFile { path: path.to_owned(), named: None })
    }

    /// True if a row may mean the file, in another spelling or by a path that leads out of the store.
    pub(super) fn may_be_meant(&self, path: &str) -> bool {
        self.names.may_mean(path) || self.of(path).is_some()
    }

    /// True if nothing is kept for its spelling.
    pub(super) fn is_empty(&self) -> bool {
        let names = &self.names;
        let sets = [&self.paths, &self.ends, &self.missing_names, &names.outside, &names.outside_directories];
        sets.into_iter().all(Fingerprints::is_empty)
    }
}

/// A path without its first components, the first one, two, …
fn ends(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices(['/', '\\']).take(DEEPEST).map(|(at, _)| &path[at + 1..]).filter(|end| !end.is_empty())
}

/// Looks for files; how many are not there.
async fn look(
    referenced: &ReferencedStore,
    paths: &[StorePath],
    directory: bool,
    reference: &str,
    stop: &Stop,
    account: &mut Account,
) -> u64 {
    let removal = |path: &StorePath| match directory {
        true => RemovalRequest::directory(path),
        false => RemovalRequest::file(path),
    };
    let removal = paths.iter().map(removal).collect();
    let outcomes = referenced.open.examine(removal, jiff::Timestamp::MAX, stop.token(), Look::default()).await;
    let mut absent = 0;
    for (path, _) in outcomes.into_iter().filter(|(_, outcome)| *outcome == Outcome::Missing) {
        absent += 1;
        account.tally.references_missing += 1;
        if account.missing.len() < SHOWN_AT_MOST {
            account.missing.push(MissingFile { reference: reference.to_owned(), path: path.to_string() });
        }
    }
    absent
}

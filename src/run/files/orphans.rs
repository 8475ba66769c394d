//! Files of a store that no row names: the names in all rows are read first, then the store is walked, and whatever is
//! neither named nor young is put down for the last question and removal.

use std::sync::Arc;

use super::ended::TreeEnd;
use super::finding::{Finding, Looking, Sink, tell_unseen};
use super::found_files::SeenFile;
use super::missing;
use super::reference_index::{Counts, Names};
use super::weighed::Weighed;
use crate::decide::blocked::Blocked;
use crate::decide::file::{FileFacts, FileKind};
use crate::decide::files::{AgeOf, aged_from_ns, is_changed_since, is_old};
use crate::decide::guards::{Going, Judged};
use crate::decide::references::{NamedFiles, NotFound, judge_found, judge_reference};
use crate::policy::{AgeBy, FileMatch, OrphansPolicy, PathTemplate, Store};
use crate::run::plan_state::GoneInStore;
use crate::stores::{RawPath, Visitor, Want};
use crate::text::human::count;

/// Counts of one worker.
#[derive(Debug, Clone, Copy, Default)]
struct Tallied {
    /// Files, and directories that rows name as a whole, that the policy is about.
    matched: u64,
    named: u64,
    young: u64,
    /// Of those, the ones that were written long ago.
    recent: u64,
    /// Names that are no text, so that it cannot be told whether a row means them.
    unreadable: u64,
    /// Files that a row may mean whose path leads out of the store.
    by_last_segment: u64,
    orphans: u64,
}

/// A scan for orphans, shared by all workers of the walk.
struct Scan {
    names: Arc<Names>,
    matching: FileMatch,
    units: Units,
    cutoff_ns: i128,
    age_by: AgeBy,
    sink: Sink,
    gone: Option<Arc<GoneInStore>>,
}

impl Scan {
    /// True if the policy is about a file, whether a row names it or not.
    fn concerns(&self, path: &[u8]) -> bool {
        self.matching.matches(path) && !self.gone.as_ref().is_some_and(|gone| gone.has(path))
    }
}

/// Directories of a store that are named, and go, as a whole.
struct Units {
    templates: Vec<PathTemplate>,
    /// Numbers of components that their paths have, where a column has the whole path.
    depths: Vec<usize>,
}

impl Units {
    fn new(store: &Store, names: &Names) -> Self {
        let directories = store.references.iter().filter(|reference| reference.directory);
        let templates = directories.filter_map(|reference| reference.path.template().cloned()).collect();
        Self { templates, depths: names.depths.clone() }
    }

    fn has(&self, directory: &[u8]) -> bool {
        // The root is no unit, although its path looks like one component.
        if directory.is_empty() || (self.templates.is_empty() && self.depths.is_empty()) {
            return false;
        }
        let Ok(directory) = std::str::from_utf8(directory) else { return false };
        self.templates.iter().any(|template| template.fits(directory))
            || self.depths.contains(&directory.split('/').count())
    }
}

/// One worker of the walk.
struct Worker {
    scan: Arc<Scan>,
    tallied: Tallied,
    weighed: Weighed,
}

impl Visitor for Worker {
    fn enters(&mut self, directory: &[u8]) -> bool {
        let scan = &self.scan;
        if scan.names.holds_directory(directory) {
            self.weighed.closed += 1;
            if scan.units.has(directory) {
                self.tallied.matched += 1;
                self.tallied.named += 1;
            }
            return false;
        }
        if !scan.units.has(directory) || !scan.matching.matches(directory) {
            return true;
        }
        // A directory that no row names goes as a whole; whether all in it is old is seen when it is looked at.
        self.tallied.matched += 1;
        self.weighed.closed += 1;
        if std::str::from_utf8(directory).is_ok_and(|directory| scan.names.may_mean_directory(directory)) {
            self.tallied.by_last_segment += 1;
            return false;
        }
        self.tallied.orphans += 1;
        scan.sink.push(directory, None);
        false
    }

    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        if kind != FileKind::File || !self.scan.concerns(path) {
            return self.weighed.other(path);
        }
        self.tallied.matched += 1;
        if self.scan.names.holds_file(path) {
            self.tallied.named += 1;
            return self.weighed.other(path);
        }
        Want::Facts
    }

    fn facts(&mut self, path: &[u8], facts: &FileFacts) {
        let scan = &self.scan;
        let judged = facts.kind == FileKind::File && scan.concerns(path) && !scan.names.holds_file(path);
        self.weighed.weigh(path, facts, judged);
        if !judged {
            return;
        }
        let (age_by, cutoff_ns) = (self.scan.age_by, self.scan.cutoff_ns);
        if !is_old(facts, AgeOf::Orphan, age_by, cutoff_ns) {
            self.tallied.young += 1;
            self.tallied.recent += u64::from(is_changed_since(facts, AgeOf::Orphan, age_by, cutoff_ns));
            return;
        }
        let text =
            std::str::from_utf8(path).ok().filter(|_| RawPath::parse(path).is_ok_and(|path| path.text().is_some()));
        if text.is_none() {
            self.tallied.unreadable += 1;
        } else if text.is_some_and(|text| self.scan.names.may_mean(text)) {
            self.tallied.by_last_segment += 1;
        } else {
            self.tallied.orphans += 1;
            self.weighed.note_eligible(aged_from_ns(facts, AgeOf::Orphan, age_by));
            self.scan.sink.push(path, Some(SeenFile { device: facts.device, seen: facts.seen() }));
        }
    }
}

impl Looking<'_> {
    /// Finds the orphans of a store.
    pub(super) async fn find_orphans(mut self, policy: &OrphansPolicy) -> Result<Finding, TreeEnd> {
        let mut finding = Finding::new(self.began_at);
        if let Some(why) = self.identity_guard().await? {
            return Ok(finding.blocked(why));
        }
        let (store, settings, stop) = (self.referenced.store.clone(), &self.run.runner.settings, self.run.stop);
        let names = Arc::new(Names::read(self.referenced, settings, self.sessions, stop).await?);
        tracing::debug!(store = %store.name, references = names.rows(), "Read what rows name in store {}", store.name);
        (finding.account.tally.references_outside, finding.account.outside) = names.outside();
        // Rows that a policy owns files by may all be gone; of declared references somebody says that they name files.
        let why = names.counts.iter().filter(|counts| counts.declared).find_map(|counts| {
            let Counts { reference, rows, inside, outside, may_be_empty, .. } = counts;
            let (rows, inside, outside, may_be_empty) = (*rows, *inside, *outside, *may_be_empty);
            let named = NamedFiles { reference, may_be_empty, rows, inside, outside };
            judge_reference(&store, &named, || counts.beginnings.examples(3).to_string())
        });
        if let Some(why) = why {
            return Ok(finding.blocked(why));
        }
        let cutoff_ns = policy.cutoff(self.run.now).as_nanosecond();
        let (matching, units) = (policy.matching.clone(), Units::new(&store, &names));
        let gone = self.gone.take();
        let age_by = store.age_by;
        let scan = Arc::new(Scan { names: names.clone(), matching, units, cutoff_ns, age_by, sink: Sink::new(), gone });
        let make = {
            let scan = scan.clone();
            move || Worker { scan: scan.clone(), tallied: Tallied::default(), weighed: Weighed::default() }
        };
        let walked = self.referenced.open.walk(make, stop.token()).await?;
        tracing::debug!(store = %store.name, files = walked.surveyed.files, "Walked store {}", store.name);
        let mut all = Tallied::default();
        walked.visitors.iter().for_each(|worker| all.add(worker.tallied));
        let weighed = walked.visitors.iter().map(|worker| worker.weighed);
        finding.account.survey = Some(self.survey(weighed, &walked.surveyed));
        tell_unseen(&mut finding.account, &walked.surveyed);
        all.tell(&mut finding);
        if walked.surveyed.errors > 0 {
            let (store, places) = (store.name.clone(), walked.surveyed.errors);
            return Ok(finding.blocked(Blocked::StoreUnseen { store, places }));
        }
        let missing = missing::tell(self.referenced, &names, self.sessions, stop, &mut finding.account).await?;
        let (named, missed) = names.count();
        let (rows, files, absent) = (missing.rows, missing.files, missing.absent.first());
        let found = NotFound { named, missed, rows, files, absent, example: finding.account.missing.first() };
        if let Some(why) = judge_found(&store, all.orphans, &found) {
            return Ok(finding.blocked(why));
        }
        finding.alike = Some(missing.alike(names.clone())).filter(|alike| !alike.is_empty()).map(Arc::new);
        let mut judged = Judged::default();
        let share = Going { going: all.orphans, of: all.matched };
        let max_files = policy.max_files.map(std::num::NonZeroU64::get);
        judged.read_share(share, max_files, Some(policy.max_fraction.get()), self.run.looked);
        finding.spool = Some(scan.sink.finish()?);
        self.run.judged(finding, judged, share).await
    }
}

impl Tallied {
    fn add(&mut self, other: Self) {
        self.matched += other.matched;
        self.named += other.named;
        self.young += other.young;
        self.recent += other.recent;
        self.unreadable += other.unreadable;
        self.by_last_segment += other.by_last_segment;
        self.orphans += other.orphans;
    }

    fn tell(&self, finding: &mut Finding) {
        finding.account.tally.files_scanned = self.matched;
        finding.account.tally.files_recently_changed = self.recent;
        let mut note = |files: u64, one: &str, many: &str| match files {
            0 => {}
            1 => finding.account.notes.push(format!("1 file {one}")),
            _ => finding.account.notes.push(format!("{} files {many}", count(files))),
        };
        note(
            self.young,
            "that no row names is younger than keep, and stays",
            "that no row names are younger than keep, and stay",
        );
        note(
            self.by_last_segment,
            "has the name that a path ends with which leads out of the store, and stays",
            "have the name that a path ends with which leads out of the store, and stay",
        );
        note(
            self.unreadable,
            "has a name that is no text, so that no row can be asked for it, and stays",
            "have names that are no text, so that no row can be asked for them, and stay",
        );
    }
}

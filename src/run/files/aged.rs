//! Files of a store that may go by age, number and size: everything that matches is looked at, and chosen from.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

use super::ended::TreeEnd;
use super::finding::{Finding, Looking, Sink, tell_unseen};
use super::found_files::{SeenFile, Spool};
use super::weighed::{Weighed, fingerprint};
use crate::decide::choose::{Choice, Record, RoomToMake, Rules, choose};
use crate::decide::file::{FileFacts, FileKind};
use crate::decide::files::{AgeOf, aged_from_ns, is_changed_since, is_old};
use crate::decide::guards::{Going, Judged};
use crate::policy::{AgeBy, FileMatch, FilesPolicy};
use crate::run::plan_state::GoneInStore;
use crate::stores::{RawPath, Visitor, Want};

/// A scan for them, shared by all workers of the walk.
struct Scan {
    matching: FileMatch,
    cutoff_ns: Option<i128>,
    age_by: AgeBy,
    /// Files cannot be judged one by one: each is remembered with what decides about it.
    records: Option<Mutex<Vec<Record>>>,
    sink: Sink,
    prune_empty: bool,
    gone: Option<Arc<GoneInStore>>,
}

/// One worker of the walk.
struct Worker {
    scan: Arc<Scan>,
    matched: u64,
    chosen: u64,
    /// Old enough by their time of writing, and made since.
    recent: u64,
    /// Directories in which nothing is.
    empty: Vec<RawPath>,
    weighed: Weighed,
}

impl Worker {
    fn judges(&self, path: &[u8]) -> bool {
        self.scan.matching.matches(path) && !self.scan.gone.as_ref().is_some_and(|gone| gone.has(path))
    }
}

impl Visitor for Worker {
    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        match kind == FileKind::File && self.judges(path) {
            true => Want::Facts,
            false => self.weighed.other(path),
        }
    }

    fn facts(&mut self, path: &[u8], facts: &FileFacts) {
        let judged = facts.kind == FileKind::File && self.judges(path);
        self.weighed.weigh(path, facts, judged);
        if !judged {
            return;
        }
        self.matched += 1;
        let (cutoff_ns, age_by) = (self.scan.cutoff_ns, self.scan.age_by);
        let aged_from_ns = aged_from_ns(facts, AgeOf::File, age_by);
        let is_old = cutoff_ns.is_some_and(|cutoff_ns| is_old(facts, AgeOf::File, age_by, cutoff_ns));
        if is_old {
            self.weighed.note_eligible(aged_from_ns);
        }
        let is_recent = |cutoff_ns| is_changed_since(facts, AgeOf::File, age_by, cutoff_ns);
        self.recent += u64::from(cutoff_ns.is_some_and(is_recent));
        let file = SeenFile { device: facts.device, seen: facts.seen() };
        match &self.scan.records {
            None => {
                if is_old {
                    self.chosen += 1;
                    self.scan.sink.push(path, Some(file));
                }
            }
            Some(records) => {
                let directory = path.rsplitn(2, |byte| *byte == b'/').nth(1).unwrap_or_default();
                let size_bytes = facts.freed_alone();
                let (directory, mtime_ns) = (fingerprint(directory), aged_from_ns);
                // One lock around both, so that the records are in the order of the spool.
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                records.push(Record { directory, mtime_ns, rank: 0, size_bytes });
                self.scan.sink.push(path, Some(file));
            }
        }
    }

    fn end(&mut self, directory: &[u8], names: u64) {
        if self.scan.prune_empty
            && names == 0
            && let Ok(directory) = RawPath::parse(directory)
        {
            self.empty.push(directory);
        }
    }
}

/// Ranks files of one time by their names: for these alone, names are held in memory.
fn rank_ties(records: &mut [Record], spool: &mut Spool) -> std::io::Result<()> {
    let mut times: Vec<i128> = records.iter().map(|record| record.mtime_ns).collect();
    times.sort_unstable();
    let mut shared: Vec<i128> = times.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    drop(times);
    shared.dedup();
    if shared.is_empty() {
        return Ok(());
    }
    let mut tied = Vec::new();
    for (place, found) in spool.look()?.enumerate() {
        let found = found?;
        if records.get(place).is_some_and(|record| shared.binary_search(&record.mtime_ns).is_ok()) {
            tied.push((found.path, place));
        }
    }
    tied.sort_unstable();
    for (rank, (_, place)) in tied.into_iter().enumerate() {
        records[place].rank = rank as u64;
    }
    Ok(())
}

fn count_going(choices: &[Choice]) -> u64 {
    choices.iter().filter(|choice| **choice != Choice::Stays).count() as u64
}

impl Looking<'_> {
    /// Finds the files of a store that may go.
    pub(super) async fn find_files(mut self, policy: &FilesPolicy) -> Result<Finding, TreeEnd> {
        let mut finding = Finding::new(self.began_at);
        if let Some(why) = self.identity_guard().await? {
            return Ok(finding.blocked(why));
        }
        let rules = self.rules(policy).await?;
        let stop = self.run.stop;
        let scan = Arc::new(Scan {
            matching: policy.matching.clone(),
            cutoff_ns: rules.cutoff_ns,
            age_by: self.referenced.store.age_by,
            records: (!rules.is_age_alone()).then(Mutex::default),
            sink: Sink::new(),
            prune_empty: policy.prune_empty,
            gone: self.gone.take(),
        });
        let make = {
            let scan = scan.clone();
            move || Worker {
                scan: scan.clone(),
                matched: 0,
                chosen: 0,
                recent: 0,
                empty: Vec::new(),
                weighed: Weighed::default(),
            }
        };
        let walked = self.referenced.open.walk(make, stop.token()).await?;
        let matched = walked.visitors.iter().map(|worker| worker.matched).sum();
        let mut chosen = walked.visitors.iter().map(|worker| worker.chosen).sum();
        let recent = walked.visitors.iter().map(|worker| worker.recent).sum();
        let weighed = walked.visitors.iter().map(|worker| worker.weighed);
        finding.account.survey = Some(self.survey(weighed, &walked.surveyed));
        finding.empty = walked.visitors.into_iter().flat_map(|worker| worker.empty).collect();
        tell_unseen(&mut finding.account, &walked.surveyed);
        finding.account.tally.files_scanned = matched;
        finding.account.tally.files_recently_changed = recent;
        let mut spool = scan.sink.finish()?;
        // What a lack of room demands is no growth.
        let mut of_time = chosen;
        if let Some(records) = &scan.records {
            let mut records = std::mem::take(&mut *records.lock().unwrap_or_else(PoisonError::into_inner));
            rank_ties(&mut records, &mut spool).map_err(TreeEnd::Spool)?;
            let choices = choose(&records, rules);
            chosen = count_going(&choices);
            of_time = rules.without_room().map_or(0, |rules| count_going(&choose(&records, rules)));
            finding.choices = Some(choices);
        }
        finding.spool = Some(spool);
        let mut judged = Judged::default();
        let max_fraction = policy.max_fraction.map(crate::policy::Fraction::get);
        let share = Going { going: chosen, of: matched };
        judged.read_share(share, policy.max_files.map(NonZeroU64::get), max_fraction, self.run.looked);
        let share = Going { going: of_time, of: matched };
        self.run.judged(finding, judged, share).await
    }

    async fn rules(&mut self, policy: &FilesPolicy) -> Result<Rules, TreeEnd> {
        let to_free = match policy.min_free {
            None => None,
            Some(least) => {
                let store = self.referenced.store.clone();
                let space = self.referenced.open.space();
                let space = space.map_err(|cause| TreeEnd::Space { store: store.name.clone(), cause })?;
                let wanted = least.of(space.total_bytes).saturating_sub(space.available_bytes);
                Some(RoomToMake {
                    // What lies in the trash comes free by itself.
                    bytes: wanted.saturating_sub(self.trashed_bytes(policy).await?),
                    others_count: store.trash.is_none() || !policy.bypass_trash,
                })
            }
        };
        Ok(Rules {
            cutoff_ns: policy.cutoff(self.run.now).map(jiff::Timestamp::as_nanosecond),
            keep_last: policy.keep_last.map(|most| (most.get(), policy.keep_last_per())),
            max_total: policy.max_total.map(|most| (most.get(), policy.max_total_per())),
            to_free,
        })
    }

    async fn trashed_bytes(&mut self, policy: &FilesPolicy) -> Result<u64, TreeEnd> {
        if self.referenced.store.trash.is_none() || policy.bypass_trash {
            return Ok(0);
        }
        let trash = self.referenced.open.trash(self.run.stop.token()).await?;
        Ok(trash.iter().map(|run| run.size_bytes).sum())
    }
}

//! The verdict of one policy of files or orphans on a file: why it stays, or by which run it goes.

use std::sync::Arc;

use jiff::Timestamp;

use super::namers::Names;
use super::neighbours::{Place, place};
use super::remembered::Remembered;
use crate::decide::file::{FileFacts, FileKind, LastLook};
use crate::decide::files::{AgeOf, FileReason, FileReasonKind, GoesFor, StoreState, age, newest, unmatched};
use crate::decide::policy::standstills;
use crate::policy::{FileMatch, FilesPolicy, Policy, PolicyKind, Settings, Store};
use crate::report::{FileFate, PolicyOnFile, WhyKept};
use crate::stores::{OpenStore, RawPath};
use crate::text::human;

/// Facts that are known of the file.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) path: &'a RawPath,
    pub(super) facts: Option<FileFacts>,
    pub(super) names: &'a Names,
    pub(super) now: Timestamp,
}

/// Asks policies about the file.
pub(super) struct Judge<'a> {
    pub(super) settings: &'a Settings,
    pub(super) store: &'a Arc<Store>,
    pub(super) open: &'a OpenStore,
    pub(super) remembered: &'a Remembered,
    /// Why no policy removes anything in the store.
    pub(super) not_adopted: Option<StoreState>,
    pub(super) seen: Seen<'a>,
}

/// Answer of a policy's own rules.
#[derive(Default)]
struct Ruling {
    reasons: Vec<FileReason>,
    /// From when on its age is no reason any more.
    eligible_at: Option<Timestamp>,
    /// Rule by which it goes, if nothing keeps it.
    because: Option<GoesFor>,
    /// It makes room, past the trash.
    for_good: bool,
    remarks: Vec<String>,
}

impl Judge<'_> {
    /// Judges the file by a policy.
    pub(super) async fn judge(&self, policy: &Policy) -> PolicyOnFile {
        let mut ruling = Ruling::default();
        self.common(policy, &mut ruling.reasons);
        match (&policy.kind, self.seen.facts) {
            (PolicyKind::Files(files), Some(facts)) => {
                self.taken_for(&files.matching, &mut ruling.reasons);
                self.files(files, &facts, &mut ruling).await;
            }
            (PolicyKind::Orphans(orphans), Some(facts)) => {
                self.taken_for(&orphans.matching, &mut ruling.reasons);
                let (eligible_at, young) = age(&facts, AgeOf::Orphan, self.store.age_by, orphans.keep, self.seen.now);
                ruling.eligible_at = eligible_at;
                ruling.reasons.extend(young);
                ruling.because = Some(GoesFor::Unnamed);
                if self.seen.path.text().is_none() {
                    ruling.reasons.push(FileReason::NameIsNoText);
                }
                ruling.remarks.extend(self.unit());
            }
            (PolicyKind::Rows(_), _) | (_, None) => {}
        }
        ruling.reasons.sort_by_key(FileReason::kind);
        self.conclude(policy, ruling)
    }

    fn common(&self, policy: &Policy, reasons: &mut Vec<FileReason>) {
        reasons.extend(standstills(self.settings, policy).into_iter().map(FileReason::Standstill));
        reasons.extend(self.not_adopted.clone().map(|why| FileReason::NotAdopted { why }));
        let Some(facts) = self.seen.facts else { return };
        match facts.kind {
            FileKind::File => {
                let now = self.seen.now;
                let look = LastLook { decided_at: now, now, seen: None };
                reasons.extend(facts.stays(look).map(FileReason::Stays));
            }
            kind => reasons.push(FileReason::NotFile { kind }),
        }
    }

    fn taken_for(&self, matching: &FileMatch, reasons: &mut Vec<FileReason>) {
        reasons.extend(unmatched(matching, self.seen.path.as_bytes()));
        let Names { rows, unknown } = self.seen.names;
        if let Some(row) = rows.first() {
            let (key, source, table) = (row.key.clone(), row.source.to_string(), row.table.clone());
            reasons.push(FileReason::Named { key, source, table, others: rows.len() > 1 });
        }
        reasons.extend(unknown.first().map(|why| FileReason::NamesUnknown { why: why.clone() }));
    }

    /// The directory that goes as a whole, where it is in one.
    fn unit(&self) -> Option<String> {
        let directories = self.store.references.iter().filter(|reference| reference.directory);
        let templates: Vec<_> = directories.filter_map(|reference| reference.path.template()).collect();
        let path = self.seen.path.text()?;
        let unit = path.ancestors().find(|above| templates.iter().any(|template| template.fits(above.as_str())))?;
        Some(format!("it goes with its directory {unit} as a whole, once all that is in it is old enough"))
    }

    async fn files(&self, files: &FilesPolicy, facts: &FileFacts, ruling: &mut Ruling) {
        let by = self.store.age_by;
        let (eligible_at, young) =
            files.keep.map_or((None, None), |keep| age(facts, AgeOf::File, by, keep, self.seen.now));
        let is_old = files.keep.is_some() && young.is_none();
        // Its place matters where others do, and takes a walk.
        let others = files.keep_last.is_some() || (!is_old && (files.max_total.is_some() || files.min_free.is_some()));
        let place = match others && facts.kind == FileKind::File && files.matching.matches(self.seen.path.as_bytes()) {
            true => place(self.open, self.seen.path, facts, files, by).await,
            false => Ok(Place::default()),
        };
        let place = match place {
            Ok(place) => place,
            Err(why) => return ruling.reasons.push(FileReason::PlaceUnknown { why: why.to_string() }),
        };
        if let (true, Some(last)) = (others, files.keep_last) {
            ruling.reasons.extend(newest(last, files.keep_last_per(), place.newer, place.ties));
        }
        if is_old {
            ruling.because = files.keep.map(|keep| GoesFor::Age { keep });
            ruling.eligible_at = eligible_at;
            return;
        }
        if let Some(because) = self.beyond_limits(files, facts, place, ruling) {
            ruling.because = Some(because);
            return;
        }
        ruling.eligible_at = eligible_at;
        ruling.reasons.extend(young);
        let FilesPolicy { max_total, min_free, .. } = *files;
        if files.keep.is_none() && (max_total.is_some() || min_free.is_some()) {
            ruling.reasons.push(FileReason::WithinLimits { max_total, min_free });
        }
    }

    /// Rule by which it goes although its age is no reason.
    fn beyond_limits(
        &self,
        files: &FilesPolicy,
        facts: &FileFacts,
        place: Place,
        ruling: &mut Ruling,
    ) -> Option<GoesFor> {
        if let (Some(last), None, None, None) = (files.keep_last, files.keep, files.max_total, files.min_free) {
            return Some(GoesFor::KeepLast { last });
        }
        if let Some(most) = files.max_total
            && place.newer_bytes.saturating_add(facts.freed_bytes) > most.get()
        {
            return Some(GoesFor::MaxTotal { most });
        }
        let wanted = files.min_free?;
        let space = match self.open.space() {
            Ok(space) => space,
            Err(error) => {
                ruling.reasons.push(FileReason::RoomUnknown { why: error.to_string() });
                return None;
            }
        };
        let lacking = wanted.of(space.total_bytes).saturating_sub(space.available_bytes);
        ruling.for_good = files.bypass_trash;
        (lacking > place.older_bytes).then_some(GoesFor::MinFree { wanted, lacking })
    }

    fn conclude(&self, policy: &Policy, ruling: Ruling) -> PolicyOnFile {
        let Ruling { reasons, eligible_at, because, for_good, remarks } = ruling;
        let trash = self.store.trash.filter(|_| !for_good);
        let (fate, done) = match trash {
            Some(_) => (FileFate::Trashed, "moved into the trash"),
            None => (FileFate::Removed, "removed"),
        };
        let troubles = self.remembered.troubles.iter().filter(|(name, _)| *name == policy.name);
        let mut said = PolicyOnFile {
            policy: policy.name.clone(),
            kind: policy.kind.word(),
            fate: FileFate::Kept,
            summary: String::new(),
            goes_for: None,
            eligible_at,
            taken_at: None,
            reasons: reasons.iter().map(WhyKept::from).collect(),
            remarks: remarks.into_iter().chain(troubles.map(|(_, why)| why.clone())).collect(),
        };
        if let Some(reason) = said.reasons.iter().find(|reason| reason.reason != FileReasonKind::TooYoung) {
            said.summary = format!("kept: {}", reason.message);
            let in_doubt = matches!(reason.reason, FileReasonKind::PlaceUnknown | FileReasonKind::NamesUnknown);
            said.fate = if in_doubt { FileFate::Unknown } else { FileFate::Kept };
            return said;
        }
        let now = self.seen.now;
        let from = eligible_at.map_or(now, |at| at.max(now));
        let slot = policy
            .task
            .as_ref()
            .and_then(|task| Some((task, self.remembered.schedules.next_after(self.settings, task, from, now)?)));
        said.taken_at = slot.map(|(_, slot)| slot);
        let by = match slot {
            Some((task, slot)) => format!("{done} by the run of task {task} at {}", human::instant_from(slot, now)),
            None => format!("{done} when somebody runs it: retaind run {}", policy.name),
        };
        said.summary = match said.reasons.first() {
            None => {
                said.fate = fate;
                said.goes_for = because.map(|because| because.code());
                because.map_or_else(|| by.clone(), |because| format!("{by}: {because}"))
            }
            Some(reason) => match eligible_at {
                Some(at) => format!("kept until {}: {}; then {by}", human::instant_from(at, now), reason.message),
                None => format!("kept: {}", reason.message),
            },
        };
        said
    }
}

//! What one policy of files or orphans says of a file: why it stays, or by which run it goes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::namers::Names;
use super::neighbours::{Place, place};
use super::reasons::RowStanding;
use super::remembered::Remembered;
use crate::policy::{FileMatch, FilesPolicy, Per, Policy, PolicyKind, Settings, Space, Store};
use crate::report::{FileFate, FileReason, FileReasonKind, PolicyOnFile, ReasonKind, human};
use crate::stores::{Facts, Kind, OpenStore, RawPath};

/// What is known of the file.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) path: &'a RawPath,
    pub(super) facts: Option<Facts>,
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
    pub(super) not_adopted: Option<String>,
    pub(super) seen: Seen<'a>,
}

/// What a policy's own rules say.
#[derive(Default)]
struct Ruling {
    reasons: Vec<FileReason>,
    /// From when on its age is no reason any more.
    eligible_at: Option<Timestamp>,
    /// Why it goes, if nothing keeps it.
    because: String,
    /// It makes room, past the trash.
    for_good: bool,
    remarks: Vec<String>,
}

impl Ruling {
    fn keep(&mut self, reason: FileReasonKind, message: impl Into<String>) {
        self.reasons.push(FileReason { reason, message: message.into() });
    }
}

impl Judge<'_> {
    /// What a policy says of the file.
    pub(super) async fn judge(&self, policy: &Policy) -> PolicyOnFile {
        let mut ruling = Ruling::default();
        self.common(policy, &mut ruling);
        match (&policy.kind, self.seen.facts) {
            (PolicyKind::Files(files), Some(facts)) => {
                self.matching(&files.matching, &mut ruling);
                self.named(&mut ruling);
                self.files(files, &facts, &mut ruling).await;
            }
            (PolicyKind::Orphans(orphans), Some(facts)) => {
                self.matching(&orphans.matching, &mut ruling);
                self.named(&mut ruling);
                ruling.eligible_at = self.too_young(orphans.keep, facts.touched_ns(self.store.age_by), &mut ruling);
                ruling.because = "no row names it".to_owned();
                if self.seen.path.text().is_none() {
                    let message = "its name is no text, so that it cannot be told whether a row means it";
                    ruling.keep(FileReasonKind::NamesUnknown, message);
                }
                ruling.remarks.extend(self.unit());
            }
            (PolicyKind::Rows(_), _) | (_, None) => {}
        }
        ruling.reasons.sort_by_key(|reason| reason.reason);
        self.conclude(policy, ruling)
    }

    fn common(&self, policy: &Policy, ruling: &mut Ruling) {
        for reason in (RowStanding { settings: self.settings, policy }).reasons() {
            let kind = match reason.reason {
                ReasonKind::PolicyOff => FileReasonKind::PolicyOff,
                ReasonKind::TaskOff => FileReasonKind::TaskOff,
                _ => FileReasonKind::ReportMode,
            };
            ruling.keep(kind, reason.message);
        }
        if let Some(why) = &self.not_adopted {
            ruling.keep(FileReasonKind::NotAdopted, why.clone());
        }
        if let Some(facts) = self.seen.facts.filter(|facts| facts.kind != Kind::File) {
            let what = match facts.kind {
                Kind::Link => "a symbolic link",
                Kind::Pipe => "a named pipe",
                Kind::Socket => "a socket",
                Kind::Device | Kind::File => "a device",
            };
            ruling.keep(FileReasonKind::NotFile, format!("it is {what}, and policies take files alone"));
        }
    }

    fn matching(&self, matching: &FileMatch, ruling: &mut Ruling) {
        let path = self.seen.path.as_bytes();
        if matching.matches(path) {
            return;
        }
        match matching.without_exclude().matches(path) {
            true => ruling
                .keep(FileReasonKind::Excluded, format!("exclude leaves it out: {}", matching.exclude().join(", "))),
            false => ruling
                .keep(FileReasonKind::NotMatched, format!("match does not take it: {}", matching.include().join(", "))),
        }
    }

    fn named(&self, ruling: &mut Ruling) {
        let Names { rows, unknown } = self.seen.names;
        if let Some(row) = rows.first() {
            let more = if rows.len() > 1 { ", and others" } else { "" };
            let message = format!("row {} of {}.{} names it{more}", row.key, row.source, row.table);
            ruling.keep(FileReasonKind::Named, message);
        }
        if let Some(why) = unknown.first() {
            ruling.keep(FileReasonKind::NamesUnknown, why.clone());
        }
    }

    /// From when on it is old enough, with a reason until then.
    fn too_young(&self, keep: Duration, touched_ns: i128, ruling: &mut Ruling) -> Option<Timestamp> {
        let changed_at = Timestamp::from_nanosecond(touched_ns).ok();
        let eligible_at = changed_at.and_then(|at| at.checked_add(keep).ok());
        // Eligible is what was changed before the cutoff, not at it.
        if eligible_at.is_none_or(|at| at >= self.seen.now) {
            let kept_for = human::duration(u64::try_from(keep.as_millis()).unwrap_or(u64::MAX));
            let message = match changed_at {
                Some(at) if at <= self.seen.now => {
                    format!("too young: changed {} ago and kept for {kept_for}", human::between(at, self.seen.now))
                }
                Some(_) | None => {
                    format!("its time of change lies in the future, and it is kept for {kept_for} from then on")
                }
            };
            ruling.keep(FileReasonKind::TooYoung, message);
        }
        eligible_at
    }

    /// The directory that goes as a whole, where it is in one.
    fn unit(&self) -> Option<String> {
        let directories = self.store.references.iter().filter(|reference| reference.directory);
        let templates: Vec<_> = directories.filter_map(|reference| reference.path.template()).collect();
        let path = self.seen.path.text()?;
        let unit = path.ancestors().find(|above| templates.iter().any(|template| template.fits(above.as_str())))?;
        Some(format!("it goes with its directory {unit} as a whole, once all that is in it is old enough"))
    }

    async fn files(&self, files: &FilesPolicy, facts: &Facts, ruling: &mut Ruling) {
        let mut aged = Ruling::default();
        aged.eligible_at =
            files.keep.and_then(|keep| self.too_young(keep, facts.made_ns(self.store.age_by), &mut aged));
        let is_old = files.keep.is_some() && aged.reasons.is_empty();
        // Its place matters where others do, and takes a walk.
        let others = files.keep_last.is_some() || (!is_old && (files.max_total.is_some() || files.min_free.is_some()));
        let place = match others && facts.kind == Kind::File && files.matching.matches(self.seen.path.as_bytes()) {
            true => place(self.open, self.seen.path, facts, files, self.store.age_by).await,
            false => Ok(Place::default()),
        };
        let place = match place {
            Ok(place) => place,
            Err(why) => {
                return ruling
                    .keep(FileReasonKind::PlaceUnknown, format!("its place among the others is not known: {why}"));
            }
        };
        if others {
            newest(files, place, ruling);
        }
        if is_old {
            ruling.because = format!("it is older than keep ({})", words(files.keep));
            ruling.eligible_at = aged.eligible_at;
            return;
        }
        if let Some(because) = self.beyond_limits(files, facts, place, ruling) {
            ruling.because = because;
            return;
        }
        ruling.eligible_at = aged.eligible_at;
        ruling.reasons.append(&mut aged.reasons);
        if files.keep.is_none() && (files.max_total.is_some() || files.min_free.is_some()) {
            ruling.keep(FileReasonKind::WithinLimits, within(files));
        }
    }

    /// Why it goes although its age is no reason.
    fn beyond_limits(&self, files: &FilesPolicy, facts: &Facts, place: Place, ruling: &mut Ruling) -> Option<String> {
        if let (Some(last), None, None, None) = (files.keep_last, files.keep, files.max_total, files.min_free) {
            return Some(format!("it is none of the newest {last}"));
        }
        if let Some(most) = files.max_total
            && place.newer_bytes.saturating_add(facts.freed_bytes) > most.get()
        {
            return Some(format!("with newer files it takes more than max_total ({most})"));
        }
        let wanted = files.min_free?;
        let space = match self.open.space() {
            Ok(space) => space,
            Err(error) => {
                ruling.keep(FileReasonKind::PlaceUnknown, format!("the room on the file system is not known: {error}"));
                return None;
            }
        };
        let lacking = wanted.of(space.total_bytes).saturating_sub(space.available_bytes);
        ruling.for_good = files.bypass_trash;
        (lacking > place.older_bytes)
            .then(|| format!("min_free ({wanted}) lacks {}, more than older files take", human::size(lacking)))
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
            eligible_at,
            taken_at: None,
            reasons,
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
                format!("{by}: {because}")
            }
            Some(reason) => match eligible_at {
                Some(at) => format!("kept until {}: {}; then {by}", human::instant_from(at, now), reason.message),
                None => format!("kept: {}", reason.message),
            },
        };
        said
    }
}

/// Whether it is one of those that `keep_last` protects.
fn newest(files: &FilesPolicy, place: Place, ruling: &mut Ruling) {
    let Some(last) = files.keep_last else { return };
    let of = match files.keep_last_per() {
        Per::Directory => "of its directory",
        Per::Store => "of the store",
    };
    if place.newer + place.ties < last.get() {
        ruling.keep(FileReasonKind::Newest, format!("it is one of the newest {last} {of}, which keep_last keeps"));
    } else if place.newer < last.get() {
        let message = format!("it may be one of the newest {last} {of}: others were changed at the very same time");
        ruling.keep(FileReasonKind::PlaceUnknown, message);
    }
}

fn within(files: &FilesPolicy) -> String {
    let total = files.max_total.map(|most| format!("with newer files it takes no more than max_total ({most})"));
    let free = files.min_free.map(|wanted: Space| format!("min_free ({wanted}) holds, or does without it"));
    total.into_iter().chain(free).collect::<Vec<_>>().join(", and ")
}

fn words(keep: Option<Duration>) -> String {
    human::duration(u64::try_from(keep.unwrap_or_default().as_millis()).unwrap_or(u64::MAX))
}

//! Takes what was found, some at a time: asks once more which of it a row names, removes the rest (or looks at it), and
//! adds up what became of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::ended::TreeEnd;
use super::found_files::{Found, Spool};
use super::missing::Alike;
use super::tree::{Holding, Tree};
use crate::decide::choose::Choice;
use crate::decide::files::FileReasonKind;
use crate::outcome::{SHOWN_AT_MOST, Sample, Tally};
use crate::policy::{Name, OpenFiles};
use crate::run::account::Account;
use crate::run::owners::Action;
use crate::run::plan_state::GoneFiles;
use crate::run::policy_run::PolicyRun;
use crate::run::referenced_store::ReferencedStore;
use crate::run::request::{Fate, Listed};
use crate::run::sessions::Sessions;
use crate::run::spellings::{self, Meant};
use crate::stores::{FilesInUse, InUse, Inside, Left, Look, Outcome, Part, RawPath, RemovalRequest, Way};
use crate::text::chain;

/// Files that are read from the spool together, and removed together where nobody is asked about them; not more, so that a
/// stop is heeded within a second.
const READ_AT_ONCE: usize = 10_000;
/// Files that are read together where rows are asked about them: as many as wait for one reading of the references.
const SEARCHED_AT_ONCE: usize = 50_000;
/// Files that are asked about and removed together: few, so that little time passes between the two.
const ASKED_AT_ONCE: usize = 1000;
/// Age that the knowledge of which files are open may have.
const HELD_AGE: Duration = Duration::from_secs(1);
/// Sums are added up in the ledger this often.
const FLUSH_EVERY_SECS: i64 = 1;
/// For so long a directory that was found empty stays, where the policy has no time of its own.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

/// Why files stay of which it cannot be known whether they are open.
const MAY_BE_HELD: &str = "may be held open by a process that retaind's user cannot see (open = \"skip\"; `retaind check` \
                           prints what the service lacks)";

/// A policy's files under way.
pub(super) struct Taking<'a> {
    pub(super) run: &'a PolicyRun<'a>,
    pub(super) tree: Tree<'a>,
    pub(super) referenced: &'a ReferencedStore,
    pub(super) sessions: &'a mut Sessions,
    pub(super) fate: Fate,
    /// None where it is only looked.
    pub(super) holding: Option<Holding<'a>>,
    /// Files that earlier policies of a plan would have taken.
    pub(super) files: GoneFiles,
    pub(super) decided_at: Timestamp,
    /// Names that keep files which rows may mean by another spelling.
    pub(super) alike: Option<Arc<Alike>>,
    pub(super) account: Account,
    /// Number of files that stay, for each reason that is no failure.
    pub(super) stays: BTreeMap<String, u64>,
    /// Directories that were found empty.
    pub(super) empty: Vec<RawPath>,
    /// Directories from which something went.
    pub(super) emptied: Vec<RawPath>,
    pub(super) held: FilesInUse,
    pub(super) unflushed: Tally,
    pub(super) flushed_at: Timestamp,
}

/// Outcomes, each with whether it is a directory's.
fn told(outcomes: Vec<(RawPath, Outcome)>, directories: Vec<bool>) -> Vec<(RawPath, bool, Outcome)> {
    outcomes.into_iter().zip(directories).map(|((path, outcome), directory)| (path, directory, outcome)).collect()
}

impl Taking<'_> {
    /// Takes everything that was chosen.
    pub(super) async fn take(&mut self, spool: Spool, choices: Option<Vec<Choice>>) -> Result<(), TreeEnd> {
        let bypasses = matches!(self.tree, Tree::Files(policy) if policy.bypass_trash);
        let room_way = if bypasses { Way::Unlink } else { self.referenced.way() };
        let mut found = spool.read().map_err(TreeEnd::Spool)?.enumerate();
        // One reading of what rows mean serves all that is read together.
        let at_once = if self.referenced.references.is_empty() { READ_AT_ONCE } else { SEARCHED_AT_ONCE };
        let choice = |place: usize| choices.as_ref().map_or(Choice::Goes, |choices| choices[place]);
        loop {
            self.may_go_on().await?;
            let (mut usual, mut room, mut any) = (Vec::new(), Vec::new(), false);
            for (place, found) in found.by_ref().take(at_once) {
                any = true;
                let found = found.map_err(TreeEnd::Spool)?;
                match choice(place) {
                    Choice::Stays => {}
                    Choice::Goes => usual.push(found),
                    Choice::MakesRoom => room.push(found),
                }
            }
            if !any {
                break;
            }
            self.all(usual, self.referenced.way()).await?;
            self.all(room, room_way).await?;
        }
        self.prune().await
    }

    /// Makes sure that a power cut does not bring back what went.
    pub(super) async fn make_durable(&mut self) {
        if self.holding.is_some()
            && self.account.tally.files_deleted > 0
            && let Err(error) = self.referenced.open.make_durable().await
        {
            let why = format!("what was removed may come back after a power cut: {}", chain(&error));
            self.account.fail(None, None, why);
        }
    }

    /// Between pieces: nobody asked to stop, and the policy is still ours.
    async fn may_go_on(&mut self) -> Result<(), TreeEnd> {
        if self.run.stop.is_set() {
            return Err(TreeEnd::Stopped);
        }
        match self.holding {
            Some(Holding { ledger, lease }) if !ledger.holds(lease).await? => Err(TreeEnd::LeaseLost),
            _ => Ok(()),
        }
    }

    async fn all(&mut self, mut found: Vec<Found>, way: Way) -> Result<(), TreeEnd> {
        if self.referenced.references.is_empty() {
            return self.some(found, way, &Meant::default()).await;
        }
        let meant = self.search(&found).await?;
        // An index answers faster what is asked in its order.
        found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let mut found = found.into_iter();
        while !found.as_slice().is_empty() {
            self.may_go_on().await?;
            self.some(found.by_ref().take(ASKED_AT_ONCE).collect(), way, &meant).await?;
        }
        Ok(())
    }

    /// Reads which of the files rows mean by unusual spellings; a scan for orphans has read that before.
    async fn search(&mut self, found: &[Found]) -> Result<Meant, TreeEnd> {
        let Tree::Files(_) = self.tree else { return Ok(Meant::default()) };
        let paths = found.iter().filter_map(|found| RawPath::parse(&found.path).ok()?.text());
        let paths: Vec<_> = paths.map(|path| (path, false)).collect();
        Ok(spellings::search(self.referenced, &self.run.runner.settings, self.sessions, &paths).await?)
    }

    async fn some(&mut self, found: Vec<Found>, way: Way, meant: &Meant) -> Result<(), TreeEnd> {
        let found = self.without_open(found).await?;
        let found = self.without_alike(found);
        let mut removals: Vec<_> = found.into_iter().filter_map(|found| self.removal(found)).collect();
        if removals.is_empty() {
            return Ok(());
        }
        let named = match self.referenced.keep_named(self.sessions, &mut removals, &[], meant).await {
            Ok(named) => named,
            Err(_) if self.run.stop.is_set() => return Err(TreeEnd::Stopped),
            Err(error) => {
                let why = format!("kept, because it is not known whether a row names it: {}", chain(&error));
                for removal in removals {
                    let reason = FileReasonKind::NamesUnknown.word();
                    self.account.keep(None, Some(removal.path.to_string()), reason, why.clone());
                }
                return Ok(());
            }
        };
        let all = removals.len();
        removals.retain(|removal| named.is_empty() || !removal.path.text().is_some_and(|path| named.contains(&path)));
        let kept: usize = removals.iter().map(|removal| removal.kept.len()).sum();
        self.add(&Tally { files_referenced: (all - removals.len() + kept) as u64, ..Tally::default() });
        let removal = self.only_old(removals).await;
        let outcomes = self.act(removal, way).await;
        self.count(outcomes, way).await;
        self.run.reporter.update(&self.account.tally);
        self.flush().await
    }

    /// Leaves out what a process holds open, where the policy wants that.
    async fn without_open(&mut self, found: Vec<Found>) -> Result<Vec<Found>, TreeEnd> {
        let Tree::Files(policy) = self.tree else { return Ok(found) };
        if policy.open == OpenFiles::Delete || found.is_empty() {
            return Ok(found);
        }
        self.held.renew(HELD_AGE).map_err(TreeEnd::Held)?;
        let held = &self.held;
        let is_held = |found: &Found| found.file.is_some_and(|file| held.is_held(file.device, file.seen.inode));
        let (open, mut closed): (Vec<_>, Vec<_>) = found.into_iter().partition(is_held);
        let mut open = open.len();
        if held.unseen > 0 {
            let path = |found: &Found| RawPath::parse(&found.path).ok();
            let asked: Vec<_> = closed.iter().filter_map(path).collect();
            let known = asked.len() == closed.len();
            let answers =
                if known { self.referenced.open.in_use(asked).await } else { vec![InUse::Unknown; closed.len()] };
            let count = |wanted| answers.iter().filter(|&&answer| answer == wanted).count();
            open += count(InUse::Yes);
            let unknown = count(InUse::Unknown);
            let mut answers = answers.iter();
            closed.retain(|_| answers.next() == Some(&InUse::No));
            self.stay(MAY_BE_HELD, unknown as u64);
        }
        self.stay("held open by a process (open = \"skip\")", open as u64);
        Ok(closed)
    }

    /// Leaves out what a row names in another spelling.
    fn without_alike(&mut self, found: Vec<Found>) -> Vec<Found> {
        let Some(alike) = self.alike.clone() else { return found };
        let (mut free, mut kept) = (Vec::with_capacity(found.len()), 0);
        for found in found {
            match std::str::from_utf8(&found.path).ok().and_then(|path| alike.of(path)) {
                None => free.push(found),
                Some(file) => {
                    kept += 1;
                    if self.account.alike.len() < SHOWN_AT_MOST {
                        self.account.alike.push(file);
                    }
                }
            }
        }
        self.add(&Tally { files_alike: kept, ..Tally::default() });
        free
    }

    fn stay(&mut self, why: &str, count: u64) {
        if count > 0 {
            *self.stays.entry(why.to_owned()).or_default() += count;
        }
    }

    fn removal(&mut self, found: Found) -> Option<RemovalRequest> {
        // A walk tells no other path; what is in no form for a path stays.
        let path = RawPath::parse(&found.path).ok()?;
        Some(match (found.file, self.tree) {
            (Some(file), _) => RemovalRequest::seen(path, file.seen),
            (None, Tree::Orphans(policy)) => RemovalRequest::old_directory(
                path,
                policy.cutoff(self.run.now).as_nanosecond(),
                self.referenced.store.age_by,
            ),
            (None, Tree::Files(_)) => return None,
        })
    }

    /// Leaves out directories in which something is young: they go as a whole or not at all.
    async fn only_old(&mut self, removals: Vec<RemovalRequest>) -> Vec<RemovalRequest> {
        let directories: Vec<_> = removals.iter().filter(|removal| removal.directory).cloned().collect();
        if directories.is_empty() {
            return removals;
        }
        let mut look = match (self.holding, self.files.of(&self.referenced.store.name)) {
            (None, Some(gone)) => gone.knowing(),
            _ => Look::default(),
        };
        let paths: Vec<_> = directories.iter().map(|removal| removal.path.clone()).collect();
        let meant = Arc::new(Mutex::new(HashSet::new()));
        if let Some(alike) = self.alike.clone() {
            let meant = meant.clone();
            look.listener = Some(Arc::new(move |inside: Inside| {
                if alike.may_be_meant(&inside.path) {
                    meant.lock().unwrap_or_else(PoisonError::into_inner).insert(inside.place);
                }
            }));
        }
        let looked = self.referenced.open.examine(directories, self.decided_at, self.run.stop.token(), look);
        let mut young = HashSet::new();
        for (path, outcome) in looked.await {
            if matches!(outcome, Outcome::Partly(Part { kept: 1.., .. })) {
                young.insert(path);
            }
        }
        self.stay("directories in which something was changed lately", young.len() as u64);
        let meant = std::mem::take(&mut *meant.lock().unwrap_or_else(PoisonError::into_inner));
        let meant: HashSet<_> =
            meant.into_iter().map(|place| &paths[place]).filter(|path| !young.contains(path)).collect();
        self.stay("directories in which a row may mean a file by its name", meant.len() as u64);
        let stays = |removal: &RemovalRequest| {
            removal.directory && (young.contains(&removal.path) || meant.contains(&removal.path))
        };
        removals.into_iter().filter(|removal| !stays(removal)).collect()
    }

    async fn act(&mut self, removals: Vec<RemovalRequest>, way: Way) -> Vec<(RawPath, bool, Outcome)> {
        let directories: Vec<_> = removals.iter().map(|removal| removal.directory).collect();
        let lister = self.run.lister(self.fate);
        let listen = lister.as_ref().map(|lister| move |store: &Name| lister.listener(store));
        let (decided_at, stop) = (self.decided_at, self.run.stop.token());
        let action = match self.holding {
            Some(_) => {
                let outcomes = self.referenced.open.remove_for_now(removals, decided_at, way, stop).await;
                return told(outcomes, directories);
            }
            None => Action::Examine {
                decided_at,
                stop,
                gone: &[],
                files: &self.files,
                listener: listen.as_ref().map(|listen| listen as &(dyn Fn(&Name) -> crate::stores::Listener + Sync)),
            },
        };
        let outcomes = self.referenced.act(removals, action).await;
        told(outcomes, directories)
    }

    async fn count(&mut self, outcomes: Vec<(RawPath, bool, Outcome)>, way: Way) {
        let store = self.referenced.store.name.clone();
        let (mut gone, mut gone_bytes) = (0, 0);
        for (path, directory, outcome) in outcomes {
            match outcome {
                Outcome::Removed { files, size_bytes } | Outcome::Trashed { files, size_bytes } => {
                    (gone, gone_bytes) = (gone + files, gone_bytes + size_bytes);
                    self.note_emptied(&path);
                    if !directory {
                        self.list(&path, size_bytes).await;
                    }
                    self.account.show(|| Sample { key: String::new(), files: vec![format!("{store}: {path}")] });
                }
                Outcome::Partly(part) => {
                    (gone, gone_bytes) = (gone + part.files, gone_bytes + part.size_bytes);
                    self.note_emptied(&path);
                    for left in part.left {
                        let reason = left.why.stays().and_then(|stays| stays.word());
                        self.account.keep(None, Some(left.path), reason, left.why.to_string());
                    }
                }
                // Somebody else was faster.
                Outcome::Missing | Outcome::Stopped => {}
                Outcome::Kept(why) | Outcome::Mismatch(why) => self.stay(&why.to_string(), 1),
                Outcome::Failed(why) => {
                    self.add(&Tally { files_matched: 1, ..Tally::default() });
                    let reason = why.stays().and_then(|stays| stays.word());
                    self.account.keep(None, Some(path.to_string()), reason, why.to_string());
                }
            }
        }
        self.add(&Tally { files_matched: gone, bytes_matched: gone_bytes, ..Tally::default() });
        if self.fate == Fate::Enforce && gone > 0 {
            let trashes = matches!(way, Way::Trash { .. });
            self.add(&Tally::of_files(store.to_string(), gone, gone_bytes, trashes));
        }
    }

    /// Remembers the directory of what went, where one that is empty is to go, too.
    fn note_emptied(&mut self, path: &RawPath) {
        if let (Some(_), Tree::Files(policy), Some(directory)) = (self.holding, self.tree, path.split().0)
            && policy.prune_empty
            && self.emptied.last().is_none_or(|last| last.as_bytes() != directory)
            && let Ok(directory) = RawPath::parse(directory)
        {
            self.emptied.push(directory);
        }
    }

    async fn list(&mut self, path: &RawPath, size_bytes: u64) {
        let Some(list) = &self.run.request.list else { return };
        let (policy, mode, store) = (self.run.policy.name.clone(), self.fate, self.referenced.store.name.clone());
        // A listener that went away (a closed pipe) ends the listing, not the plan.
        let _ = list.send(Listed::File { policy, mode, store, path: path.to_string(), size_bytes }).await;
    }

    fn add(&mut self, done: &Tally) {
        self.account.tally.add(done);
        self.unflushed.add(done);
    }

    /// Adds what was done since to the ledger's sums, so that they are there whatever happens.
    async fn flush(&mut self) -> Result<(), TreeEnd> {
        let Some(Holding { ledger, .. }) = self.holding else { return Ok(()) };
        let now = self.run.runner.clock.now();
        if now.duration_since(self.flushed_at).as_secs() >= FLUSH_EVERY_SECS {
            let unflushed = std::mem::take(&mut self.unflushed);
            ledger.add_tally(self.run.request.run_id, &self.run.policy.name, &unflushed).await?;
            self.flushed_at = now;
        }
        Ok(())
    }

    /// Removes directories that were left empty.
    async fn prune(&mut self) -> Result<(), TreeEnd> {
        let (Tree::Files(policy), Some(_)) = (self.tree, self.holding) else { return Ok(()) };
        let (emptied, stop) = (std::mem::take(&mut self.emptied), self.run.stop.token());
        // One that was empty before may be about to be filled.
        let idle_since = policy.cutoff(self.run.now).or_else(|| self.run.now.checked_sub(IDLE).ok());
        let idle_since_ns = idle_since.map(Timestamp::as_nanosecond);
        let empty = std::mem::take(&mut self.empty);
        let mut removed = 0;
        for (directories, idle_since_ns) in [(emptied, None), (empty, idle_since_ns)] {
            if directories.is_empty() {
                continue;
            }
            match self.referenced.open.prune_empty(directories, self.decided_at, idle_since_ns, stop).await {
                Ok(pruned) => {
                    removed += pruned.directories;
                    for Left { path, why } in pruned.left {
                        let why = format!("the empty directory could not be removed: {}", why.cause());
                        self.account.fail(None, Some(path), why);
                    }
                }
                Err(why) => self.account.fail(None, None, format!("empty directories could not be removed: {why}")),
            }
        }
        if removed > 0 {
            self.account.notes.push(format!("{removed} empty directories were removed"));
        }
        Ok(())
    }

    /// The whole account.
    pub(super) fn finish(mut self) -> Account {
        for (why, count) in std::mem::take(&mut self.stays) {
            self.account.notes.push(format!("{count} stay: {why}"));
        }
        self.account
    }
}

//! The facts of a run: the table, the stores and their references, the clocks, and what the guards need to count.

use std::sync::Arc;

use crate::clock::Clock;
use crate::decide::rows::ReasonKind;
use crate::decide::source::{TakesNoChanges, Timeless};
use crate::ledger::{IntentItem, IntentOwner};
use crate::outcome::RunId;
use crate::policy::{FilePath, Name, Outside, Params, RowsPolicy, Settings};
use crate::run::account::Account;
use crate::run::referenced_store::{ReferencedStore, ReferencedStoreError};
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::run::store_identity;
use crate::sources::{
    Claim, ClaimedFile, ErrorKind, FileOwner, Gone, Instants, NamedBy, ResolveInput, Session, SourceError, Target,
    Unfit, Unjudged, Unmapped, typed_form_hint,
};

/// Facts that are known before anything is decided.
pub(crate) struct Facts {
    pub(crate) target: Arc<Target>,
    pub(crate) at: Instants,
    pub(crate) referenced_stores: Vec<ReferencedStore>,
    /// The owners of the target, in its order, as intents record them.
    owners: Vec<Arc<IntentOwner>>,
    /// Difference between the source's clock and this machine's, in seconds; never negative.
    pub(crate) skew_secs: f64,
    /// Eligible rows, where a guard or a progress bar needs them; counted no further than one past `max_rows`.
    pub(crate) eligible: Option<u64>,
    /// All rows of the table, where a guard needs them.
    pub(crate) total: Option<u64>,
    /// Rows that would be eligible if nothing kept them.
    pub(crate) kept: u64,
    /// A comparison with a time that says the same at every time, where that is not meant so.
    pub(crate) timeless: Option<Timeless>,
    /// Why the database takes no changes at all, if it does not.
    pub(crate) refuses_changes: Option<TakesNoChanges>,
    /// The target that judges the rows of a table that points to itself, where the run goes by their order.
    pub(crate) judging: Option<Arc<Target>>,
    /// Rows on which the operator's SQL fails.
    pub(crate) unjudged: Vec<Unjudged>,
}

/// Why the facts could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatherError {
    #[error(transparent)]
    Source(SourceError),
    /// An error that what stands beside it explains.
    #[error("{hint}")]
    Mismatch { hint: &'static str, source: SourceError },
    #[error("the policy does not fit its table")]
    Unfit(Vec<Unfit>),
    #[error(transparent)]
    Store(#[from] ReferencedStoreError),
    #[error("the configuration has no {what} {name}")]
    Unknown { what: &'static str, name: Name },
}

impl From<SourceError> for GatherError {
    fn from(source: SourceError) -> Self {
        match typed_form_hint(&source) {
            Some(hint) => GatherError::Mismatch { hint, source },
            None => GatherError::Source(source),
        }
    }
}

/// The policy that facts are gathered for, and the terms of its run.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) clock: &'a Clock,
    pub(crate) policy: &'a RowsPolicy,
    pub(crate) params: &'a Params,
    pub(crate) at: Instants,
    /// Count what is eligible even where no guard needs it.
    pub(crate) count: bool,
    /// Rows that a plan takes for gone.
    pub(crate) gone: &'a [Gone],
    pub(crate) run_id: RunId,
    /// Find out whether the operator's SQL can be asked of every row, before anything is listed.
    pub(crate) tries_sql: bool,
}

/// Looks up everything that a policy's run stands on. Where the operator's SQL fails on single rows, they are left out.
pub(crate) async fn gather(question: Question<'_>, sessions: &mut Sessions) -> Result<Facts, GatherError> {
    match gather_by(question, sessions, false).await {
        Err(GatherError::Source(error)) if error.kind == ErrorKind::Other => {
            gather_judging(question, sessions, error).await
        }
        gathered => gathered,
    }
}

/// Leaves out the rows on which the operator's SQL fails; where these are none, or all, the error stands.
pub(crate) async fn gather_judging(
    question: Question<'_>,
    sessions: &mut Sessions,
    error: SourceError,
) -> Result<Facts, GatherError> {
    let facts = gather_by(question, sessions, true).await?;
    if facts.unjudged.is_empty() { Err(error.into()) } else { Ok(facts) }
}

/// Looks up everything that a policy's run stands on; with `judges`, also which rows cannot be judged.
async fn gather_by(question: Question<'_>, sessions: &mut Sessions, judges: bool) -> Result<Facts, GatherError> {
    let Question { settings, clock, policy, params, at, count, gone, run_id, tries_sql } = question;
    let source = settings
        .source(&policy.source)
        .ok_or_else(|| GatherError::Unknown { what: "source", name: policy.source.clone() })?;
    let session = sessions.get(&policy.source).await?;
    let asked = ResolveInput { source, policy, params: Some(params), settings };
    let mut target = Target::load(session, asked).await?.map_err(GatherError::Unfit)?;
    let mut unjudged = Vec::new();
    if judges && let Some((without, found)) = target.judging(session, at).await? {
        (target, unjudged) = (without, found);
    }
    let target = Arc::new(target);
    let refuses_changes = session.refuses_changes().await?;
    let skew_secs = skew(session, clock).await?;
    let total = match policy.max_fraction {
        Some(_) => Some(target.count_all(session).await?),
        None => None,
    };
    let limit = policy.max_rows.map(|most| most.get().saturating_add(1));
    let eligible = match (count || (tries_sql && target.has_sql()), total, limit) {
        // A progress bar and a share need the whole count.
        (true, _, _) | (_, Some(_), _) => Some(target.count(session, at, None, gone).await?),
        (false, None, Some(_)) => Some(target.count(session, at, limit, gone).await?),
        (false, None, None) => None,
    };
    let kept = target.count_kept(session, at, gone).await?;
    let timeless = match (policy.allow_time_independent, eligible) {
        (true, _) | (false, Some(0)) => None,
        (false, _) => target.timeless(session, at, gone).await?,
    };
    let (referenced_stores, owners) = open_referenced(settings, sessions, &target, run_id).await?;
    let judging = None;
    Ok(Facts {
        target,
        at,
        referenced_stores,
        owners,
        skew_secs,
        eligible,
        total,
        kept,
        timeless,
        refuses_changes,
        judging,
        unjudged,
    })
}

/// Difference between the source's clock and this machine's, in seconds: the middle of the question is taken for the
/// answer's time.
pub(crate) async fn skew(session: &mut Session, clock: &Clock) -> Result<f64, SourceError> {
    let before = clock.now();
    let theirs = session.server_time().await?;
    let after = clock.now();
    let half = after.duration_since(before) / 2;
    let middle = before.checked_add(half).unwrap_or(before);
    Ok(theirs.duration_since(middle).as_secs_f64().abs())
}

async fn open_referenced(
    settings: &Settings,
    sessions: &mut Sessions,
    target: &Target,
    run_id: RunId,
) -> Result<(Vec<ReferencedStore>, Vec<Arc<IntentOwner>>), GatherError> {
    let mut referenced_stores: Vec<ReferencedStore> = Vec::new();
    for owner in &target.owners {
        let name = &owner.file.store;
        let store = settings.store(name).ok_or_else(|| GatherError::Unknown { what: "store", name: name.clone() })?;
        if referenced_stores.iter().any(|referenced| referenced.store.name == *name) {
            continue;
        }
        let naming: Vec<_> = target
            .owners
            .iter()
            .filter(|other| other.file.store == *name)
            .map(|other| {
                let released = target.released(&other.file);
                NamedBy::owner(target.source.clone(), other.table.clone(), &other.file, released)
            })
            .collect();
        referenced_stores.push(ReferencedStore::open(store, &naming, settings, sessions, run_id).await?);
    }
    let referenced_store_of = |name: &Name| referenced_stores.iter().find(|referenced| referenced.store.name == *name);
    let owned = target.owners.iter().filter_map(|owner| Some((owner, referenced_store_of(&owner.file.store)?)));
    let owners = owned.map(|(owner, referenced)| Arc::new(intent_owner(owner, target, referenced))).collect();
    Ok((referenced_stores, owners))
}

fn intent_owner(owner: &FileOwner, target: &Target, referenced: &ReferencedStore) -> IntentOwner {
    IntentOwner {
        store: owner.file.store.clone(),
        root: referenced.store.root.clone(),
        root_then: store_identity::root_then(&referenced.open),
        table: owner.table.to_string(),
        path: owner.file.path.to_string(),
        template: matches!(owner.file.path, FilePath::Template(_)),
        directory: owner.file.directory,
        released: target.released(&owner.file),
    }
}

/// The files that a batch's rows name.
#[derive(Default)]
pub(crate) struct RowFiles {
    pub(crate) items: Vec<IntentItem>,
    /// Rows that are to stay for a path that is none of their store's.
    pub(crate) unmapped: Vec<UnmappedRow>,
    /// Such paths of rows that go all the same.
    pub(crate) outside: u64,
}

/// A row with a path that is none of its store's.
pub(crate) struct UnmappedRow {
    /// As people read it.
    pub(crate) key: String,
    pub(crate) owner: usize,
    pub(crate) path: Unmapped,
}

impl Facts {
    /// Counts the eligible rows, no further than a limit.
    pub(crate) async fn count(
        &self,
        sessions: &mut Sessions,
        stop: &Stop,
        limit: Option<u64>,
    ) -> Result<u64, SourceError> {
        let session = sessions.get(&self.target.source).await?;
        let canceller = session.canceller();
        // A run goes by the order of a tree; what is eligible of it all is what judges it.
        let target = self.judging.as_ref().unwrap_or(&self.target);
        stop.watch(canceller, target.count(session, self.at, limit, &[])).await
    }

    /// Counts the rows of the table.
    pub(crate) async fn count_all(&self, sessions: &mut Sessions, stop: &Stop) -> Result<u64, SourceError> {
        let session = sessions.get(&self.target.source).await?;
        let canceller = session.canceller();
        stop.watch(canceller, self.target.count_all(session)).await
    }

    /// Tells of the rows on which the operator's SQL fails.
    pub(crate) fn report_unjudged(&self, account: &mut Account) {
        for Unjudged { row, cause } in &self.unjudged {
            let why = format!("kept: the SQL of the policy fails on it: {cause}");
            account.keep(Some(row.shown.clone()), None, ReasonKind::SqlFails.word(), why);
        }
    }

    /// For a run, which goes by the order in which rows of a table that points to itself can go.
    pub(crate) fn by_order(self) -> Self {
        match self.target.is_tree() {
            true => Self { target: self.target.peeling(), judging: Some(self.target), ..self },
            false => self,
        }
    }

    /// Sorts what a batch's rows say of their files; a file named twice is one item.
    pub(crate) fn files_of(&self, claims: Vec<Claim>) -> RowFiles {
        let mut found = RowFiles::default();
        let mut seen = std::collections::HashSet::new();
        for Claim { key, owner, file } in claims {
            match (file, self.target.owners[owner].file.outside) {
                (ClaimedFile::Inside(path), _) => {
                    let owner = &self.owners[owner];
                    if seen.insert((owner.store.clone(), path.clone(), owner.directory)) {
                        found.items.push(IntentItem { key, path, owner: owner.clone(), why: None });
                    }
                }
                (ClaimedFile::Outside(path), Outside::Keep) => found.unmapped.push(UnmappedRow { key, owner, path }),
                (ClaimedFile::Outside(_), Outside::Release) => found.outside += 1,
            }
        }
        found
    }

    /// Counts rows that stay for their paths, each error with the key and the path.
    pub(crate) fn keep_unmapped(&self, account: &mut Account, rows: u64, unmapped: &[&UnmappedRow]) {
        account.tally.rows_unmapped += rows;
        for row in unmapped {
            let (key, path) = (Some(row.key.clone()), Some(row.path.written.clone()));
            account.keep(key, path, ReasonKind::Unmapped.word(), self.why_unmapped(row));
        }
    }

    /// Reason, in words, that a row stays for its path.
    fn why_unmapped(&self, row: &UnmappedRow) -> String {
        let owner = &self.target.owners[row.owner];
        let with = match owner.table == self.target.node.table {
            true => String::new(),
            false => format!(", and with it the row of {} that it goes with", self.target.node.table.table),
        };
        format!(
            "kept: the row of {} stays{with}, because what it has written is no path of store {}: {}",
            owner.table.table, owner.file.store, row.path.why
        )
    }

    /// True if a file may be missing without a sign of anything.
    pub(crate) fn may_be_missing(&self, item: &IntentItem) -> bool {
        let place = self.owners.iter().position(|owner| Arc::ptr_eq(owner, &item.owner));
        place.is_some_and(|place| self.target.owners[place].file.may_be_missing)
    }
}

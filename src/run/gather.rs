//! The facts of a run: the table, the stores and their references, the clocks, and what the guards need to count.

use std::sync::Arc;

use super::custody::{Custody, CustodyError};
use super::sessions::Sessions;
use crate::clock::Clock;
use crate::policy::{FilePath, Name, Reference, RowsPolicy, Settings};
use crate::sources::{Gone, Instants, OwnedRow, Session, SourceError, TableFacts, Target, Unfit};

/// What is known before anything is decided.
pub(super) struct Facts {
    pub(super) target: Arc<Target>,
    pub(super) at: Instants,
    pub(super) custodies: Vec<Custody>,
    /// How far the source's clock is from this machine's, in seconds.
    pub(super) skew_secs: f64,
    /// Eligible rows, where a guard or a progress bar needs them; counted no further than one past `max_rows`.
    pub(super) eligible: Option<u64>,
    /// All rows of the table, where a guard needs them.
    pub(super) total: Option<u64>,
}

/// Why the facts could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum GatherError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("the policy does not fit its table")]
    Unfit(Vec<Unfit>),
    #[error(transparent)]
    Custody(#[from] CustodyError),
    #[error("the configuration has no {what} {name}")]
    Unknown { what: &'static str, name: Name },
}

/// Looks up everything that a policy's run stands on.
pub(super) async fn gather(
    settings: &Settings,
    clock: &Clock,
    sessions: &mut Sessions,
    policy: &RowsPolicy,
    at: Instants,
    count: bool,
    gone: &[Gone],
) -> Result<Facts, GatherError> {
    let source = settings
        .source(&policy.source)
        .ok_or_else(|| GatherError::Unknown { what: "source", name: policy.source.clone() })?;
    let session = sessions.get(&policy.source).await?;
    let facts = TableFacts::load(session, &policy.table).await?;
    let target = Arc::new(Target::fit(source, policy, facts.as_ref()).map_err(GatherError::Unfit)?);
    let skew_secs = skew(session, clock).await?;
    let total = match policy.max_fraction {
        Some(_) => Some(target.count_all(session).await?),
        None => None,
    };
    let limit = policy.max_rows.map(|most| most.get().saturating_add(1));
    let eligible = match (count, total, limit) {
        // A progress bar and a share need the whole count.
        (true, _, _) | (_, Some(_), _) => Some(target.count(session, at, None, gone).await?),
        (false, None, Some(_)) => Some(target.count(session, at, limit, gone).await?),
        (false, None, None) => None,
    };
    let custodies = open_custodies(settings, sessions, policy).await?;
    Ok(Facts { target, at, custodies, skew_secs, eligible, total })
}

/// How far the source's clock is from this machine's: the middle of the question is taken for the answer's time.
async fn skew(session: &mut Session, clock: &Clock) -> Result<f64, SourceError> {
    let before = clock.now();
    let theirs = session.server_time().await?;
    let after = clock.now();
    let half = after.duration_since(before) / 2;
    let middle = before.checked_add(half).unwrap_or(before);
    Ok(theirs.duration_since(middle).as_secs_f64().abs())
}

async fn open_custodies(
    settings: &Settings,
    sessions: &mut Sessions,
    policy: &RowsPolicy,
) -> Result<Vec<Custody>, GatherError> {
    let mut custodies: Vec<Custody> = Vec::new();
    for file in &policy.files {
        if custodies.iter().any(|custody| custody.store.name == file.store) {
            continue;
        }
        let store = settings
            .store(&file.store)
            .ok_or_else(|| GatherError::Unknown { what: "store", name: file.store.clone() })?;
        let owners: Vec<_> = policy
            .files
            .iter()
            .filter(|other| other.store == file.store)
            .filter_map(|other| match &other.path {
                FilePath::Column(column) => Some(column),
                FilePath::Template(_) => None,
            })
            .map(|column| Reference {
                source: policy.source.clone(),
                table: policy.table.clone(),
                column: column.clone(),
            })
            .collect();
        custodies.push(Custody::open(store, &owners, settings, sessions).await?);
    }
    Ok(custodies)
}

/// A row of a batch with the files that it names.
pub(super) struct RowFiles {
    pub(super) items: Vec<crate::ledger::IntentItem>,
    /// Paths that do not map into the store: key, path as written, why.
    pub(super) refused: Vec<(String, String, String)>,
}

impl Facts {
    /// Maps the paths of a batch's rows to files; a file named twice is one item.
    pub(super) fn files_of(&self, rows: &[OwnedRow]) -> RowFiles {
        let mut found = RowFiles { items: Vec::new(), refused: Vec::new() };
        let mut seen = std::collections::HashSet::new();
        for row in rows {
            for ((file, _), written) in self.target.files.iter().zip(&row.paths) {
                let Some(custody) = self.custodies.iter().find(|custody| custody.store.name == file.store) else {
                    continue;
                };
                match custody.store.map(written.as_deref()) {
                    crate::policy::Mapped::None => {}
                    crate::policy::Mapped::Refused(why) => {
                        found.refused.push((row.shown.clone(), written.clone().unwrap_or_default(), why));
                    }
                    crate::policy::Mapped::Inside(path) => {
                        if seen.insert((file.store.clone(), path.clone())) {
                            found.items.push(crate::ledger::IntentItem {
                                key: row.shown.clone(),
                                store: file.store.clone(),
                                root: custody.store.root.clone(),
                                path,
                                column: file.path.to_string(),
                            });
                        }
                    }
                }
            }
        }
        found
    }
}

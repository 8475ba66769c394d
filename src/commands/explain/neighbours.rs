//! Neighbours of a file in its directory and store: how many are newer, and how much room they take. Walks through the
//! store for a bounded time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::decide::file::{FileFacts, FileKind};
use crate::policy::{AgeBy, FilesPolicy, Per};
use crate::stores::{OpenStore, RawPath, Visitor, Want};

/// Longest time of the walk.
const PATIENCE: Duration = Duration::from_secs(10);

/// Place of a file among those that a policy matches, by their times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Newer files, of its directory or of the store as `keep_last` counts.
    pub(super) newer: u64,
    /// Files of the very same time, likewise.
    pub(super) ties: u64,
    /// Bytes that newer files free, of its directory or of the store as `max_total` counts.
    pub(super) newer_bytes: u64,
    /// Bytes that older files free, of the whole store.
    pub(super) older_bytes: u64,
}

#[derive(Default)]
struct Sums {
    newer: AtomicU64,
    ties: AtomicU64,
    newer_bytes: AtomicU64,
    older_bytes: AtomicU64,
}

struct Asked {
    path: RawPath,
    made_ns: i128,
    age_by: AgeBy,
    policy: FilesPolicy,
    sums: Sums,
}

struct Onlooker(Arc<Asked>);

impl Visitor for Onlooker {
    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        let is_other = kind == FileKind::File && path != self.0.path.as_bytes();
        if is_other && self.0.policy.matching.matches(path) { Want::Facts } else { Want::Nothing }
    }

    fn facts(&mut self, path: &[u8], facts: &FileFacts) {
        let Asked { path: own, made_ns, age_by, policy, sums } = self.0.as_ref();
        let is_beside = directory(path) == directory(own.as_bytes());
        let counts = |per: Per| per == Per::Store || is_beside;
        let freed = facts.freed_alone();
        let add = |sum: &AtomicU64, number: u64| sum.fetch_add(number, Ordering::Relaxed);
        match facts.made_ns(*age_by).cmp(made_ns) {
            std::cmp::Ordering::Less => {
                add(&sums.older_bytes, freed);
            }
            std::cmp::Ordering::Equal => {
                add(&sums.ties, u64::from(counts(policy.keep_last_per())));
            }
            std::cmp::Ordering::Greater => {
                add(&sums.newer, u64::from(counts(policy.keep_last_per())));
                add(&sums.newer_bytes, if counts(policy.max_total_per()) { freed } else { 0 });
            }
        }
    }
}

fn directory(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |slash| &path[..slash])
}

/// The place of a file; none where the walk took too long, and with the words for what it could not read.
pub(super) async fn place(
    open: &OpenStore,
    path: &RawPath,
    facts: &FileFacts,
    policy: &FilesPolicy,
    age_by: AgeBy,
) -> Result<Place, String> {
    let asked = Arc::new(Asked {
        path: path.clone(),
        made_ns: facts.made_ns(age_by),
        age_by,
        policy: policy.clone(),
        sums: Sums::default(),
    });
    let (stop, shared) = (CancellationToken::new(), Arc::clone(&asked));
    let walk = open.walk(move || Onlooker(Arc::clone(&shared)), &stop);
    let walked = match tokio::time::timeout(PATIENCE, walk).await {
        Ok(Ok(walked)) => walked.surveyed,
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("the store was not gone through within {} s", PATIENCE.as_secs())),
    };
    if let Some(unseen) = walked.first_errors.first() {
        return Err(format!("{} could not be read: {}", unseen.path, unseen.why));
    }
    let sum = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
    let Sums { newer, ties, newer_bytes, older_bytes } = &asked.sums;
    Ok(Place { newer: sum(newer), ties: sum(ties), newer_bytes: sum(newer_bytes), older_bytes: sum(older_bytes) })
}

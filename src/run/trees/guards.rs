//! Guards of policies about a store: whether a run may go on, judged from facts alone. Each names the mishap that it is
//! there for.

use super::names::{Counts, Names};
use crate::ledger::MissingFile;
use crate::policy::Store;
use crate::run::guard::Judged;
use crate::stores::Surveyed;

/// Whether what rows name can be trusted to be all that they name.
pub(super) fn judge_references(store: &Store, counts: &[Counts]) -> Option<String> {
    counts.iter().filter(|counts| counts.declared).find_map(|counts| judge_reference(store, counts))
}

fn judge_reference(store: &Store, counts: &Counts) -> Option<String> {
    let Counts { reference, rows, inside, outside, samples, .. } = counts;
    let name = &store.name;
    if *rows == 0 {
        // D1
        return Some(format!(
            "the table of reference {reference} has no rows, so that every file of store {name} would look unnamed. The \
             database may be restored in part, or be another one: look at what happened to it"
        ));
    }
    if *outside > *inside {
        // D5
        return Some(format!(
            "prefix mismatch: of what {reference} names, {outside} paths map outside of store {name}, and {inside} into it \
             (for example {}). Paths may be written in another way now, or the store's path or strip_prefix be another \
             one: set them so that the paths map into {}",
            samples.iter().map(|sample| format!("{sample:?}")).collect::<Vec<_>>().join(", "),
            store.root.display()
        ));
    }
    if *inside == 0 {
        // D1
        return Some(format!(
            "reference {reference} names no file at all in {rows} rows, so that every file of store {name} would look \
             unnamed: look at what happened to the table, or take the reference out of the configuration"
        ));
    }
    None
}

/// Whether anything that rows name is in the store, where something in it would go (D5): paths that are written in another
/// way may map into the store all the same.
pub(super) fn judge_found(store: &Store, names: &Names, orphans: u64, missing: &[MissingFile]) -> Option<String> {
    let (named, missed) = names.count();
    let example = missing.first().map(|first| format!(" (for example {:?})", first.path)).unwrap_or_default();
    (orphans > 0 && named > 0 && missed == named).then(|| {
        format!(
            "prefix mismatch: rows name {named} files or directories of store {}, and none of them is in {}{example}. Paths \
             may be written in another way now, or the store's path or strip_prefix be another one",
            store.name,
            store.root.display()
        )
    })
}

/// Whether a walk saw everything (D7).
pub(super) fn judge_walk(store: &Store, surveyed: &Surveyed) -> Option<String> {
    (surveyed.errors > 0).then(|| {
        format!(
            "{} places in store {} could not be looked at, so that it is not known what is in it: see the errors",
            surveyed.errors, store.name
        )
    })
}

/// What is counted for the guards of a policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    /// What may go.
    pub(super) going: u64,
    /// What it is a share of.
    pub(super) of: u64,
}

/// Reads `max_files` and `max_fraction`.
pub(super) fn judge_share(judged: &mut Judged, share: Share, max_files: Option<u64>, max_fraction: Option<f64>) {
    let Share { going, of } = share;
    if let Some(most) = max_files {
        judged.read("max_files", going as f64, most as f64, || {
            format!(
                "max_files: {going} files would go, and {most} is the most; see what they are with `retaind plan`, and why \
                 there are so many"
            )
        });
    }
    if let Some(most) = max_fraction {
        let fraction = if of == 0 { 0.0 } else { going as f64 / of as f64 };
        judged.read("max_fraction", fraction, most, || {
            format!(
                "max_fraction: {going} of {of} files would go, a share of {fraction:.3}, and {most} is the most; see what \
                 they are with `retaind plan`, and why there are so many"
            )
        });
    }
}

//! Guards of policies about a store: whether a run may go on, judged from facts alone. Each names the mishap that it is
//! there for.

use super::missing::{JUDGED_FROM, Missing};
use super::reference_index::{Counts, Names};
use crate::ledger::{MissingFile, Unused};
use crate::policy::Store;
use crate::run::guard::Judged;
use crate::stores::Surveyed;

/// Whether what rows name can be trusted to be all that they name.
pub(super) fn judge_references(store: &Store, counts: &[Counts]) -> Option<String> {
    // Rows that a policy owns files by may all be gone; of declared references somebody says that they name files.
    counts.iter().filter(|counts| counts.declared).find_map(|counts| judge_reference(store, counts))
}

fn judge_reference(store: &Store, counts: &Counts) -> Option<String> {
    let Counts { reference, rows, inside, outside, beginnings, may_be_empty, .. } = counts;
    let name = &store.name;
    if *rows == 0 && !may_be_empty {
        // D1
        return Some(format!(
            "the table of reference {reference} is empty: it names no file of store {name}. The database may be restored in \
             part, or be another one: look at what happened to it; where the table may be empty, write may_be_empty = true \
             in the reference"
        ));
    }
    if *outside > *inside {
        // D5
        return Some(format!(
            "prefix mismatch: of what {reference} names, {outside} paths map outside of store {name}, and {inside} into it \
             (for example {}). Paths may be written in another way now, or the store's path or strip_prefix be another \
             one: set them so that the paths map into {}",
            beginnings.examples(3),
            store.root.display()
        ));
    }
    if *inside == 0 && !may_be_empty {
        // D1
        return Some(format!(
            "reference {reference} names no file at all in {rows} rows: look at what happened to the table; where its rows \
             may name none, write may_be_empty = true in the reference"
        ));
    }
    None
}

/// Whether anything that rows name is in the store, where something in it would go (D5): paths that are written in another
/// way may map into the store all the same.
pub(super) fn judge_found(
    store: &Store,
    names: &Names,
    orphans: u64,
    (missing, shown): (&Missing, &[MissingFile]),
) -> Option<String> {
    let (named, missed) = names.count();
    let example = shown.first().map(|first| format!(" (for example {:?})", first.path)).unwrap_or_default();
    if orphans == 0 || named == 0 {
        return None;
    }
    if let (true, Some(MissingFile { reference, path })) = (missed < named, missing.absent.first()) {
        return Some(format!(
            "of the files that reference {reference} names, none is in store {} (for example {path:?}), and {orphans} files \
             there have no row. Its column may hold something else than one path of this store; correct the reference, or, \
             where its files may all be gone, declare it with may_be_missing = true",
            store.name
        ));
    }
    // D20
    let many = JUDGED_FROM as u64;
    let many = many.max(named.div_ceil(100));
    if missed < named && missing.files >= many && orphans >= many {
        return Some(format!(
            "{} files that rows name are not in store {}{example}, and {orphans} files there have no row: so many of both \
             may be the same files in another spelling. Compare them, and correct strip_prefix or the rows; where files of a \
             reference may be gone, write may_be_missing = true in it",
            missing.files, store.name
        ));
    }
    (missed == named && missing.rows > 0).then(|| {
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

/// Reads `max_files` and `max_fraction`; an approval takes their place.
pub(super) fn judge_share(
    judged: &mut Judged,
    share: Share,
    (max_files, max_fraction): (Option<u64>, Option<f64>),
    approval: Option<Unused>,
) {
    let Share { going, of } = share;
    if let Some(approval) = approval {
        return judged.read_approved(approval, going, "files");
    }
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

//! First rows of a column that names files: checked for whether they lead into the store, and to files that are there.
//! Reads a bounded number of rows, and opens no file.

use crate::policy::{FilePath, Name, Outside, OwnedFile, ReferenceMatch, Settings, Source, Store};
use crate::report::Findings;
use crate::sources::{NamedBy, ReferenceColumn, Sampled, Session, TableFacts};
use crate::stores::OpenStore;
use crate::text::chain;
use crate::text::human::count;

/// Rows that are looked at of each column.
const ROWS: u32 = 300;
/// Fewer files say nothing when none of them is there.
const NONE_OF_AT_LEAST: usize = 3;
/// Fewer files say nothing when some of them are.
const FEW_OF_AT_LEAST: usize = 20;

/// Samples a column that names files of a store.
pub(super) async fn check(
    session: &mut Session,
    settings: &Settings,
    source: &Source,
    (store, named_by): (&Name, &NamedBy),
    findings: &mut Findings,
) {
    let Some(store) = settings.store(store).filter(|_| named_by.matching == ReferenceMatch::Path) else { return };
    let subject = format!("store {}", store.name);
    // What does not fit was told of before.
    let Ok(facts) = TableFacts::load(session, &named_by.table).await else { return };
    let Ok(column) = ReferenceColumn::fit(source, named_by, facts.as_ref()) else { return };
    let owners = owners(settings, store, named_by);
    let mut sampled = match column.sample(session, store, !owners.is_empty(), ROWS).await {
        Ok(sampled) => sampled,
        Err(error) => return findings.error(subject, chain(&error), ""),
    };
    sampled.outside.retain(|written| !is_elsewhere(settings, store, named_by, written));
    let what = format!("{}.{}", named_by.table, named_by.path);
    outside(store, &what, &sampled, &owners, findings);
    // A store that cannot be opened is told of by itself.
    let Ok(open) = OpenStore::open(store) else { return };
    let (named, asked) = (sampled.inside.len(), sampled.inside.iter().map(Into::into).collect());
    let there = open.missing(asked).await.iter().filter(|missing| !**missing).count();
    let may_be_missing = !owners.is_empty() && owners.iter().all(|file| file.may_be_missing);
    let is_bad = (there == 0 && named >= NONE_OF_AT_LEAST) || (there * 2 < named && named >= FEW_OF_AT_LEAST);
    let [there, named, rows] = [there as u64, named as u64, sampled.rows].map(count);
    if named == "0" {
        return;
    }
    let made = match named_by.path {
        FilePath::Column(_) => "names",
        FilePath::Template(_) => "makes",
    };
    let message = format!(
        "{there} of the {named} files that {what} {made} in its first {rows} rows are in {}",
        store.root.display()
    );
    match is_bad && !may_be_missing {
        false => findings.ok(subject, message),
        true => {
            let name = &store.name;
            let fix = format!(
                "see whether its disk is mounted and whether path and strip_prefix of [stores.{name}] lead to the files; then \
                 retaind adopt {name}. Of files that may be gone say so in files of the policy: may_be_missing = true"
            );
            findings.warn(subject, message, fix);
        }
    }
}

fn outside(store: &Store, what: &str, sampled: &Sampled, owners: &[&OwnedFile], findings: &mut Findings) {
    let (outside, all) = (sampled.outside.len(), sampled.outside.len() + sampled.inside.len());
    let Some(example) = sampled.outside.first() else { return };
    let released = !owners.is_empty() && owners.iter().all(|file| file.outside == Outside::Release);
    // What only protects is guarded by the scans for orphans: a few paths that lead elsewhere are no cause for alarm.
    if released || (owners.is_empty() && outside * 2 < all) {
        return;
    }
    let (name, subject) = (&store.name, format!("store {}", store.name));
    let [outside, all] = [outside, all].map(|number| count(number as u64));
    let stays = if owners.is_empty() { "" } else { ": such rows stay" };
    let message = format!("{outside} of {all} paths in {what} do not lead into it, for example {example:?}{stays}");
    let fix = match owners.is_empty() {
        true => format!("set path or strip_prefix of [stores.{name}] to how the database begins these paths"),
        false => format!(
            "set path or strip_prefix of [stores.{name}] to how the database begins these paths, or let such rows go without \
             their files: outside = \"release\" in files of the policy"
        ),
    };
    findings.warn(subject, message, fix);
}

/// The files of rows, switched on, that the column names.
fn owners<'a>(settings: &'a Settings, store: &Store, named_by: &NamedBy) -> Vec<&'a OwnedFile> {
    let owned = super::policies::rows_policies(settings)
        .flat_map(|(_, rows)| rows.owned_files().into_iter().map(move |(table, file)| (&rows.source, table, file)));
    let is_this = |source: &Name, table: &crate::policy::TableName, file: &OwnedFile| {
        *source == named_by.source && *table == named_by.table && file.path == named_by.path && file.store == store.name
    };
    owned.filter(|(source, table, file)| is_this(source, table, file)).map(|(.., file)| file).collect()
}

/// True if the same column names files of another store, and this is one of those.
fn is_elsewhere(settings: &Settings, store: &Store, named_by: &NamedBy, written: &str) -> bool {
    settings.stores.iter().filter(|other| other.name != store.name).any(|other| {
        let referenced = other.references.iter().any(|reference| {
            (&reference.source, &reference.table, &reference.path)
                == (&named_by.source, &named_by.table, &named_by.path)
        });
        (referenced || !owners(settings, other, named_by).is_empty()) && other.map_reference(written).is_some()
    })
}

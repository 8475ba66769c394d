//! Rows that name a file: of every reference of its store, and of every policy whose rows own files there.

use std::collections::BTreeMap;

use crate::policy::{Name, Settings, Store, StorePath};
use crate::report::NamingRow;
use crate::run::means;
use crate::sources::{NamedBy, ReferenceColumn, Session, TableFacts, Unusual};
use crate::stores::{OpenStore, RawPath};
use crate::text::chain;

/// Rows of one reference that are shown.
const SHOWN_AT_MOST: usize = 3;

/// The rows that name a file, and what could not be asked.
#[derive(Default)]
pub(super) struct Names {
    pub(super) rows: Vec<NamingRow>,
    /// In words; not empty: more rows may name it.
    pub(super) unknown: Vec<String>,
}

/// Asks every reference. What is no text is named by none.
pub(super) async fn namers(settings: &Settings, (store, open): (&Store, &OpenStore), path: &RawPath) -> Names {
    let mut names = Names::default();
    let Some(path) = path.text() else { return names };
    let mut sessions = BTreeMap::new();
    for namer in settings.references_of(store) {
        let named_by = NamedBy::from(&namer);
        let policies: Vec<Name> = namer.owners.iter().copied().cloned().collect();
        match ask(settings, &mut sessions, (store, open), &named_by, &path).await {
            Ok(keys) => names.rows.extend(keys.into_iter().map(|key| NamingRow {
                source: named_by.source.clone(),
                table: named_by.table.to_string(),
                key,
                column: named_by.path.to_string(),
                policies: policies.clone(),
            })),
            Err(why) => {
                let NamedBy { source, table, .. } = &named_by;
                names.unknown.push(format!("it is not known whether rows of {source}.{table} name it: {why}"));
            }
        }
    }
    names
}

async fn ask(
    settings: &Settings,
    sessions: &mut BTreeMap<Name, Session>,
    (store, open): (&Store, &OpenStore),
    named_by: &NamedBy,
    path: &StorePath,
) -> Result<Vec<String>, String> {
    let source = settings.source(&named_by.source).ok_or_else(|| "there is no such source".to_owned())?;
    let session = match sessions.entry(source.name.clone()) {
        std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(Session::open(source).await.map_err(|error| chain(&error))?)
        }
    };
    let facts = TableFacts::load(session, &named_by.table).await.map_err(|error| chain(&error))?;
    let column = ReferenceColumn::fit(source, named_by, facts.as_ref()).map_err(|unfit| unfit.to_string())?;
    let Some(facts) = facts else { return Ok(Vec::new()) };
    let others: Vec<_> =
        settings.others_named(&store.name, (&column.source, &column.table.table, column.path())).collect();
    let unusual = column.unusual(source, session, store, &others, path).await.map_err(|error| chain(&error))?;
    let is_meant = |unusual: &Unusual| unusual.path.as_ref().is_none_or(|named| means(open, named, path));
    let unusual: Vec<_> = unusual.into_iter().filter(is_meant).collect();
    let keys = column.rows_naming(session, &facts, store, path, &unusual, SHOWN_AT_MOST).await;
    keys.map_err(|error| chain(&error))
}

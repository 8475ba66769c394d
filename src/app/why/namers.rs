//! Which rows name a file: of every reference of its store, and of every policy whose rows own files there.

use std::collections::BTreeMap;

use crate::policy::{Name, Settings, Store, StorePath};
use crate::report::NamingRow;
use crate::sources::{NamedBy, ReferenceColumn, Session, TableFacts};
use crate::stores::RawPath;
use crate::telemetry::chain;

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
pub(super) async fn namers(settings: &Settings, store: &Store, path: &RawPath) -> Names {
    let mut names = Names::default();
    let Some(path) = path.text() else { return names };
    let mut sessions = BTreeMap::new();
    for (named_by, policies) in references(settings, store) {
        match ask(settings, &mut sessions, store, &named_by, &path).await {
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

/// Declared references and those of policies that own files in the store, each with the policies that take such a file
/// together with its row.
fn references(settings: &Settings, store: &Store) -> Vec<(NamedBy, Vec<Name>)> {
    let mut all: Vec<(NamedBy, Vec<Name>)> =
        store.references.iter().map(|reference| (NamedBy::from(reference), Vec::new())).collect();
    for (policy, rows, table, file) in settings.owned_in(&store.name) {
        let owner = NamedBy::owner(rows.source.clone(), table.clone(), file, Vec::new());
        match all.iter_mut().find(|(known, _)| *known == owner) {
            Some((_, policies)) if !policies.contains(&policy.name) => policies.push(policy.name.clone()),
            Some(_) => {}
            None => all.push((owner, vec![policy.name.clone()])),
        }
    }
    all
}

async fn ask(
    settings: &Settings,
    sessions: &mut BTreeMap<Name, Session>,
    store: &Store,
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
    let keys = column.rows_naming(session, &facts, store, path, SHOWN_AT_MOST).await;
    keys.map_err(|error| chain(&error))
}

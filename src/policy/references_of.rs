//! Every column that names files of a store: declared references, and the columns of rows that own files there. Pure.

use super::{
    Action, Assignment, FilePath, Ident, Name, Policy, Reference, ReferenceMatch, RowsPolicy, Settings, Store,
};

/// A column or template that names files of a store, with whoever says so.
#[derive(Debug, Clone)]
pub struct Namer<'a> {
    pub reference: Reference,
    /// The operator declared it as a reference of the store.
    pub declared: bool,
    /// Policies whose rows own the file that it names.
    pub owners: Vec<&'a Name>,
    /// Values that updates set where a row lets go of its file: a row that has all the literals of one of them names
    /// nothing that is missed.
    pub releases: Vec<&'a [Assignment]>,
}

impl Settings {
    /// Every column that names files of a store: its declared references first, then those of the rows that own files
    /// there, whether their policies and entries are switched on or not. The one answer to that question.
    pub fn references_of<'a>(&'a self, store: &Store) -> Vec<Namer<'a>> {
        let declared = store.references.iter().cloned();
        let mut namers: Vec<Namer<'a>> = declared
            .map(|reference| Namer { reference, declared: true, owners: Vec::new(), releases: Vec::new() })
            .collect();
        for policy in &self.policies {
            let Some(rows) = policy.kind.rows() else { continue };
            let files = rows.all_files().into_iter().filter(|(_, file)| file.store == store.name);
            for (table, file) in files {
                add_owner(&mut namers, policy, rows, Reference::owner(rows.source.clone(), table.clone(), file));
            }
        }
        namers
    }

    /// Other stores whose files the same columns name as well.
    pub fn others_named<'a>(
        &'a self,
        store: &'a Name,
        (source, table, path): (&'a Name, &'a Ident, &'a FilePath),
    ) -> impl Iterator<Item = &'a Store> {
        let others = self.stores.iter().map(AsRef::as_ref).filter(move |other: &&Store| other.name != *store);
        others.filter(move |other| {
            self.references_of(other).iter().any(|Namer { reference, .. }| {
                let same = reference.source == *source && reference.table.table == *table && reference.path == *path;
                same && reference.matching == ReferenceMatch::Path
            })
        })
    }
}

fn add_owner<'a>(namers: &mut Vec<Namer<'a>>, policy: &'a Policy, rows: &'a RowsPolicy, owner: Reference) {
    let releases = match &rows.action {
        Action::Delete => None,
        Action::Update(set) => Some(set.as_slice()),
    };
    let place = namers.iter().position(|known| known.reference.is_same(&owner)).unwrap_or_else(|| {
        namers.push(Namer { reference: owner.clone(), declared: false, owners: Vec::new(), releases: Vec::new() });
        namers.len() - 1
    });
    let namer = &mut namers[place];
    // What one of them takes for a directory is one.
    namer.reference.directory |= owner.directory;
    if !namer.owners.contains(&&policy.name) {
        namer.owners.push(&policy.name);
    }
    namer.releases.extend(releases);
}

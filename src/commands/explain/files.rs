//! The files that a row names, and whether another row names them too. Looks at no file.

use std::collections::BTreeMap;

use crate::decide::files::StaysBehind;
use crate::policy::{Name, Settings, Store, StorePath};
use crate::report::FileWhy;
use crate::run::means;
use crate::sources::{
    Claim, ClaimedFile, FileOwner, NamedBy, ReferenceColumn, RowId, Session, TableFacts, Target, Unmapped, Unusual,
};
use crate::stores::OpenStore;

/// Asks about files, over a connection to each source that names some.
pub(super) struct Files<'a> {
    settings: &'a Settings,
    sessions: BTreeMap<Name, Session>,
}

impl<'a> Files<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self { settings, sessions: BTreeMap::new() }
    }

    /// Asks for the fate of the files that a row claims. `session` is that of the row's own source.
    pub(super) async fn ask(
        &mut self,
        session: &mut Session,
        target: &Target,
        row: &RowId,
        claims: Vec<Claim>,
    ) -> anyhow::Result<Vec<FileWhy>> {
        let mut files = Vec::new();
        for Claim { owner, file, .. } in claims {
            let FileOwner { file: owned, store, .. } = &target.owners[owner];
            let (path, stays) = match file {
                ClaimedFile::Outside(Unmapped { written, why, .. }) => (written, Some(StaysBehind::Unmapped { why })),
                ClaimedFile::Inside(path) => {
                    let named = self.named_by(session, target, row, store, &path, owned.directory).await?;
                    (path.to_string(), named.map(|(table, column)| StaysBehind::Named { table, column }))
                }
            };
            files.push(FileWhy::new(store.name.clone(), path, owned.directory, stays));
        }
        Ok(files)
    }

    /// The table and column by which another row names a file, or something in a directory.
    async fn named_by(
        &mut self,
        session: &mut Session,
        target: &Target,
        row: &RowId,
        store: &Store,
        path: &StorePath,
        directory: bool,
    ) -> anyhow::Result<Option<(String, String)>> {
        let owners = target.owners.iter().filter(|owner| owner.file.store == store.name).map(|owner| {
            let released = target.released(&owner.file);
            NamedBy::owner(target.source.clone(), owner.table.clone(), &owner.file, released)
        });
        let settings = self.settings;
        let all = settings.references_of(store);
        // What a policy owns is asked with what its update sets; whoever says the same once more is not asked again.
        let owners: Vec<_> = owners.collect();
        let is_own = |other: &NamedBy| {
            let same = |own: &NamedBy| {
                (&own.source, &own.table.table, &own.path, own.matching)
                    == (&other.source, &other.table.table, &other.path, other.matching)
            };
            owners.iter().any(same)
        };
        let others: Vec<_> = all.iter().map(NamedBy::from).filter(|other| !is_own(other)).collect();
        let open = OpenStore::open(store);
        for named_by in owners.iter().chain(&others) {
            let Some(source) = settings.source(&named_by.source) else { continue };
            let session = match named_by.source == target.source {
                true => &mut *session,
                false => self.session(&named_by.source).await?,
            };
            let facts = TableFacts::load(session, &named_by.table).await?;
            if facts.is_none() {
                continue;
            }
            let column = ReferenceColumn::fit(source, named_by, facts.as_ref())?.except(row);
            let paths = std::slice::from_ref(path);
            let mut named = column.named(session, store, paths, &[]).await?;
            if directory {
                named.extend(column.named_beneath(session, store, paths, &[]).await?);
            }
            let elsewhere = (&column.source, &column.table.table, column.path());
            let elsewhere: Vec<_> = settings.others_named(&store.name, elsewhere).collect();
            let unusual = column.unusual(source, session, store, &elsewhere, path).await?;
            // The row that is asked about names its own file as it does.
            let written: Vec<_> = unusual.iter().map(|unusual| unusual.written.clone()).collect();
            let still = column.still_written(session, &written, &[]).await?;
            let means = |unusual: &Unusual| match (&unusual.path, &open) {
                (Some(named), Ok(open)) => means(open, named, path),
                (Some(_), Err(_)) | (None, _) => true,
            };
            let is_there = |unusual: &&Unusual| unusual.written.is_empty() || still.contains(&unusual.written);
            if unusual.iter().filter(is_there).any(means) {
                named.insert(path.clone());
            }
            if named.iter().any(|named| named == path || (directory && named.is_beneath(path))) {
                return Ok(Some((named_by.table.table.to_string(), named_by.path.to_string())));
            }
        }
        Ok(None)
    }

    async fn session(&mut self, name: &Name) -> anyhow::Result<&mut Session> {
        if !self.sessions.contains_key(name) {
            let source = self.settings.source(name).ok_or_else(|| anyhow::anyhow!("there is no source {name}"))?;
            self.sessions.insert(name.clone(), Session::open(source).await?);
        }
        self.sessions.get_mut(name).ok_or_else(|| anyhow::anyhow!("there is no source {name}"))
    }
}

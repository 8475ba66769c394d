//! First rows of a reference, and whether their paths lead into the store, and to files that are there. Reads a bounded
//! number of rows, and opens no file.

use std::ops::ControlFlow;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::policy::{Reference, Settings, Source, Store, StorePath};
use crate::sources::{
    NamedBy, NamedPath, Naming, Reader, ReferenceColumn, Rows, Session, SourceError, TableFacts, Unfit,
};
use crate::stores::{Look, OpenStore, Outcome, RemovalRequest};

/// Paths of a reference that are looked at, and rows in which they are looked for.
const PATHS_AT_MOST: u64 = 1000;
const ROWS_AT_MOST: u64 = 100_000;

/// Paths in the first rows of a reference.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    pub(crate) rows: u64,
    pub(crate) inside: u64,
    pub(crate) outside: u64,
    /// One that leads out of the store.
    pub(crate) example: String,
    /// Those that lead into it by their whole path.
    pub(crate) paths: Vec<StorePath>,
    /// There are more rows.
    pub(crate) is_cut: bool,
}

impl Sample {
    /// Reads the first rows.
    pub(crate) async fn read(
        session: &mut Session,
        settings: &Settings,
        source: &Source,
        store: &Store,
        reference: &Reference,
    ) -> Result<Result<Self, Unfit>, SourceError> {
        let facts = TableFacts::load(session, &reference.table).await?;
        let column = match ReferenceColumn::fit(source, &NamedBy::from(reference), facts.as_ref()) {
            Ok(column) => column,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let mut sample = Self::default();
        let mut each = |naming: Naming<'_>| sample.take(naming, settings, store, reference);
        let read = column.read_all(Reader::open(source).await?, store, Rows::All, &mut each).await?;
        sample.is_cut = read.is_none();
        Ok(Ok(sample))
    }

    fn take(
        &mut self,
        naming: Naming<'_>,
        settings: &Settings,
        store: &Store,
        reference: &Reference,
    ) -> ControlFlow<()> {
        self.rows += 1;
        self.count(naming, settings, store, reference);
        match self.looked_at() >= PATHS_AT_MOST || self.rows >= ROWS_AT_MOST {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn count(&mut self, naming: Naming<'_>, settings: &Settings, store: &Store, reference: &Reference) {
        match naming {
            Naming::Nothing => {}
            Naming::Name(_) => self.inside += 1,
            Naming::Path(NamedPath { path, .. }) => {
                self.inside += 1;
                self.paths.extend(StorePath::parse(&path).ok());
            }
            Naming::Several(several) => {
                several.into_iter().for_each(|naming| self.count(naming, settings, store, reference));
            }
            Naming::Outside(written) if is_elsewhere(settings, store, reference, &written) => {}
            Naming::Outside(written) => {
                self.outside += 1;
                self.example = written.into_owned();
            }
        }
    }

    /// Number of paths that were looked at.
    pub(crate) fn looked_at(&self) -> u64 {
        self.inside + self.outside
    }

    /// Number of the paths that lead to something that is there.
    pub(crate) async fn found(&self, open: &OpenStore) -> u64 {
        let removal = self.paths.iter().map(RemovalRequest::file).collect();
        let outcomes = open.examine(removal, Timestamp::MAX, &CancellationToken::new(), Look::default()).await;
        outcomes.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Missing)).count() as u64
    }
}

/// True if the same rows name files of another store, and this is one of those.
fn is_elsewhere(settings: &Settings, store: &Store, reference: &Reference, written: &str) -> bool {
    let column = (&reference.source, &reference.table.table, &reference.path);
    settings.others_named(&store.name, column).any(|other| other.map_reference(written).is_some())
}

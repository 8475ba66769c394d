//! The other way round: what rows name and is not in the store. Told, and nothing done about it.

use std::ops::ControlFlow;

use super::Ended;
use super::names::Names;
use crate::ledger::{MissingFile, SHOWN_AT_MOST};
use crate::policy::{ReferenceMatch, StorePath};
use crate::run::account::Account;
use crate::run::custody::Custody;
use crate::run::sessions::Sessions;
use crate::run::stop::Stop;
use crate::sources::Naming;
use crate::stores::{Doomed, Look, Outcome};

/// Files that are looked for at a time.
const FILES_AT_ONCE: usize = 1000;

/// Tells of rows whose file is missing: those that the walk did not find, and that are not there now either.
pub(super) async fn tell(
    custody: &Custody,
    names: &Names,
    sessions: &mut Sessions,
    stop: &Stop,
    account: &mut Account,
) -> Result<(), Ended> {
    for (naming, counts) in custody.references.iter().zip(&names.counts) {
        let column = &naming.column;
        let set = if column.directory { &names.directories } else { &names.paths };
        // A name tells no place in which its file could be missing.
        if column.matching() == ReferenceMatch::Name || set.missed() == 0 {
            continue;
        }
        let mut missed = Vec::new();
        let (reader, _permit) = sessions.reader(&column.source).await?;
        let mut each = |named: Naming<'_>| {
            if let Naming::Path(path) = named
                && set.is_missed(names.fingerprinter.of(path.as_bytes()))
                && let Ok(path) = StorePath::parse(&path)
            {
                missed.push(path);
            }
            // As many as fit into memory at ease; of more it is only said that there are more.
            match stop.is_set() || missed.len() >= MISSED_AT_MOST {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let all = column.read_all(reader, &custody.store, &mut each).await?.is_some();
        for some in missed.chunks(FILES_AT_ONCE).take_while(|_| !stop.is_set()) {
            look(custody, some, column.directory, &counts.reference, stop, account).await;
        }
        if stop.is_set() {
            return Err(Ended::Stopped);
        }
        if !all {
            account
                .notes
                .push(format!("more than {MISSED_AT_MOST} rows of {} name files that are missing", counts.reference));
        }
    }
    Ok(())
}

/// Rows of one reference that are looked after.
const MISSED_AT_MOST: usize = 100_000;

async fn look(
    custody: &Custody,
    paths: &[StorePath],
    directory: bool,
    reference: &str,
    stop: &Stop,
    account: &mut Account,
) {
    let doomed = |path: &StorePath| match directory {
        true => Doomed::directory(path),
        false => Doomed::file(path),
    };
    let doomed = paths.iter().map(doomed).collect();
    let outcomes = custody.open.examine(doomed, jiff::Timestamp::MAX, stop.token(), Look::default()).await;
    for (path, _) in outcomes.into_iter().filter(|(_, outcome)| *outcome == Outcome::Missing) {
        account.tally.references_missing += 1;
        if account.missing.len() < SHOWN_AT_MOST {
            account.missing.push(MissingFile { reference: reference.to_owned(), path: path.to_string() });
        }
    }
}

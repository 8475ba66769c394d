//! The memory of adopted stores: once a store was, a root without its marker is not that store.

use diesel::prelude::*;
use jiff::Timestamp;
use uuid::Uuid;

use super::schema::stores;
use super::words::{instant, read_instant};
use super::{Ledger, LedgerError};
use crate::policy::Name;

/// That a store was adopted, last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adoption {
    /// The id in its marker.
    pub id: Uuid,
    pub adopted_at: Timestamp,
}

impl Ledger {
    /// Remembers that a store was adopted, in place of an earlier adoption of a store of that name.
    pub async fn adopt(&self, store: &Name, adoption: Adoption) -> Result<(), LedgerError> {
        let store = store.to_string();
        self.call("remembering an adopted store", move |connection, _| {
            let (id, at) = (adoption.id.to_string(), instant(adoption.adopted_at));
            let values = (stores::store.eq(&store), stores::id.eq(&id), stores::adopted_at.eq(&at));
            diesel::insert_into(stores::table)
                .values(values)
                .on_conflict(stores::store)
                .do_update()
                .set((stores::id.eq(&id), stores::adopted_at.eq(&at)))
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// The adoption of a store; none where it never was adopted.
    pub async fn adopted(&self, store: &Name) -> Result<Option<Adoption>, LedgerError> {
        let store = store.to_string();
        self.call("looking up an adopted store", move |connection, _| {
            let found: Option<(String, String)> = stores::table
                .find(&store)
                .select((stores::id, stores::adopted_at))
                .get_result(connection)
                .optional()?;
            let read = |(id, at): (String, String)| {
                let id = Uuid::parse_str(&id).map_err(|error| format!("{id:?} is not the id of a store: {error}"))?;
                Ok(Adoption { id, adopted_at: read_instant(&at)? })
            };
            found.map(read).transpose()
        })
        .await
    }
}

//! Sessions on real servers: statements, transactions, timeouts, cancellation, loss, TLS; and the catalog's facts.

mod catalog;
mod session;
mod tls;

use retaind::sources::Session;

use crate::engines::Database;

async fn open(db: &Database) -> Session {
    Session::open(&db.source()).await.unwrap_or_else(|error| panic!("{error}: {}", error.cause))
}

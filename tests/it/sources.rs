//! Sessions on real servers: statements, transactions, timeouts, cancellation, loss, TLS; and the catalog's facts.

mod ages;
mod beneath;
mod catalog;
mod endings;
mod privileges;
mod relations;
mod session;
mod tls;

use retaind::sources::{Session, SourceError, Sql};

use crate::engines::{Database, EngineKind};

const SERVERS: [EngineKind; 2] = [EngineKind::Postgres, EngineKind::MariaDb];

async fn open(db: &Database) -> Session {
    Session::open(&db.source()).await.unwrap_or_else(|error| panic!("{error}: {}", error.cause))
}

/// A statement of plain text.
fn plain(session: &Session, text: &str) -> Sql {
    let mut sql = session.sql();
    sql.push(text);
    sql
}

async fn execute(session: &mut Session, text: &str) -> Result<u64, SourceError> {
    let sql = plain(session, text);
    session.execute("a test statement", &sql).await
}

async fn query(session: &mut Session, text: &str) -> Result<Vec<Vec<Option<String>>>, SourceError> {
    let sql = plain(session, text);
    Ok(session.query("a test query", &sql).await?.into_iter().map(|row| row.0).collect())
}

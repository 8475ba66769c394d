//! Waiting for a statement, no longer than patience lasts.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use diesel::result::QueryResult;
use futures_util::future::BoxFuture;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::cancel::Canceller;

/// Time that the server may take to end a statement that it was asked to, until the connection is given up.
const LAST_PATIENCE: Duration = Duration::from_secs(5);

/// End of a call.
pub(super) enum Watched<T> {
    /// `overdue`: only after the session itself had asked the server to cancel it.
    Answered { result: QueryResult<T>, overdue: bool },
    /// Not even then.
    Silent,
}

/// Waits for a statement; cancels one that its server does not end in time. The future is dropped only when the
/// connection is given up.
pub(super) async fn watch<T>(
    patience: Duration,
    canceller: &Canceller,
    statement: impl Future<Output = QueryResult<T>>,
) -> Watched<T> {
    let mut statement = pin!(statement);
    if let Ok(result) = timeout(patience, &mut statement).await {
        return Watched::Answered { result, overdue: false };
    }
    canceller.cancel().await;
    match timeout(LAST_PATIENCE, statement).await {
        Ok(result) => Watched::Answered { result, overdue: true },
        Err(_) => Watched::Silent,
    }
}

/// Waits as [`watch`] does; a stop ends the statement as well. Boxed: what a run nests around a statement is deep
/// enough.
pub(super) fn watch_and_heed<'a, T: Send + 'a>(
    patience: Duration,
    canceller: &'a Canceller,
    stop: Option<&'a CancellationToken>,
    statement: impl Future<Output = QueryResult<T>> + Send + 'a,
) -> BoxFuture<'a, Watched<T>> {
    let watched = watch(patience, canceller, statement);
    match stop {
        Some(stop) => Box::pin(canceller.watch(stop, watched)),
        None => Box::pin(watched),
    }
}

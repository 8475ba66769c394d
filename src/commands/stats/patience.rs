//! Asking a database something that may take longer than one wants to wait. Nobody waits for long.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use crate::policy::{Engine, Source};
use crate::sources::{Canceller, ErrorKind, Session, SourceError};

/// Longest time for the plan of a statement, or a sample.
pub(super) const PLANNING: Duration = Duration::from_millis(100);
/// Longest time for another connection, once the time is up.
const CONNECTING: Duration = Duration::from_millis(60);
/// Longest time for a server to end what it was told to end.
const ENDING: Duration = Duration::from_millis(60);

/// End of a question.
pub(super) enum Waited<T> {
    InTime(T),
    /// The server ended it on request, or somebody's lock was in the way; the connection can be used.
    Late,
    /// It goes on by itself.
    Abandoned,
    Failed(SourceError),
}

/// Connects, or gives up at a deadline, but never within less than [`CONNECTING`]; `None`: no answer in time.
pub(super) async fn connect(source: &Source, until: Instant) -> Option<Result<Session, SourceError>> {
    let mut opening = Box::pin(Session::open(source));
    match timeout_at(until.max(Instant::now() + CONNECTING), &mut opening).await {
        Ok(opened) => Some(opened),
        Err(_) => {
            if source.endpoint.engine().is_file() {
                // Somebody has locked the file. Dropped, it would be waited for; it ends with the process.
                std::mem::forget(opening);
            }
            None
        }
    }
}

/// Runs a statement until a deadline and has it cancelled then. SQLite ends nothing on request: there it is abandoned,
/// which is for a process that is about to end.
pub(super) async fn within<T>(
    until: Instant,
    engine: Engine,
    canceller: &Canceller,
    statement: impl Future<Output = Result<T, SourceError>>,
) -> Waited<T> {
    let mut statement = Box::pin(statement);
    let done = match timeout_at(until, &mut statement).await {
        Ok(done) => done,
        Err(_) if engine.is_file() => {
            // Dropped, it would be waited for; it ends with the process.
            std::mem::forget(statement);
            return Waited::Abandoned;
        }
        Err(_) => {
            let cancelled = async { tokio::join!(canceller.cancel(), &mut statement).1 };
            match timeout(ENDING, cancelled).await {
                Ok(done) => done,
                Err(_) => return Waited::Abandoned,
            }
        }
    };
    match done {
        Ok(answer) => Waited::InTime(answer),
        Err(error) if matches!(error.kind, ErrorKind::Cancelled | ErrorKind::Timeout | ErrorKind::Busy) => Waited::Late,
        Err(error) => Waited::Failed(error),
    }
}

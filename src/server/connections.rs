//! Connections: accepted as long as there is room, each served with limits, closed in order.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use axum::response::IntoResponse;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::problem::{Problem, ProblemCode};

/// Time for the head of a request to arrive, and for an idle connection to ask again.
pub(super) const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;
/// Pause after a connection could not be accepted: too many files are open, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Time for answers that have begun, when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Something that accepts connections.
pub(super) trait Accept: Send + 'static {
    type Connection: Send + 'static;
    /// Connections at once; more wait to be accepted.
    const MOST: usize;
    /// Its word in sentences.
    const WORD: &'static str;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Connection>> + Send;
    /// Serves a connection to its end.
    fn serve(connection: Self::Connection, router: Router, stop: CancellationToken) -> impl Future<Output = ()> + Send;
}

/// Connections that are being served.
pub(super) struct Connections {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Connections {
    /// Accepts from now on.
    pub(super) fn serve(listener: impl Accept, router: Router) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(accept(listener, router, stop.clone(), tasks.clone()));
        Self { stop, tasks }
    }

    /// Accepts nothing any more, ends what waits, and lets answers that have begun come to their end.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        // A client that reads slowly holds up nobody.
        let _ = tokio::time::timeout(LAST_ANSWERS, self.tasks.wait()).await;
    }
}

async fn accept<L: Accept>(listener: L, router: Router, stop: CancellationToken, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(L::MOST));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(connection) => {
                let (router, stop) = (router.clone(), stop.clone());
                tasks.spawn(async move {
                    L::serve(connection, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                let word = L::WORD;
                tracing::warn!(%error, "A connection to the daemon's {word} could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a connection until it ends, or is asked to `stop` after the answer that has begun, or is `cut` in the middle of it.
/// Each request is admitted first, by which it also learns who asks; one that is not is the last of its connection.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    router: Router,
    (stop, cut): (CancellationToken, impl Future<Output = ()>),
    admit: impl Fn(&mut Request, CancellationToken) -> Result<(), Problem>,
) {
    // What is begun is carried out to its end, also where the client is gone: nothing is left half done, or unrecorded.
    let begun = TaskTracker::new();
    let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        let gone = CancellationToken::new();
        let admitted = admit(&mut request, gone.clone()).map(|()| begun.spawn(router.clone().call(request)));
        async {
            let _waits = gone.drop_guard();
            match admitted {
                Ok(answer) => answer.await.unwrap_or_else(|_| Ok(broken_off().into_response())),
                Err(problem) => Ok(([(header::CONNECTION, "close")], problem).into_response()),
            }
        }
    });
    serve_http(stream, answer, (stop, cut)).await;
    begun.close();
    begun.wait().await;
}

async fn serve_http<S>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    answer: S,
    (stop, cut): (CancellationToken, impl Future<Output = ()>),
) where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = axum::body::Body, Error = Infallible>,
{
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(LARGEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    // How a client ends is its own affair.
    tokio::select! {
        _ = &mut connection => {}
        () = cut => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

fn broken_off() -> Problem {
    Problem::new(ProblemCode::Internal, "the answer broke off by a bug in retaind")
}

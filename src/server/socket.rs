//! The unix socket: bound with its permissions, each connection served with limits, closed in order.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::control::{Caller, Control};
use super::endpoint::App;
use super::routes::router;
use crate::outcome::Operator;

/// Connections at once; more wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;
/// Time for the head of a request to arrive, and for an idle connection to ask again.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
const LARGEST_HEAD: usize = 16 * 1024;
/// Pause after a connection could not be accepted: too many files are open, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Time for answers that have begun, when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Name of the commands of retaind among clients.
pub(super) const USER_AGENT: &str = concat!("retaind/", env!("CARGO_PKG_VERSION"));
/// Header in which a command says for whom it asks: inside the sandbox of the unit other users have no names.
pub(super) const ON_BEHALF_OF: &str = "retaind-on-behalf-of";
/// Longest name of such a person, in bytes.
const LONGEST_NAME: usize = 64;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

/// Why the socket could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("the socket {} cannot be bound", path.display())]
pub struct BindError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// The server, answering.
pub struct ApiServer {
    path: PathBuf,
    stop: CancellationToken,
    connections: TaskTracker,
}

impl ApiServer {
    /// Answers on a unix socket, whose owner and group may ask. A socket that a dead daemon left there is replaced: whoever
    /// calls this has the state directory to itself.
    pub fn start(path: &Path, read_only: bool, control: Arc<dyn Control>) -> Result<Self, BindError> {
        let listener = bind(path).map_err(|cause| BindError { path: path.to_owned(), cause })?;
        let (stop, connections) = (CancellationToken::new(), TaskTracker::new());
        let accepting = accept(listener, router(App { control, read_only }), stop.clone(), connections.clone());
        connections.spawn(accepting);
        Ok(Self { path: path.to_owned(), stop, connections })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts nothing any more, ends what waits, and lets answers that have begun come to their end.
    pub async fn stop(self) {
        self.stop.cancel();
        self.connections.close();
        // A client that reads slowly holds up nobody.
        let _ = tokio::time::timeout(LAST_ANSWERS, self.connections.wait()).await;
        #[expect(clippy::disallowed_methods, reason = "the daemon's own socket")]
        // The directory may be gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::FileTypeExt;
    if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        #[expect(clippy::disallowed_methods, reason = "the socket that a daemon before this one left")]
        std::fs::remove_file(path)?;
    }
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    // Nobody can connect before it listens.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    socket.listen(BACKLOG)
}

async fn accept(listener: UnixListener, router: Router, stop: CancellationToken, connections: TaskTracker) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    serve(stream, router, stop).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "A connection to the daemon's socket could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, router: Router, stop: CancellationToken) {
    let uid = stream.peer_cred().map_or(Operator::NOBODY, |peer| peer.uid());
    let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        let caller = caller(uid, &request);
        request.extensions_mut().insert(caller);
        router.clone().call(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_PATIENCE).max_buf_size(LARGEST_HEAD);
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    // How a client ends is its own affair.
    tokio::select! {
        _ = &mut connection => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

fn caller(uid: u32, request: &Request) -> Caller {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let on_behalf_of = text(ON_BEHALF_OF).filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME);
    Caller {
        uid: (uid != Operator::NOBODY).then_some(uid),
        on_behalf_of: on_behalf_of.map(str::to_owned),
        is_command: text(header::USER_AGENT.as_str()) == Some(USER_AGENT),
    }
}

//! The unix socket: bound with its permissions, and each request with the user at its other end.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header;
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio_util::sync::CancellationToken;

use super::connections::{Accept, Connections, serve};
use super::control::{Caller, Control};
use super::door;
use super::endpoint::App;
use super::problem::{Problem, ProblemCode};
use super::routes::router;
use crate::outcome::{Operator, Role};

/// Name of the commands of retaind among clients.
pub(super) const USER_AGENT: &str = concat!("retaind/", env!("CARGO_PKG_VERSION"));
/// Header in which a command says for whom it asks: inside the sandbox of the unit other users have no names.
pub(super) const ON_BEHALF_OF: &str = "retaind-on-behalf-of";
/// Longest name of such a person, in bytes.
const LONGEST_NAME: usize = 64;
/// Name of the socket until it listens: no longer than its own, as the kernel bounds the path.
const UNREADY: &str = ".sock";
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

/// The server, answering on a socket.
pub struct ApiServer {
    path: PathBuf,
    connections: Connections,
}

impl ApiServer {
    /// Answers on a unix socket, whose owner and group may ask. A socket that a dead daemon left there is replaced: whoever
    /// calls this has the state directory to itself.
    pub fn start(path: &Path, control: Arc<dyn Control>) -> Result<Self, BindError> {
        let listener = bind(path).map_err(|cause| BindError { path: path.to_owned(), cause })?;
        let connections = Connections::serve(listener, router(App::new(control)));
        Ok(Self { path: path.to_owned(), connections })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Accepts nothing any more, ends what waits, and lets answers that have begun come to their end.
    pub async fn stop(self) {
        self.connections.stop().await;
        #[expect(clippy::disallowed_methods, reason = "the daemon's own socket")]
        // The directory may be gone already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Binds beside the path and moves there what already listens: who finds the socket is answered, and with its permissions.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let replaceable = std::fs::symlink_metadata(path).map_or(true, |found| found.file_type().is_socket());
    if !replaceable {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else has its name"));
    }
    let unready = path.with_file_name(UNREADY);
    #[expect(clippy::disallowed_methods, reason = "the socket that a daemon left which died just before it listened")]
    let _ = std::fs::remove_file(&unready);
    let socket = UnixSocket::new_stream()?;
    socket.bind(&unready)?;
    std::fs::set_permissions(&unready, std::fs::Permissions::from_mode(0o660))?;
    let listener = socket.listen(BACKLOG)?;
    std::fs::rename(&unready, path)?;
    Ok(listener)
}

impl Accept for UnixListener {
    type Connection = UnixStream;
    const MOST: usize = 1024;
    const WORD: &'static str = "socket";

    async fn accept(&self) -> io::Result<UnixStream> {
        UnixListener::accept(self).await.map(|(stream, _)| stream)
    }

    async fn serve(stream: UnixStream, router: Router, stop: CancellationToken) {
        let uid = stream.peer_cred().map_or(Operator::NOBODY, |peer| peer.uid());
        let admit = |request: &mut Request, gone| {
            check_browser(request)?;
            let caller = caller(uid, request, gone);
            request.extensions_mut().insert(caller);
            Ok(())
        };
        // Whoever was let in stays: the kernel told who it is.
        serve(stream, router, (stop, std::future::pending()), admit).await;
    }
}

/// Refuses what a page of another server makes a browser send, and every change by a browser but those of the dashboard's own
/// forms. A browser gets here by a proxy alone, which may have asked it for a password.
fn check_browser(request: &Request) -> Result<(), Problem> {
    let headers = request.headers();
    if request.method().is_safe() || !door::is_of_browser(headers) {
        return Ok(());
    }
    if door::is_page(request.uri().path()) && !door::is_from_other_site(headers) {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::Forbidden, "a page asks for this, and not one of the dashboard"))
}

fn caller(uid: u32, request: &Request, gone: CancellationToken) -> Caller {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    // A proxy hands on whatever a browser sends.
    let is_browser = door::is_of_browser(request.headers());
    let on_behalf_of = text(ON_BEHALF_OF).filter(|name| !is_browser && !name.is_empty() && name.len() <= LONGEST_NAME);
    Caller {
        uid: (uid != Operator::NOBODY).then_some(uid),
        on_behalf_of: on_behalf_of.map(str::to_owned),
        is_command: !is_browser && text(header::USER_AGENT.as_str()) == Some(USER_AGENT),
        remote: None,
        role: Role::Operator,
        gone,
    }
}

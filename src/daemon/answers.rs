//! Answers of the daemon: on its socket, and over TCP.

use std::sync::Arc;

use futures_util::future::OptionFuture;

use super::control::Controller;
use super::reload::Refusal;
use crate::ledger::{StateLock, Tokens};
use crate::policy::Settings;
use crate::server::{ApiServer, TcpServer};
use crate::text::chain;

/// Servers that answer for the daemon.
pub(super) struct Answers {
    socket: Option<ApiServer>,
    tcp: Option<TcpServer>,
}

impl Answers {
    /// Answers from now on. Where that cannot be, the daemon does its work all the same.
    pub(super) fn start(settings: &Settings, controller: Controller, lock: &StateLock) -> Self {
        let control = Arc::new(controller);
        let socket = settings.serving.socket.as_deref().map(|path| ApiServer::start(path, control.clone()));
        let socket = socket.and_then(|started| reported(started, "The daemon answers no command"));
        if let Some(server) = &socket {
            lock.note_socket(server.path());
        }
        let tcp = settings.serving.tcp.as_ref().and_then(|tcp| {
            let server = reported(TcpServer::start(tcp.listen, control), "The daemon does not answer over TCP")?;
            let (scheme, listen) = (if tcp.certificate.is_some() { "https" } else { "http" }, server.listen());
            tracing::info!(%listen, "The daemon answers at {scheme}://{listen} whoever has a token");
            Some(server)
        });
        Self { socket, tcp }
    }

    /// Ends what waits, and lets answers that have begun come to their end.
    pub(super) async fn stop(self) {
        let socket = OptionFuture::from(self.socket.map(ApiServer::stop));
        let tcp = OptionFuture::from(self.tcp.map(TcpServer::stop));
        tokio::join!(socket, tcp);
    }
}

/// A server that has started; otherwise the reason is reported.
fn reported<T, E: std::error::Error + 'static>(started: Result<T, E>, what: &str) -> Option<T> {
    started.inspect_err(|error| tracing::error!(error = chain(error), "{what}: {}", chain(error))).ok()
}

/// Refuses to answer over TCP as long as nobody could be let in: by a slip that might be read as everybody.
pub(super) fn check_tokens(settings: &Settings) -> Result<(), Refusal> {
    let Some(tcp) = &settings.serving.tcp else { return Ok(()) };
    let tokens = Tokens::of(&settings.daemon.state_dir).all().map_err(|error| Refusal::because(chain(&error)))?;
    if tokens.iter().any(|found| found.token.is_ok()) {
        return Ok(());
    }
    Err(Refusal::because(format!(
        "[server] listen: {} is for whoever has a token, and there is none. Make one with `retaind token add NAME --role \
         viewer` or `--role operator`, or leave the key out",
        tcp.listen
    )))
}

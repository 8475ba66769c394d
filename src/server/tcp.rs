//! TCP: bound to the address of the configuration, with TLS by the certificate that is in force when a connection begins. Who
//! asks is a matter of the [`Gate`].

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use rustix::net::sockopt::set_tcp_user_timeout;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::connections::{Accept, Connections, HEAD_PATIENCE, serve};
use super::control::Control;
use super::endpoint::App;
use super::gate::Gate;
use super::peers::{Peers, Seat};
use super::routes::router;

/// Connections that wait to be accepted.
const BACKLOG: u32 = 256;
/// Time after which a client is cut off that does not take what is sent to it.
const READ_PATIENCE: Duration = Duration::from_secs(30);

/// Why an address could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{listen} cannot be bound")]
pub struct ListenError {
    listen: SocketAddr,
    #[source]
    cause: io::Error,
}

/// The server, answering over TCP.
pub struct TcpServer {
    listen: SocketAddr,
    connections: Connections,
}

/// Listening socket, and whom its connections may ask.
struct Listener {
    listener: TcpListener,
    peers: Peers,
    app: App,
}

impl TcpServer {
    /// Answers at an address whoever has a token.
    pub fn start(listen: SocketAddr, control: Arc<dyn Control>) -> Result<Self, ListenError> {
        let failed = |cause| ListenError { listen, cause };
        let listener = bind(listen).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let peers = Peers::at_most(Listener::MOST / 4);
        let app = App::new(control);
        let listener = Listener { listener, peers, app: app.clone() };
        Ok(Self { listen: bound, connections: Connections::serve(listener, router(app)) })
    }

    /// The address, with its port.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Accepts nothing any more, ends what waits, and lets answers that have begun come to their end.
    pub async fn stop(self) {
        self.connections.stop().await;
    }
}

fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = if listen.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // The daemon before this one may have left connections that linger.
    socket.set_reuseaddr(true)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)
}

impl Accept for Listener {
    type Connection = (TcpStream, IpAddr, Seat, App);
    /// Apart from those of the socket, which whoever can only reach this cannot use up.
    const MOST: usize = 256;
    const WORD: &'static str = "TCP port";

    async fn accept(&self) -> io::Result<Self::Connection> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            let peer = peer.ip().to_canonical();
            if let Some(seat) = self.peers.seat(peer) {
                return Ok((stream, peer, seat, self.app.clone()));
            }
        }
    }

    async fn serve((stream, peer, _seat, app): Self::Connection, router: Router, stop: CancellationToken) {
        let settings = app.control.settings();
        // A connection that is gone already needs no answer.
        let (Some(tcp), Ok(local)) = (&settings.serving.tcp, stream.local_addr()) else { return };
        let patience = u32::try_from(READ_PATIENCE.as_millis()).unwrap_or(u32::MAX);
        if stream.set_nodelay(true).is_err() || set_tcp_user_timeout(&stream, patience).is_err() {
            return;
        }
        let tls = tcp.certificate.as_ref().map(|certificate| TlsAcceptor::from(Arc::clone(&certificate.tls)));
        drop(settings);
        let gate = Gate::new(app, peer, local.ip().to_canonical());
        let admit = |request: &mut Request, gone| gate.admit(request, gone);
        let Some(tls) = tls else { return serve(stream, router, (stop, gate.closed()), admit).await };
        if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_PATIENCE, tls.accept(stream)).await {
            serve(stream, router, (stop, gate.closed()), admit).await;
        }
    }
}

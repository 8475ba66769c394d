//! Cancels, from another task, the statement that a session is in.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::sync::CancellationToken;

use super::activity::Activity;
use super::interrupt::Interrupt;
use crate::policy::Host;

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Time that a cancellation may take to be delivered.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(3);
/// Time that a statement may go on after a stop before the server is asked to cancel it.
const PATIENCE: Duration = Duration::from_millis(400);

/// Cancels, from another task, the statement that a session is in. Cheap to clone.
#[derive(Clone)]
pub struct Canceller {
    activity: Activity,
    target: Arc<Target>,
}

/// Destination of a cancellation.
pub(super) enum Target {
    Postgres { token: CancelToken, host: Host, tls: Option<MakeRustlsConnect> },
    MySql { login: mysql_async::Opts, connection_id: u32 },
    Sqlite(Interrupt),
}

impl Canceller {
    pub(super) fn new(activity: Activity, target: Target) -> Self {
        Self { activity, target: Arc::new(target) }
    }

    /// Forgets a cancellation whose statement has ended.
    pub(super) fn reset(&self) {
        if let Target::Sqlite(interrupt) = self.target.as_ref() {
            interrupt.reset();
        }
    }

    /// Asks the server to cancel what the session is in; harmless when it is in nothing. A request that cannot be
    /// delivered is given up after three seconds: the statement's own timeout ends it then.
    pub async fn cancel(&self) {
        let mut state = self.activity.hold().await;
        if !state.in_statement {
            return;
        }
        state.cancel_sent = true;
        self.target.deliver().await;
    }

    /// Runs a statement to its end. After a stop the server is asked to cancel it, again and again, because the first
    /// request may come before the statement does; the future itself is never dropped.
    pub async fn watch<T>(&self, stop: &CancellationToken, statement: impl Future<Output = T>) -> T {
        let mut statement = pin!(statement);
        tokio::select! {
            biased;
            done = &mut statement => return done,
            () = stop.cancelled() => {}
        }
        loop {
            tokio::select! {
                biased;
                done = &mut statement => return done,
                () = tokio::time::sleep(PATIENCE) => self.cancel().await,
            }
        }
    }
}

impl Target {
    /// Asks the server to cancel what the connection is in. The statement may still end by itself, so a request that failed
    /// is no error of the run's.
    pub(super) async fn deliver(&self) {
        match tokio::time::timeout(DELIVERY_TIMEOUT, self.send()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(error = %error, "Cancel request could not be delivered"),
            Err(_) => tracing::debug!("Cancel request was not delivered in time"),
        }
    }

    fn send(&self) -> BoxFuture<'_, Result<(), Cause>> {
        match self {
            Target::Postgres { token, host, tls } => Box::pin(send_postgres(token, host, tls.as_ref())),
            Target::MySql { login, connection_id } => Box::pin(send_mysql(login, *connection_id)),
            Target::Sqlite(interrupt) => {
                interrupt.set();
                Box::pin(std::future::ready(Ok(())))
            }
        }
    }
}

async fn send_mysql(login: &mysql_async::Opts, connection_id: u32) -> Result<(), Cause> {
    let mut connection = mysql_async::Conn::new(login.clone()).await?;
    connection.query_drop(format!("KILL QUERY {connection_id}")).await?;
    Ok(connection.disconnect().await?)
}

/// Delivers a cancel request and waits until the server hangs up: only then has it signalled the backend, and the
/// session may go on without the signal hitting its next statement.
async fn send_postgres(token: &CancelToken, host: &Host, tls: Option<&MakeRustlsConnect>) -> Result<(), Cause> {
    match host {
        Host::Unix { path, port } => {
            let mut socket = UnixStream::connect(path.join(format!(".s.PGSQL.{port}"))).await?;
            token.cancel_query_raw(&mut socket, NoTls).await?;
            drain(socket).await?;
        }
        Host::Tcp { name, port } => {
            let socket = TcpStream::connect((name.as_str(), *port)).await?.into_std()?;
            // The TLS stream is consumed by the request; the second handle sees the server hang up.
            let watch = TcpStream::from_std(socket.try_clone()?)?;
            let mut socket = TcpStream::from_std(socket)?;
            match tls {
                None => token.cancel_query_raw(&mut socket, NoTls).await?,
                Some(tls) => {
                    let mut tls = tls.clone();
                    let connect = tokio_postgres::tls::MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls, name)?;
                    token.cancel_query_raw(socket, connect).await?;
                }
            }
            drain(watch).await?;
        }
    }
    Ok(())
}

async fn drain(mut stream: impl AsyncRead + Unpin) -> io::Result<()> {
    let mut rest = [0; 256];
    loop {
        match stream.read(&mut rest).await {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // The server may reset instead of closing in good order: it has hung up either way.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

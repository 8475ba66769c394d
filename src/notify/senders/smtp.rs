//! One conversation with a mail server, over a connection of its own of which no more than some is read.

use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use lettre::Message;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Code;
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;

use super::dial::dial;
use super::tls::client_config;
use crate::policy::{Email, SmtpTls};
use crate::text::chain;
use crate::trust::{TrustError, of_file};

/// Bytes that are read of a mail server at most, in a whole conversation.
const HEARD_BYTES: usize = 256 << 10;
/// Time for the good-bye, which changes nothing any more.
const GOODBYE: Duration = Duration::from_secs(1);

type Refusal = lettre::transport::smtp::Error;

/// Why a mail server did not take a message.
#[derive(Debug, thiserror::Error)]
pub(super) enum SmtpError {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the host is not a name that a certificate can be of")]
    Name(#[from] InvalidDnsNameError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("no connection by TLS")]
    Tls(#[source] io::Error),
    #[error("the mail server offers no STARTTLS, and gets neither password nor mail")]
    NoStartTls,
    /// Without the words of the answer: some repeat what they were sent.
    #[error("the mail server refuses the login ({0})")]
    Login(Code),
    #[error("the mail server takes no addresses or text beyond ASCII")]
    AsciiOnly,
    #[error("the mail server takes it for nobody: {refused}")]
    Nobody { refused: String, is_for_good: bool },
    #[error("the mail server does not take the message")]
    Message(#[source] Refusal),
    #[error("the mail server cannot be talked to")]
    Talk(#[from] Refusal),
}

/// Message that a mail server took.
pub(super) struct Handed {
    pub(super) answer: String,
    /// Recipients that it does not know, and why; empty where it knows all.
    pub(super) refused: String,
}

impl SmtpError {
    /// True if the server takes mail and not this one: it is too large or looks wrong to it, or is for nobody there.
    pub(super) fn is_about_message(&self) -> bool {
        match self {
            SmtpError::Message(error) => {
                error.status().is_some_and(|code| ["552", "554"].contains(&code.to_string().as_str()))
            }
            SmtpError::Nobody { is_for_good, .. } => *is_for_good,
            _ => false,
        }
    }
}

/// Hands a message over, for each recipient that the server takes it for.
pub(super) async fn hand_over(to: &Email, host: &str, message: &Message) -> Result<Handed, SmtpError> {
    let mut connection = connect(to, host).await?;
    log_in(to, &mut connection).await?;
    let text = message.formatted();
    let refused = address(&mut connection, message.envelope(), text.is_ascii()).await?;
    connection.command(Data).await.map_err(SmtpError::Message)?;
    let answer = connection.message(&text).await.map_err(SmtpError::Message)?;
    // It is the server's now. Nobody waits for the good-bye, so that no message is sent again because that is slow.
    tokio::spawn(async move { tokio::time::timeout(GOODBYE, connection.quit()).await });
    Ok(Handed { answer: answer.first_line().unwrap_or_default().to_owned(), refused })
}

async fn connect(to: &Email, host: &str) -> Result<AsyncSmtpConnection, SmtpError> {
    let hello = ClientId::Domain(host.to_owned());
    let stream = dial(&to.host, to.port).await.map_err(SmtpError::Connect)?;
    let peer = stream.peer_addr().map_err(SmtpError::Connect)?;
    if to.tls == SmtpTls::Implicit {
        let (name, config) = (ServerName::try_from(to.host.clone())?, client_config(to.tls_ca.as_deref())?);
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(SmtpError::Tls)?;
        return Ok(AsyncSmtpConnection::connect_with_transport(Bounded::boxed(stream, peer), &hello).await?);
    }
    let mut connection = AsyncSmtpConnection::connect_with_transport(Bounded::boxed(stream, peer), &hello).await?;
    if to.tls == SmtpTls::StartTls {
        if !connection.can_starttls() {
            return Err(SmtpError::NoStartTls);
        }
        connection.starttls(parameters(to)?, &hello).await?;
    }
    Ok(connection)
}

fn parameters(to: &Email) -> Result<TlsParameters, SmtpError> {
    let mut builder = TlsParameters::builder(to.host.clone());
    if let Some(path) = &to.tls_ca {
        builder = builder.certificate_store(CertificateStore::None);
        for authority in of_file(path)? {
            builder = builder.add_root_certificate(Certificate::from_der(authority.to_vec())?);
        }
    }
    Ok(builder.build_rustls()?)
}

async fn log_in(to: &Email, connection: &mut AsyncSmtpConnection) -> Result<(), SmtpError> {
    let (Some(user), Some(password)) = (&to.user, &to.password) else { return Ok(()) };
    let credentials = Credentials::new(user.clone(), password.expose().to_owned());
    match connection.auth(DEFAULT_MECHANISMS, &credentials).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.status().map_or(SmtpError::Talk(error), SmtpError::Login)),
    }
}

/// Names sender and recipients. The recipients that are refused, where not all are.
async fn address(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    is_ascii: bool,
) -> Result<String, SmtpError> {
    let parameters = parameters_of(connection, envelope, is_ascii)?;
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(SmtpError::Message)?;
    let mut refused = Vec::new();
    let mut is_for_good = true;
    for recipient in envelope.to() {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => {
                is_for_good &= error.is_permanent();
                refused.push(format!("{recipient}: {}", chain(&error)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let is_for_nobody = refused.len() == envelope.to().len();
    let refused = refused.join("; ");
    if is_for_nobody { Err(SmtpError::Nobody { refused, is_for_good }) } else { Ok(refused) }
}

/// Extensions of the server that a message needs.
fn parameters_of(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    is_ascii: bool,
) -> Result<Vec<MailParameter>, SmtpError> {
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let is_plain = addresses.all(|address| address.to_string().is_ascii());
    let needed = [
        (!is_plain, Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
        (!is_ascii, Extension::EightBitMime, MailParameter::Body(MailBodyParameter::EightBitMime)),
    ];
    let mut parameters = Vec::new();
    for (_, extension, parameter) in needed.into_iter().filter(|(is_needed, ..)| *is_needed) {
        if !connection.server_info().supports_feature(extension) {
            return Err(SmtpError::AsciiOnly);
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// A connection of which only so much is read: a line of an answer may be without an end.
#[derive(Debug)]
struct Bounded<S> {
    stream: S,
    peer: SocketAddr,
    left: usize,
}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin + 'static> Bounded<S> {
    fn boxed(stream: S, peer: SocketAddr) -> Box<dyn AsyncTokioStream> {
        Box::new(Self { stream, peer, left: HEARD_BYTES })
    }
}

impl<S: AsyncRead + AsyncWrite + Debug + Send + Sync + Unpin> AsyncTokioStream for Bounded<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other(format!("it says more than {HEARD_BYTES} bytes"))));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.left = self.left.saturating_sub(buf.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

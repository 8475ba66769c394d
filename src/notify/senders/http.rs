//! One POST over a connection of its own. Follows no redirect, and reads nothing of the answer but its head.

use std::io;
use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::attempt::Attempt;
use super::dial::dial;
use super::tls::client_config;
use crate::policy::WebUrl;
use crate::text::chain;
use crate::trust::TrustError;

/// Content of a request beside its url.
pub(super) struct Content {
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("the host is not a name that a certificate can be of")]
    Name(#[from] rustls::pki_types::InvalidDnsNameError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("no connection by TLS")]
    Tls(#[source] io::Error),
    #[error("the request cannot be made")]
    Request(#[from] hyper::http::Error),
    #[error("no answer")]
    Exchange(#[from] hyper::Error),
}

/// Sends it, and judges the answer.
pub(super) async fn post(url: &WebUrl, tls_ca: Option<&Path>, content: Content, now: Timestamp) -> Attempt {
    match exchange(url, tls_ca, content).await {
        Ok(answer) => judge(&answer, now),
        Err(error) => Attempt::failed(chain(&error)),
    }
}

async fn exchange(url: &WebUrl, tls_ca: Option<&Path>, content: Content) -> Result<Response<Incoming>, NoAnswer> {
    let request = request(url, content)?;
    let stream = dial(&url.host, url.port).await.map_err(NoAnswer::Connect)?;
    if !url.is_tls {
        return send(stream, request).await;
    }
    let name = ServerName::try_from(url.host.clone())?;
    let stream = TlsConnector::from(client_config(tls_ca)?).connect(name, stream).await.map_err(NoAnswer::Tls)?;
    send(stream, request).await
}

fn request(url: &WebUrl, content: Content) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let mut request = Request::post(url.target())
        .header(HOST, url.authority())
        .header(USER_AGENT, concat!("retaind/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, content.content_type)
        .header(CONNECTION, "close");
    for (name, value) in content.headers {
        request = request.header(name, value);
    }
    request.body(Full::new(content.body.into()))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, NoAnswer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, or when whoever waits for that gives up. What ends it is told to the request.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// Judges an answer by its head. Its body is not shown: pages of errors repeat path and headers, which are secrets.
fn judge<B>(answer: &Response<B>, now: Timestamp) -> Attempt {
    let status = answer.status();
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| asked_wait(value.to_str().ok()?, now));
    let said = format!("it answered {status}");
    match status {
        _ if status.is_success() => Attempt::delivered(said),
        _ if status.is_redirection() => {
            Attempt::failed(format!("{said}, and no redirect is followed: write the url that it leads to"))
        }
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Attempt::refused(said)
        }
        _ => Attempt::failed_until(said, retry_after),
    }
}

/// The wait of a `Retry-After`: seconds, or a date.
fn asked_wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?;
    Duration::try_from(at.timestamp().duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now: Timestamp = "2026-10-21T07:27:00Z".parse().unwrap();
        for (value, wait) in [
            ("120", Some(120)),
            ("Wed, 21 Oct 2026 07:28:00 GMT", Some(60)),
            ("Wed, 21 Oct 2026 07:26:00 GMT", None),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(asked_wait(value, now).map(|wait| wait.as_secs()), wait, "{value}");
        }
    }
}

//! Requests over TCP, before they reach anything: for this server by their own words, not from a page of another in a browser,
//! with a token that allows what they ask for.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use hyper::body::Body;
use tokio_util::sync::CancellationToken;

use super::control::Caller;
use super::door::{self, Door};
use super::endpoint::App;
use super::problem::{Problem, ProblemCode};
use crate::outcome::{Remote, Role};
use crate::policy::{Name, ServingTcp};

/// Paths that anybody may ask for: they say nothing but that the daemon lives.
pub(super) const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// Interval at which a token is looked at again while its connection lasts: an answer may go on for long.
const LOOK_PERIOD: Duration = Duration::from_secs(2);

/// Gate of a connection.
pub(super) struct Gate {
    app: App,
    /// Other end of the connection.
    peer: IpAddr,
    /// This end of it.
    local: IpAddr,
    /// Token of the last request that was let in.
    shown: Mutex<Option<Shown>>,
}

/// Secret of a token, and what it allowed when it was shown.
struct Shown {
    secret: String,
    token: Name,
    role: Role,
}

impl Gate {
    /// Gate of a connection between these two ends.
    pub(super) fn new(app: App, peer: IpAddr, local: IpAddr) -> Self {
        Self { app, peer, local, shown: Mutex::default() }
    }

    /// Ends when the token that was shown is no more, or allows less than it did.
    pub(super) async fn closed(&self) {
        loop {
            tokio::time::sleep(LOOK_PERIOD).await;
            let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(Shown { secret, token, role }) = shown.as_ref() else { continue };
            let now = self.app.control.token(secret);
            if !now.is_some_and(|(known, allows)| known == *token && allows >= *role) {
                tracing::info!(%token, "A connection of token {token} is closed: it is no more, or allows less than it did");
                return;
            }
        }
    }

    /// Lets a request in, and notes who makes it; otherwise the problem with it.
    pub(super) fn admit(&self, request: &mut Request, gone: CancellationToken) -> Result<(), Problem> {
        let settings = self.app.control.settings();
        let stopping = || Problem::new(ProblemCode::Stopping, "nothing is answered over TCP any more");
        let tcp = settings.serving.tcp.as_ref().ok_or_else(stopping)?;
        let host = self.host(request, tcp)?;
        let is_visit = settings.serving.dashboard && door::is_visit(request);
        check_origin(request.headers(), &host, (tcp, is_visit))?;
        if OPEN.contains(&request.uri().path()) {
            return Ok(());
        }
        if settings.serving.dashboard && door::is_page(request.uri().path()) {
            self.admit_to_pages(request, gone, tcp);
            return Ok(());
        }
        let Shown { secret, token, role } = self.token(request.headers())?;
        if role == Role::Viewer && !request.method().is_safe() {
            let detail = format!("token {token} is that of a viewer, who changes and starts nothing");
            return Err(Problem::new(ProblemCode::Forbidden, detail));
        }
        check_body(request)?;
        self.let_in(request, gone, Shown { secret, token, role });
        Ok(())
    }

    /// Notes who makes a request with a token that is known.
    fn let_in(&self, request: &mut Request, gone: CancellationToken, shown: Shown) {
        request.extensions_mut().insert(Caller {
            uid: None,
            on_behalf_of: None,
            is_command: false,
            remote: Some(Remote { token: shown.token.clone(), address: self.peer }),
            role: shown.role,
            gone,
        });
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
    }

    /// Notes by whose log-in a request for a page is made, and where it comes in. Without a log-in a page shows nothing: its
    /// handler takes a visitor, who is known by what is noted here.
    fn admit_to_pages(&self, request: &mut Request, gone: CancellationToken, tcp: &ServingTcp) {
        let door = Door { address: self.peer, port: tcp.listen.port(), is_tls: tcp.certificate.is_some() };
        let is_known = !door::is_from_other_site(request.headers());
        let renews = !door::is_asked_by_script(request.uri().path());
        let ids = if is_known { door.log_ins_of(request.headers()) } else { Vec::new() };
        request.extensions_mut().insert(door);
        for id in ids {
            let Some(login) = self.app.sessions.find(&id, renews, Instant::now()) else { continue };
            if let Some((token, role)) =
                self.app.control.token(&login.secret).filter(|(token, _)| *token == login.token)
            {
                self.let_in(request, gone, Shown { secret: login.secret.clone(), token, role });
                request.extensions_mut().insert(login);
                return;
            }
            self.app.sessions.end(&id);
        }
    }

    /// Server that a request is for, by its own words. A page whose name was made to lead here says its own name (DNS rebinding).
    fn host(&self, request: &Request, tcp: &ServingTcp) -> Result<Authority, Problem> {
        let mut named = request.headers().get_all(header::HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
            _ => None,
        };
        let is_ours = |host: &Authority| self.is_ours(host, tcp);
        let is_uri_ours = request.uri().authority().is_none_or(is_ours);
        host.filter(|host| is_uri_ours && is_ours(host)).ok_or_else(|| {
            Problem::new(ProblemCode::Misdirected, "the header Host does not name this server")
                .hint("[server] hosts lists names for it, beside localhost and its own address")
        })
    }

    fn is_ours(&self, authority: &Authority, tcp: &ServingTcp) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_own = |address: IpAddr| [self.local, tcp.listen.ip().to_canonical()].contains(&address.to_canonical());
        host == "localhost" || tcp.hosts.contains(&host) || host.parse().is_ok_and(is_own)
    }

    /// Token of a request. A missing, a malformed, a wrong and a removed one are the same to whoever shows them.
    fn token(&self, headers: &HeaderMap) -> Result<Shown, Problem> {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let secret =
            shown.and_then(|shown| shown.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let secret = secret.map_or("", |(_, secret)| secret.trim());
        let known = self.app.control.token(secret);
        known.map(|(token, role)| Shown { secret: secret.to_owned(), token, role }).ok_or_else(|| {
            Problem::new(ProblemCode::Unauthorized, "the request shows no token that this server knows")
                .hint("send the header Authorization: Bearer TOKEN; retaind token add makes one")
        })
    }
}

/// Refuses what a page of another server makes a browser send, but for links to pages, by which nobody is known.
fn check_origin(headers: &HeaderMap, host: &Authority, (tcp, is_visit): (&ServingTcp, bool)) -> Result<(), Problem> {
    if (is_visit || !door::is_from_other_site(headers))
        && headers.get_all(header::ORIGIN).iter().all(|origin| is_own_origin(origin.as_bytes(), host, tcp))
    {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::Forbidden, "a page of another server asks for this"))
}

fn is_own_origin(origin: &[u8], host: &Authority, tcp: &ServingTcp) -> bool {
    let Ok(origin) = Uri::try_from(origin) else { return false };
    let (Some("http" | "https"), Some(authority)) = (origin.scheme_str(), origin.authority()) else { return false };
    let is_named = authority.port().is_none() && tcp.hosts.contains(&authority.host().to_ascii_lowercase());
    is_named || authority.as_str().eq_ignore_ascii_case(host.as_str())
}

/// Refuses a body of a type that a form in a browser can send.
fn check_body(request: &Request) -> Result<(), Problem> {
    let of_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = of_type.split(';').next().unwrap_or_default().trim();
    if request.method().is_safe() || request.body().is_end_stream() || essence.eq_ignore_ascii_case("application/json")
    {
        return Ok(());
    }
    Err(Problem::new(ProblemCode::UnsupportedMediaType, "the body is not declared as JSON")
        .hint("send the header Content-Type: application/json"))
}

//! `[notify.NAME]`: who is told of what, and how.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Hook, Name, NoticeEvent, Secret, WebhookFormat};

/// Somebody who is notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    pub name: Name,
    /// Conditions of which, each once.
    pub on: Vec<NoticeEvent>,
    pub way: NotifyWay,
    /// Longest time of one try.
    pub timeout: Duration,
}

/// NotifyWay by which a notification goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotifyWay {
    Webhook(Webhook),
    Email(Email),
    /// A program of the operator's.
    Command(Hook),
}

/// A server that takes notifications by HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// None where it is a credential that was not passed to this process.
    pub url: Option<WebUrl>,
    pub format: WebhookFormat,
    /// Key of the signature.
    pub secret: Option<Secret>,
    pub token: Option<Secret>,
    /// Authorities that are trusted instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// A credential was not passed to this process: nothing can be sent by it.
    pub lacks: bool,
}

/// Mailboxes, and the server that takes mail for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// Checked to be mailboxes.
    pub from: String,
    pub to: Vec<String>,
    /// Authorities that are trusted instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// The password is a credential that was not passed to this process.
    pub lacks: bool,
}

/// Encryption of a connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the beginning.
    Implicit,
    /// By STARTTLS, without which nothing is sent.
    StartTls,
    None,
}

/// Monitor of a task: a dead man's switch that hears of each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    pub start: Option<WebUrl>,
    pub success: Option<WebUrl>,
    pub failure: Option<WebUrl>,
    /// The url is a credential that was not passed to this process.
    pub lacks: bool,
}

/// Somebody whom the outbox has messages for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    Destination(Arc<Destination>),
    /// The monitor of a task.
    Ping(Name, Arc<Ping>),
}

/// Longest time of one try to ping.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

impl Addressee {
    /// Name of it in the outbox.
    pub fn key(&self) -> String {
        match self {
            Addressee::Destination(destination) => destination.name.to_string(),
            Addressee::Ping(task, _) => Self::monitor_of(task),
        }
    }

    /// Name of the monitor of a task in the outbox.
    pub fn monitor_of(task: &Name) -> String {
        format!("ping:{task}")
    }

    /// Longest time of one try.
    pub fn timeout(&self) -> Duration {
        match self {
            Addressee::Destination(destination) => destination.timeout,
            Addressee::Ping(..) => PING_TIMEOUT,
        }
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Addressee::Destination(destination) => write!(f, "{} ({})", destination.name, destination.way),
            Addressee::Ping(task, ping) => {
                write!(f, "the monitor of task {task}")?;
                let url = [&ping.success, &ping.failure, &ping.start].into_iter().flatten().next();
                url.map_or(Ok(()), |url| write!(f, " ({url})"))
            }
        }
    }
}

impl NotifyWay {
    /// True if a credential was not passed to this process.
    pub fn lacks_credential(&self) -> bool {
        match self {
            NotifyWay::Webhook(webhook) => webhook.lacks,
            NotifyWay::Email(email) => email.lacks,
            NotifyWay::Command(_) => false,
        }
    }
}

/// Place to which the way leads, without what may be secret.
impl fmt::Display for NotifyWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotifyWay::Webhook(Webhook { url: Some(url), .. }) => write!(f, "{url}"),
            NotifyWay::Webhook(Webhook { url: None, .. }) => f.write_str("a url that is a credential"),
            NotifyWay::Email(email) => write!(f, "{} by {}", email.to.join(", "), email.host),
            NotifyWay::Command(hook) => write!(f, "{}", hook.program.display()),
        }
    }
}

/// An `http` or `https` url. Its path may be a secret, so that it is shown without.
#[derive(Clone, PartialEq, Eq)]
pub struct WebUrl {
    text: String,
    pub is_tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// Begin of the path in the text.
    path_at: usize,
}

impl WebUrl {
    /// Parses a url; the error says what is wrong and repeats nothing of it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("this is not a url")?;
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("the url begins with neither https:// nor http://"),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the url has a character that has to be percent-encoded");
        }
        if rest.contains('#') {
            return Err("the url has a '#', and nothing behind that is ever sent");
        }
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        if authority.contains('@') {
            return Err("the url has a user: a token or a signature is told apart from it");
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err("the url names no host");
        }
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let path_at = scheme.len() + "://".len() + authority.len();
        Ok(Self { text: text.to_owned(), is_tls, host: host.to_owned(), port, path_at })
    }

    /// The url as it is, with whatever is secret in it.
    pub fn exposed(&self) -> &str {
        &self.text
    }

    /// Host and port as the url has them.
    pub fn authority(&self) -> &str {
        let scheme = if self.is_tls { "https://" } else { "http://" };
        &self.text[scheme.len()..self.path_at]
    }

    /// Path and query.
    pub fn target(&self) -> String {
        match &self.text[self.path_at..] {
            target if target.starts_with('/') => target.to_owned(),
            query => format!("/{query}"),
        }
    }

    /// A url of the same server and query, with another path.
    pub fn at(&self, path: &str) -> Self {
        let (server, query) = (&self.text[..self.path_at], &self.text[self.path_at + self.path().len()..]);
        Self { text: format!("{server}{path}{query}"), ..self.clone() }
    }

    /// The url with more behind its path.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let path_end = self.path_at + self.path().len();
        let (before, query) = self.text.split_at(path_end);
        Self { text: format!("{}{suffix}{query}", before.trim_end_matches('/')), ..self.clone() }
    }

    /// The url with one more parameter.
    pub fn with_parameter(&self, name: &str, value: &str) -> Self {
        let mark = if self.text.contains('?') { '&' } else { '?' };
        Self { text: format!("{}{mark}{name}={value}", self.text), ..self.clone() }
    }

    /// Path without the query.
    pub fn path(&self) -> &str {
        let target = &self.text[self.path_at..];
        target.split_once('?').map_or(target, |(path, _)| path)
    }
}

/// Host and port of an authority: a name, an address, or an IPv6 address in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("the url has a '[' that is not closed")?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match port {
        "" => None,
        port => {
            let number = port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0);
            Some(number.ok_or("the url has a port that is not one")?)
        }
    };
    Ok((host, port))
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = if self.text.len() > self.path_at + 1 { "/…" } else { "" };
        write!(f, "{}{rest}", &self.text[..self.path_at])
    }
}

impl fmt::Debug for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_place_and_a_secret() {
        for (text, host, port, target) in [
            ("https://hooks.example.org/services/T0/s3cret", "hooks.example.org", 443, "/services/T0/s3cret"),
            ("http://[::1]:8080/s3cret?x=1", "::1", 8080, "/s3cret?x=1"),
            ("http://h", "h", 80, "/"),
            ("https://h?s3cret", "h", 443, "/?s3cret"),
        ] {
            let url = WebUrl::parse(text).unwrap();
            assert_eq!((url.host.as_str(), url.port, url.target()), (host, port, target.to_owned()), "{text}");
            assert_eq!(url.exposed(), text);
            assert!(!format!("{url} {url:?}").contains("s3cret"), "{url}");
        }
        let url = WebUrl::parse("http://[::1]:8080/s3cret?x=1").unwrap();
        assert_eq!((url.authority(), url.path()), ("[::1]:8080", "/s3cret"));
        assert_eq!(url.at("/").exposed(), "http://[::1]:8080/?x=1");
        assert_eq!(url.with_suffix("/start").exposed(), "http://[::1]:8080/s3cret/start?x=1");
        assert_eq!(url.with_parameter("rid", "7").exposed(), "http://[::1]:8080/s3cret?x=1&rid=7");
        let url = WebUrl::parse("https://h").unwrap();
        assert_eq!(url.with_suffix("/fail").with_parameter("rid", "7").target(), "/fail?rid=7");
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "h",
            "ftp://h/",
            "https://",
            "https:///x",
            "https://u@h/",
            "https://h:0/",
            "https://h:x/",
            "http://[::1/",
            "https://h/a b",
            "https://h/\r\nX: y",
            "https://h/ä",
            "https://h/#x",
        ] {
            assert!(WebUrl::parse(text).is_err(), "{text}");
        }
    }
}

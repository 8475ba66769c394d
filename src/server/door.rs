//! Door of browsers: which paths are pages, the cookie of a log-in, and what a browser says of where a request comes from.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// First pieces of the paths that are pages, beside `/`.
const PAGES: [&str; 10] =
    ["assets", "audit", "eligible", "live", "login", "logout", "policies", "runs", "stores", "tasks"];
/// Header in which a browser says from where a request comes.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// Digits of the id of a log-in.
const ID_LENGTH: usize = 64;
/// Cookies of one name that are looked at.
const SHOWN_AT_MOST: usize = 8;

/// True if a path is that of a page, or belongs to one.
pub(super) fn is_page(path: &str) -> bool {
    let first = path.strip_prefix('/').and_then(|rest| rest.split('/').next());
    path == "/" || first.is_some_and(|first| PAGES.contains(&first))
}

/// True if a script of a page asks for it, and no person.
pub(super) fn is_asked_by_script(path: &str) -> bool {
    path.starts_with("/live/")
}

/// True if a browser says that a page of another server makes it ask.
pub(super) fn is_from_other_site(headers: &HeaderMap) -> bool {
    !headers.get_all(SEC_FETCH_SITE).iter().all(|site| site == "same-origin" || site == "none")
}

/// True if a browser asks: only these say where a request comes from.
pub(super) fn is_of_browser(headers: &HeaderMap) -> bool {
    [header::ORIGIN, SEC_FETCH_SITE].iter().any(|name| headers.contains_key(name))
}

/// True if somebody goes to a page, by a link of whatever site.
pub(super) fn is_visit(request: &Request) -> bool {
    let says = |name: HeaderName, word: &str| request.headers().get(name).is_some_and(|value| value == word);
    request.method() == Method::GET
        && is_page(request.uri().path())
        && says(SEC_FETCH_MODE, "navigate")
        && says(SEC_FETCH_DEST, "document")
}

/// Way by which a request of a browser comes in over TCP.
#[derive(Debug, Clone, Copy)]
pub(super) struct Door {
    /// Other end of the connection.
    pub(super) address: IpAddr,
    /// Port of the configuration: browsers share cookies between the ports of a machine.
    pub(super) port: u16,
    pub(super) is_tls: bool,
}

impl Door {
    /// Ids of the log-ins that a request shows, those first that no other machine can have set. Another server of the same name
    /// may have set more than one.
    pub(super) fn log_ins_of(&self, headers: &HeaderMap) -> Vec<String> {
        let cookies = || headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let is_id = |id: &str| id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        // With TLS the other name was never given.
        let names =
            [true, false].into_iter().take(if self.is_tls { 1 } else { 2 }).map(|secure| self.cookie_name(secure));
        let ids = names.flat_map(|name| {
            let pairs = cookies().flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
            pairs
                .filter(move |(found, id)| *found == name && is_id(id))
                .map(|(_, id)| id.to_owned())
                .take(SHOWN_AT_MOST)
        });
        ids.collect()
    }

    /// Header that makes a browser keep the id of a log-in; `origin`: that of the page that asked, which knows of a proxy
    /// that speaks TLS.
    pub(super) fn keep(&self, id: &str, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let is_secure = self.is_tls || origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"));
        HeaderValue::from_str(&self.cookie(id, is_secure)).ok()
    }

    /// Headers that make a browser forget it.
    pub(super) fn forget(&self) -> impl Iterator<Item = HeaderValue> {
        [true, false]
            .into_iter()
            .filter_map(|is_secure| HeaderValue::from_str(&format!("{}; Max-Age=0", self.cookie("", is_secure))).ok())
    }

    fn cookie(&self, id: &str, is_secure: bool) -> String {
        let secure = if is_secure { "; Secure" } else { "" };
        format!("{}={id}; Path=/; HttpOnly; SameSite=Strict{secure}", self.cookie_name(is_secure))
    }

    /// No other machine of the same domain can set one that begins with `__Host-`.
    fn cookie_name(&self, is_secure: bool) -> String {
        let prefix = if is_secure { "__Host-" } else { "" };
        format!("{prefix}retaind-{}", self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOOR: Door = Door { address: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port: 8765, is_tls: false };

    #[test]
    fn only_pages_are_pages() {
        for path in ["/", "/runs", "/runs/0192", "/assets/style.css", "/live/overview", "/login"] {
            assert!(is_page(path), "{path}");
        }
        for path in ["", "*", "/api/v1/status", "/metrics", "/healthz", "/run", "/runsx", "/api/v1/runs", "runs"] {
            assert!(!is_page(path), "{path}");
        }
    }

    #[test]
    fn a_cookie_is_read_as_it_was_set() {
        let id = "a0".repeat(32);
        let https = HeaderValue::from_static("https://nas.example.org");
        for (origin, name) in [(None, "retaind-8765"), (Some(&https), "__Host-retaind-8765")] {
            let set = DOOR.keep(&id, origin).unwrap();
            let set = set.to_str().unwrap();
            assert!(set.starts_with(&format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict")), "{set}");
            assert_eq!(set.ends_with("; Secure"), origin.is_some());
            let shown = format!("theme=dark; {}", set.split(';').next().unwrap());
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&shown).unwrap())]);
            assert_eq!(DOOR.log_ins_of(&headers), std::slice::from_ref(&id));
            assert!(Door { port: 8766, ..DOOR }.log_ins_of(&headers).is_empty(), "another daemon has its own");
            let of_tls = Door { is_tls: true, ..DOOR }.log_ins_of(&headers);
            assert_eq!(of_tls.len(), usize::from(origin.is_some()), "a name that others can set is none with TLS");
        }
        let short = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("retaind-8765=abc"))]);
        assert!(DOOR.log_ins_of(&short).is_empty());
        let planted = format!("retaind-8765={}; retaind-8765={id}", "b1".repeat(32));
        let two = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(&planted).unwrap())]);
        assert_eq!(DOOR.log_ins_of(&two)[1], id);
    }
}

//! `email` of a destination.

use lettre::message::Mailbox;
use percent_encoding::percent_decode_str;

use crate::config::raw::RawEmail;
use crate::config::{Fault, KeyPath};

use super::super::{Email, Secret, SmtpTls};
use super::Gather;

const WANTED: &str = "write smtps://USER@HOST, or smtp://USER@HOST";

/// Server that a url names.
#[derive(Debug, PartialEq, Eq)]
struct MailServer {
    host: String,
    port: u16,
    tls: SmtpTls,
    user: Option<String>,
    password: Option<Secret>,
}

impl Gather<'_> {
    pub(super) fn email(&mut self, table: &KeyPath, raw: &RawEmail) -> Option<Email> {
        let url = self.required(table, "url", &raw.url, WANTED);
        let server = url.and_then(|url| self.url(table, url, parse));
        let places = (raw.password_credential.as_deref(), raw.password_file.as_deref());
        let given = self.secrets(table, "password", places);
        let from = self.required(table, "from", &raw.from, "write from = \"retaind@example.org\"");
        let from = from.and_then(|from| self.check(&table.key("from"), parse_mailbox(from)));
        let to = self.recipients(table, raw);
        let tls_ca = self.tls_ca(table, raw.tls_ca.as_ref());
        let MailServer { host, port, tls, user, password } = server?;
        let (password, lacks) = self.one_password("the mail server", password, given);
        if user.is_none() && password.is_some() {
            self.refuse_key(table, "there is a password, and the url names no user", WANTED);
        }
        if tls == SmtpTls::None && (password.is_some() || lacks) {
            let hint = "leave tls=none out, or the password";
            self.refuse_value(&table.key("url"), "the password would be sent without TLS", hint);
        }
        Some(Email { host, port, tls, user, password, from: from?, to: to?, tls_ca, lacks })
    }

    fn recipients(&mut self, table: &KeyPath, raw: &RawEmail) -> Option<Vec<String>> {
        let to = self.required(table, "to", &raw.to, "write to = \"ops@example.org\"")?;
        let path = table.key("to");
        if to.texts.is_empty() {
            self.refuse_value(&path, "nobody gets it", "name at least one mailbox");
        }
        let at = |index| if to.is_list { path.index(index) } else { path.clone() };
        let texts = to.texts.iter().enumerate();
        Some(texts.filter_map(|(index, text)| self.check(&at(index), parse_mailbox(text))).collect())
    }
}

fn parse_mailbox(text: &str) -> Result<String, Fault> {
    let fault = || Fault::new("this is not a mailbox").hint("write \"NAME@HOST\" or \"Name <NAME@HOST>\"");
    text.parse::<Mailbox>().map(|mailbox| mailbox.to_string()).map_err(|_| fault())
}

/// No message repeats anything of the url: a password may be anywhere in one that is malformed.
fn parse(text: &str) -> Result<MailServer, Fault> {
    let fault = |message: &str| Fault::new(message).hint(WANTED);
    let (scheme, rest) = text.split_once("://").ok_or_else(|| fault("this is not a url"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (tls, port) = match (scheme, query) {
        ("smtps", "") => (SmtpTls::Implicit, 465),
        ("smtp", "") => (SmtpTls::StartTls, 587),
        ("smtp", "tls=none") => (SmtpTls::None, 25),
        ("smtp" | "smtps", _) => return Err(fault("the url has a parameter that is not known")),
        _ => return Err(fault("the url begins with neither smtps:// nor smtp://")),
    };
    let (login, place) = rest.trim_end_matches('/').rsplit_once('@').unwrap_or(("", rest.trim_end_matches('/')));
    let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        decoded.map_err(|_| fault("user or password are not UTF-8"))
    };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, number)) => (host, number.parse().map_err(|_| fault("the port is not a number"))?),
        None => (place, port),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    if host.is_empty() || port == 0 || !host.chars().all(is_name) {
        return Err(fault("the url names no host"));
    }
    Ok(MailServer {
        host: host.to_owned(),
        port,
        tls,
        user: if user.is_empty() { None } else { Some(decode(user)?) },
        password: password.map(|password| decode(password).map(Secret::new)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_place_login_and_encryption() {
        for (text, host, port, tls, login) in [
            ("smtps://mail.example.org", "mail.example.org", 465, SmtpTls::Implicit, (None, None)),
            ("smtp://a%40b@h:2525/", "h", 2525, SmtpTls::StartTls, (Some("a@b"), None)),
            ("smtp://u:p%3Ass@h", "h", 587, SmtpTls::StartTls, (Some("u"), Some("p:ss"))),
            ("smtp://localhost?tls=none", "localhost", 25, SmtpTls::None, (None, None)),
        ] {
            let server = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
            assert_eq!((server.host.as_str(), server.port, server.tls), (host, port, tls), "{text}");
            assert_eq!((server.user.as_deref(), server.password.as_ref().map(Secret::expose)), login, "{text}");
        }
        for text in
            ["", "h", "http://s3cret@h", "smtp://s3cret@", "smtp://h?s3cret", "smtps://h?tls=none", "smtp://s3cret/x"]
        {
            let fault = parse(text).unwrap_err();
            assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        }
    }

    #[test]
    fn a_mailbox_has_one_line() {
        assert!(parse_mailbox("ops@example.org").is_ok() && parse_mailbox("Ops team <ops@example.org>").is_ok());
        for text in ["", "ops", "ops@example.org\r\nBcc: a@b", "ops@example.org, b@example.org", "a@b\0"] {
            assert!(parse_mailbox(text).is_err(), "{text}");
        }
    }
}

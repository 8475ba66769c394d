//! Source urls: `postgres://`, `mysql://`, `sqlite:`. Pure. No message repeats more of a url than its scheme and the
//! names of its parameters, because a password may be anywhere in one that is malformed.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::config::{Fault, did_you_mean};

use super::super::{Endpoint, Host, Secret, Server, Tls, TlsMode};
use super::value::parse_absolute;

const SCHEMES: [&str; 5] = ["postgres", "postgresql", "mysql", "mariadb", "sqlite"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Postgres,
    MySql,
}

/// Puts environment variables in the place of `${NAME}`. A url that is nothing but one variable is taken as it is;
/// in the user and password of a url the value is percent-encoded, so that it may hold any character.
pub(super) fn expand<'v>(text: &str, variable: impl Fn(&str) -> Option<&'v str>) -> Result<String, Fault> {
    let login_end = text.rfind('@').unwrap_or(0);
    let mut out = String::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${").map(|found| at + found) {
        out.push_str(&text[at..open]);
        let close = text[open..].find('}').ok_or_else(|| Fault::new("a ${ is not closed"))? + open;
        let name = &text[open + 2..close];
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(Fault::new("between ${ and } stands the name of an environment variable"));
        }
        let value = variable(name)
            .ok_or_else(|| Fault::new(format!("the environment variable {name} is not set")).hint(UNSET_HINT))?;
        if open < login_end {
            out.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
        } else {
            out.push_str(value);
        }
        at = close + 1;
    }
    out.push_str(&text[at..]);
    Ok(out)
}

const UNSET_HINT: &str = "set it with Environment= or EnvironmentFile= in `systemctl edit retaind`";

/// True if a url has its password written out, not as `${NAME}`.
pub(super) fn has_literal_password(text: &str) -> bool {
    let login = text.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@')).map(|(login, _)| login);
    match login.and_then(|login| login.split_once(':')) {
        Some((_, password)) => !(password.is_empty() || password.starts_with("${") && password.ends_with('}')),
        None => false,
    }
}

/// Parses a url whose variables are expanded.
pub(super) fn parse(text: &str) -> Result<Endpoint, Fault> {
    let wanted = "write postgres://USER@HOST/DATABASE, mysql://USER@HOST/DATABASE or sqlite:/PATH";
    let (scheme, rest) = text.split_once(':').ok_or_else(|| Fault::new("this is not a url").hint(wanted))?;
    match scheme {
        "postgres" | "postgresql" => parse_server(Dialect::Postgres, rest).map(Endpoint::Postgres),
        "mysql" | "mariadb" => parse_server(Dialect::MySql, rest).map(Endpoint::MySql),
        "sqlite" => parse_sqlite(rest),
        other => {
            let hint = did_you_mean(other, SCHEMES).unwrap_or_else(|| wanted.to_owned());
            Err(Fault::new("the url begins with no scheme that is known").hint(hint))
        }
    }
}

fn parse_sqlite(rest: &str) -> Result<Endpoint, Fault> {
    let wanted = "write sqlite:/PATH/OF/FILE";
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.contains(['?', '#']) {
        return Err(Fault::new("a sqlite url takes no parameters").hint("in a path, write '?' as %3F and '#' as %23"));
    }
    let path = decode(path)?;
    if !path.starts_with('/') {
        return Err(Fault::new("the path of the database is not absolute").hint(wanted));
    }
    if path.ends_with('/') {
        return Err(Fault::new("the path of the database ends in a '/'").hint(wanted));
    }
    Ok(Endpoint::Sqlite { path: parse_absolute(&path)? })
}

/// The pieces of a server's url, still percent-encoded.
struct Pieces<'a> {
    login: &'a str,
    address: &'a str,
    database: &'a str,
    query: &'a str,
}

fn split(rest: &str) -> Result<Pieces<'_>, Fault> {
    let rest = rest.strip_prefix("//").ok_or_else(|| Fault::new("after the scheme comes ://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let encode = "in a user or password, write '@' as %40, ':' as %3A, '/' as %2F, '?' as %3F, '#' as %23, '%' as %25";
    if behind.contains(['@', '#']) {
        return Err(Fault::new("the url has an '@' or '#' behind its host").hint(encode));
    }
    let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    if login.contains('@') {
        return Err(Fault::new("the url has more than one '@'").hint(encode));
    }
    let (path, query) = behind.split_once('?').unwrap_or((behind, ""));
    Ok(Pieces { login, address, database: path.strip_prefix('/').unwrap_or(path), query })
}

fn parse_server(dialect: Dialect, rest: &str) -> Result<Server, Fault> {
    let pieces = split(rest)?;
    let (user, password) = match pieces.login.split_once(':') {
        Some((user, password)) => (decode(user)?, Some(decode(password)?)),
        None => (decode(pieces.login)?, None),
    };
    if user.is_empty() {
        return Err(Fault::new("the url names no user").hint("put it before the host: retaind@localhost"));
    }
    let database = decode(pieces.database)?;
    if database.is_empty() || database.contains('/') {
        return Err(Fault::new("the url names no database").hint("put it behind the host: localhost/DATABASE"));
    }
    let mut parameters = parse_query(dialect, pieces.query)?;
    let host = parse_host(dialect, pieces.address, &mut parameters)?;
    let tls = parse_tls(&host, parameters.take("sslmode"), parameters.take("sslrootcert"))?;
    let password = password.filter(|password| !password.is_empty()).map(Secret::new);
    let returning = parse_returning(parameters.take("returning"))?;
    Ok(Server { host, user, password, lacks_password: false, database, tls, returning })
}

/// True if `DELETE … RETURNING` may be used where the server has it.
fn parse_returning(value: Option<String>) -> Result<bool, Fault> {
    match value.as_deref() {
        None | Some("on") => Ok(true),
        Some("off") => Ok(false),
        Some(_) => Err(Fault::new("returning is neither on nor off")),
    }
}

/// Parameters of a url's query, decoded, each to be taken once.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }
}

fn parse_query(dialect: Dialect, query: &str) -> Result<Parameters, Fault> {
    let known: &[&str] = match dialect {
        Dialect::Postgres => &["sslmode", "sslrootcert", "host", "port"],
        Dialect::MySql => &["sslmode", "sslrootcert", "socket", "returning"],
    };
    let mut parameters: Vec<(String, String)> = Vec::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| Fault::new("a parameter of the url has no value"))?;
        if !known.contains(&name) {
            let hint = did_you_mean(name, known.iter().copied());
            return Err(Fault::new(format!("the url has an unknown parameter {name:?}"))
                .hint(hint.unwrap_or_else(|| format!("known are {}", known.join(", ")))));
        }
        if parameters.iter().any(|(earlier, _)| earlier == name) {
            return Err(Fault::new(format!("the url has {name} twice")));
        }
        parameters.push((name.to_owned(), decode(value)?));
    }
    Ok(Parameters(parameters))
}

fn parse_host(dialect: Dialect, address: &str, parameters: &mut Parameters) -> Result<Host, Fault> {
    let (default_port, example) = match dialect {
        Dialect::Postgres => (5432, "?host=/run/postgresql"),
        Dialect::MySql => (3306, "?socket=/run/mysqld/mysqld.sock"),
    };
    let (written, port) = split_port(address)?;
    let written = decode(written)?;
    let extra_port = parameters.take("port").map(|port| parse_port(&port)).transpose()?;
    if port.is_some() && extra_port.is_some() {
        return Err(Fault::new("the url has two ports"));
    }
    let port = port.or(extra_port);
    // libpq lets the parameter win; here a host that would be ignored is a mistake, unless it is this machine.
    let is_elsewhere = !written.is_empty() && written != "localhost";
    let name = match (parameters.take("host"), parameters.take("socket")) {
        (Some(host), _) if is_elsewhere || !written.is_empty() && !host.starts_with('/') => {
            return Err(Fault::new("the url has two hosts"));
        }
        (_, Some(_)) if is_elsewhere => {
            let hint = "a socket is on this machine: leave the host out";
            return Err(Fault::new("the url has a host and a socket").hint(hint));
        }
        (_, Some(socket)) if !socket.starts_with('/') => {
            return Err(Fault::new("the path of a socket begins with '/'").hint(format!("write {example}")));
        }
        (_, Some(_)) if port.is_some() => return Err(Fault::new("the url has a port and a socket")),
        (_, Some(socket)) => socket,
        (Some(host), None) => host,
        (None, None) => written,
    };
    if name.is_empty() {
        return Err(
            Fault::new("the url names no host").hint(format!("write localhost, or {example} for a unix socket"))
        );
    }
    if name.starts_with('/') {
        return Ok(Host::Unix { path: parse_absolute(&name)?, port: port.unwrap_or(default_port) });
    }
    if name.contains(|c: char| matches!(c, ',' | '/') || c.is_whitespace() || c.is_control()) {
        return Err(Fault::new("the host has a character that no host has").hint("a source has one host"));
    }
    Ok(Host::Tcp { name, port: port.unwrap_or(default_port) })
}

/// The host and the port of `host`, `host:5432`, `[::1]` or `[::1]:5432`.
fn split_port(address: &str) -> Result<(&str, Option<u16>), Fault> {
    if let Some(inner) = address.strip_prefix('[') {
        let (host, behind) = inner.split_once(']').ok_or_else(|| Fault::new("a '[' of the host is not closed"))?;
        return match behind.strip_prefix(':') {
            Some(port) => Ok((host, Some(parse_port(port)?))),
            None if behind.is_empty() => Ok((host, None)),
            None => Err(Fault::new("behind the ']' of the host only a port may come")),
        };
    }
    match address.split_once(':') {
        Some((host, port)) => Ok((host, Some(parse_port(port)?))),
        None => Ok((address, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, Fault> {
    let hint = "a port is a number from 1 to 65535; a password stands before an '@'";
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| Fault::new("the port is no number").hint(hint))
}

fn parse_tls(host: &Host, mode: Option<String>, root_cert: Option<String>) -> Result<Tls, Fault> {
    let mode = match mode.as_deref() {
        None => match host {
            Host::Tcp { .. } => TlsMode::default(),
            // Nobody listens in on a unix socket, and servers speak no TLS there.
            Host::Unix { .. } => TlsMode::Disable,
        },
        Some("disable") => TlsMode::Disable,
        Some("prefer") => TlsMode::Prefer,
        Some("require") => TlsMode::Require,
        Some("verify-ca") => TlsMode::VerifyCa,
        Some("verify-full") => TlsMode::VerifyFull,
        Some(other) => {
            let modes = ["disable", "prefer", "require", "verify-ca", "verify-full"];
            let hint = did_you_mean(other, modes).unwrap_or_else(|| format!("known are {}", modes.join(", ")));
            return Err(Fault::new("the url has an unknown sslmode").hint(hint));
        }
    };
    let verifies = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
    if matches!(host, Host::Unix { .. }) && (verifies || mode == TlsMode::Require) {
        return Err(Fault::new("there is no TLS on a unix socket").hint("leave sslmode out"));
    }
    if root_cert.is_some() && !verifies {
        return Err(Fault::new("sslrootcert has no effect with this sslmode").hint("add sslmode=verify-full"));
    }
    Ok(Tls { mode, root_cert: root_cert.map(|path| parse_absolute(&path)).transpose()? })
}

/// Undoes percent-encoding; a '%' that encodes nothing is a mistake.
fn decode(text: &str) -> Result<String, Fault> {
    let stray = text.match_indices('%').any(|(at, _)| {
        let code = text.as_bytes().get(at + 1..at + 3);
        !code.is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit))
    });
    if stray {
        return Err(Fault::new("the url has a '%' that encodes nothing").hint("write '%' as %25"));
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| Fault::new("the url is not UTF-8 text"))?;
    if decoded.contains('\0') {
        return Err(Fault::new("the url has a NUL character"));
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests;

//! `[publish.redis]`

use redis::{ConnectionAddr, IntoConnectionInfo};

use super::super::{Host, PublishRedis, Secret};
use super::Gather;
use crate::config::raw::{Raw, RawRedis};
use crate::config::{Fault, KeyPath};

const WANTED: &str = "write redis://HOST:6379/0, or unix:///PATH/OF/SOCKET?db=0";

/// Address and login of a Redis, as its url has them.
struct Place {
    host: Host,
    database: i64,
    user: Option<String>,
    password: Option<Secret>,
}

impl Gather<'_> {
    pub(super) fn publish(&mut self, raw: &Raw) -> Option<PublishRedis> {
        let raw = raw.publish.redis.as_ref()?;
        let table = KeyPath::of(&["publish", "redis"]);
        let url = self.required(&table, "url", &raw.url, WANTED);
        let place = url.and_then(|url| self.url(&table, url, parse));
        let places = (raw.password_credential.as_deref(), raw.password_file.as_deref());
        let given = self.secrets(&table, "password", places);
        let key = self.check(&table.key("key"), parse_key(&raw.key));
        let Place { host, database, user, password } = place?;
        let (password, lacks_password) = self.one_password("Redis", password, given);
        let RawRedis { channel, r#type: job_type, .. } = raw;
        let (channel, job_type) = (channel.clone(), job_type.clone());
        Some(PublishRedis {
            host,
            database,
            user,
            password,
            lacks_password,
            key: key?,
            channel,
            expire: raw.expire.0,
            job_type,
        })
    }
}

fn parse_key(text: &str) -> Result<String, Fault> {
    match text.contains("{id}") {
        true => Ok(text.to_owned()),
        false => Err(Fault::new("the key has no {id}: each run would take the place of the one before it")
            .hint("write \"job:{id}\"")),
    }
}

/// No message repeats anything of the url: a password may be anywhere in one that is malformed.
fn parse(text: &str) -> Result<Place, Fault> {
    let is_tls = text.starts_with("rediss:") || text.starts_with("valkeys:");
    if is_tls {
        let hint = "use a unix socket, or a tunnel that ends on this machine";
        return Err(Fault::new("TLS to Redis is not supported").hint(hint));
    }
    let parameters = text.split_once('?').map_or("", |(_, query)| query).split('&').filter(|part| !part.is_empty());
    let is_unix = text.starts_with("unix:") || text.starts_with("redis+unix:");
    for parameter in parameters {
        let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
        if name == "pass" {
            let hint = "use password_credential or password_file";
            return Err(Fault::new("the url has a password among its parameters").hint(hint));
        }
        if !(is_unix && ["db", "user"].contains(&name)) {
            return Err(Fault::new("the url has a parameter that is not known").hint(WANTED));
        }
    }
    let info = text.into_connection_info().map_err(|_| Fault::new("this is not a url of a Redis").hint(WANTED))?;
    let host = match info.addr() {
        ConnectionAddr::Tcp(name, port) => Host::Tcp { name: name.clone(), port: *port },
        ConnectionAddr::Unix(path) => Host::Unix { path: path.clone(), port: 0 },
        _ => return Err(Fault::new("this is not a url of a Redis").hint(WANTED)),
    };
    let login = info.redis_settings();
    let user = login.username().map(str::to_owned);
    let password = login.password().filter(|password| !password.is_empty());
    let password = password.map(|password| Secret::new(password.to_owned()));
    Ok(Place { host, database: login.db(), user, password })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_place_and_login() {
        for (url, host, database, login) in [
            ("redis://cache", Host::Tcp { name: "cache".into(), port: 6379 }, 0, (None, None)),
            ("redis://:p%40ss@[::1]:7000/2", Host::Tcp { name: "::1".into(), port: 7000 }, 2, (None, Some("p@ss"))),
            ("redis://jobs:x@h/1", Host::Tcp { name: "h".into(), port: 6379 }, 1, (Some("jobs"), Some("x"))),
            (
                "unix:///run/r.sock?db=3&user=u",
                Host::Unix { path: "/run/r.sock".into(), port: 0 },
                3,
                (Some("u"), None),
            ),
        ] {
            let place = parse(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}"));
            assert_eq!((place.host, place.database), (host, database), "{url}");
            assert_eq!((place.user.as_deref(), place.password.as_ref().map(Secret::expose)), login, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_never_repeated() {
        for url in [
            "rediss://h",
            "http://s3cret@h",
            "redis://h?pass=s3cret",
            "unix:///s?pass=s3cret",
            "unix:///s?bd=1",
            "redis://h/s3cret",
            "s3cret",
        ] {
            let fault = parse(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
        }
        assert!(parse_key("job").is_err() && parse_key("a:{id}:b").is_ok());
    }
}

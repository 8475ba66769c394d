//! Forms of urls, and refusals, none of which repeats a password.

use std::path::PathBuf;

use super::*;

fn server(url: &str) -> Server {
    match parse(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}")) {
        Endpoint::Postgres(server) | Endpoint::MySql(server) => server,
        Endpoint::Sqlite { .. } => panic!("{url} is a file"),
    }
}

fn tcp(name: &str, port: u16) -> Host {
    Host::Tcp { name: name.to_owned(), port }
}

fn unix(path: &str, port: u16) -> Host {
    Host::Unix { path: PathBuf::from(path), port }
}

#[test]
fn every_way_to_reach_a_server() {
    for (url, host) in [
        ("postgres://u@h/d", tcp("h", 5432)),
        ("postgresql://u@h:6000/d", tcp("h", 6000)),
        ("mysql://u@h/d", tcp("h", 3306)),
        ("mariadb://u@h:6000/d", tcp("h", 6000)),
        ("postgres://u@[::1]:6000/d", tcp("::1", 6000)),
        ("postgres://u@[::1]/d", tcp("::1", 5432)),
        ("postgres://u@/d?host=/run/postgresql", unix("/run/postgresql", 5432)),
        ("postgres://u@/d?host=/run/postgresql&port=6000", unix("/run/postgresql", 6000)),
        ("postgres://u@%2Frun%2Fpostgresql:6000/d", unix("/run/postgresql", 6000)),
        ("postgres://u@localhost/d?host=/run/postgresql", unix("/run/postgresql", 5432)),
        ("postgres://u@/d?host=h&port=6000", tcp("h", 6000)),
        ("mysql://u@/d?socket=/run/m.sock", unix("/run/m.sock", 3306)),
        ("mysql://u@localhost/d?socket=/run/m.sock", unix("/run/m.sock", 3306)),
    ] {
        let server = server(url);
        assert_eq!(server.host, host, "{url}");
        assert_eq!((server.user.as_str(), server.database.as_str()), ("u", "d"), "{url}");
        assert!(server.returning && server.password.is_none(), "{url}");
    }
    assert!(!server("mysql://u@h/d?returning=off").returning);
}

#[test]
fn logins_are_percent_decoded() {
    let login = server("postgres://us%40er:p%2Fw%25%C3%A4@h/d%20b");
    assert_eq!(login.user, "us@er");
    assert_eq!(login.password.unwrap().expose(), "p/w%ä");
    assert_eq!(login.database, "d b");
    assert!(server("postgres://u:@h/d").password.is_none());
}

#[test]
fn tls_is_asked_for_by_parameter() {
    for (url, mode) in [
        ("postgres://u@h/d", TlsMode::Prefer),
        ("postgres://u@h/d?sslmode=disable", TlsMode::Disable),
        ("postgres://u@h/d?sslmode=require", TlsMode::Require),
        ("mysql://u@h/d?sslmode=verify-ca", TlsMode::VerifyCa),
        ("postgres://u@/d?host=/run/p", TlsMode::Disable),
    ] {
        assert_eq!(server(url).tls.mode, mode, "{url}");
    }
    let tls = server("postgres://u@h/d?sslmode=verify-full&sslrootcert=/etc/ca%20x.pem").tls;
    assert_eq!((tls.mode, tls.root_cert), (TlsMode::VerifyFull, Some(PathBuf::from("/etc/ca x.pem"))));
}

#[test]
fn sqlite_is_an_absolute_path() {
    for url in ["sqlite:/a/b.db", "sqlite:///a/b.db", "sqlite:/a/%62.db"] {
        assert!(
            matches!(parse(url), Ok(Endpoint::Sqlite { path }) if path.as_path() == std::path::Path::new("/a/b.db")),
            "{url}"
        );
    }
    for url in
        ["sqlite:b.db", "sqlite://b.db", "sqlite::memory:", "sqlite:", "sqlite:/a?mode=ro", "sqlite:/a/", "sqlite:/"]
    {
        assert!(parse(url).is_err(), "{url}");
    }
}

#[test]
fn strange_urls_are_refused_without_repeating_the_password() {
    for url in [
        "",
        "s3cret",
        "u:s3cret@h/d",
        "oracle://u:s3cret@h/d",
        "postgres:u:s3cret@h/d",
        "postgres://u:s3cret/d",
        "postgres://u:s3/cret@h/d",
        "postgres://u:s3?s3cret=x@h/d",
        "postgres://u:s3#cret@h/d",
        "postgres://u:s3@s3cret@h/d",
        "postgres://u:s3cret%@h/d",
        "postgres://u:s3cret%zz@h/d",
        "postgres://u:s3cret%ff@h/d",
        "postgres://:s3cret@h/d",
        "postgres://u:s3cret@h",
        "postgres://u:s3cret@h/",
        "postgres://u:s3cret@h/a/b",
        "postgres://u:s3cret@/d",
        "postgres://u:s3cret@h:0/d",
        "postgres://u:s3cret@h:99999/d",
        "postgres://u:s3cret@h:x/d",
        "postgres://u:s3cret@h,i/d",
        "postgres://u:s3cret@[::1/d",
        "postgres://u:s3cret@h/d?sslmode=on",
        "postgres://u:s3cret@h/d?sslmod=require",
        "postgres://u:s3cret@h/d?sslmode=require&sslmode=disable",
        "postgres://u:s3cret@h/d?sslrootcert=/ca.pem",
        "postgres://u:s3cret@h/d?sslmode=verify-full&sslrootcert=ca.pem",
        "postgres://u:s3cret@h/d?host=/run/p",
        "postgres://u:s3cret@localhost/d?host=h",
        "postgres://u:s3cret@h:1/d?port=2",
        "postgres://u:s3cret@/d?host=/run/p&sslmode=require",
        "postgres://u:s3cret@h/d?socket=/x",
        "postgres://u:s3cret@h/d?returning=off",
        "mysql://u:s3cret@h/d?socket=/x",
        "mysql://u:s3cret@/d?socket=x",
        "mysql://u:s3cret@:1/d?socket=/x",
        "mysql://u:s3cret@h/d?returning=no",
        "mysql://u:s3cret@h/d?sslmode",
    ] {
        let fault = parse(url).expect_err(url);
        assert!(!format!("{fault:?}").contains("s3cret"), "{fault:?}");
    }
}

#[test]
fn variables_go_into_urls() {
    let variable = |name: &str| match name {
        "PW" => Some("p@:/?#%w"),
        "HOST" => Some("db:6000"),
        "URL" => Some("postgres://u:x@h/d"),
        _ => None,
    };
    let expanded = expand("postgres://u:${PW}@${HOST}/d", variable).unwrap();
    let server = server(&expanded);
    assert_eq!(server.password.unwrap().expose(), "p@:/?#%w");
    assert_eq!(server.host, tcp("db", 6000));
    assert_eq!(expand("${URL}", variable).unwrap(), "postgres://u:x@h/d");
    assert_eq!(expand("sqlite:/a$b", variable).unwrap(), "sqlite:/a$b");
    assert!(expand("${NONE}", variable).unwrap_err().message.contains("NONE is not set"));
    for wrong in ["${", "${}", "${A B}", "a${PW"] {
        assert!(expand(wrong, variable).is_err(), "{wrong}");
    }
    assert!(has_literal_password("postgres://u:x@h/d"));
    assert!(!has_literal_password("postgres://u:${PW}@h/d"));
    assert!(!has_literal_password("postgres://u@h/d"));
}

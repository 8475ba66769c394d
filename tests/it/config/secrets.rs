//! Where passwords come from, and that nothing ever shows one.

use std::os::unix::fs::PermissionsExt;

use retaind::policy::{Endpoint, Settings};

use super::Etc;

fn password(settings: &Settings) -> Option<String> {
    match &settings.sources[0].endpoint {
        Endpoint::Postgres(server) | Endpoint::MySql(server) => {
            server.password.as_ref().map(|password| password.expose().to_owned())
        }
        Endpoint::Sqlite { .. } => None,
    }
}

fn source(rest: &str) -> Etc {
    Etc::new(&format!("[sources.nvr]\nurl = \"postgres://retaind@localhost/nvr\"\n{rest}\n"))
}

fn protect(etc: &Etc, name: &str, mode: u32) {
    std::fs::set_permissions(etc.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_password_comes_from_one_of_four_places() {
    assert_eq!(password(&source("").settings()), None);

    let credentials = source("password_credential = \"nvr-db\"").with_file("credentials/nvr-db", "s3cret\n");
    let directory = credentials.path("credentials");
    let credentials = credentials.with_inputs(|inputs| inputs.credentials_dir = Some(directory));
    assert_eq!(password(&credentials.settings()).as_deref(), Some("s3cret"));

    let file = source("").with_file("pw", "s3cret\n");
    protect(&file, "pw", 0o640);
    let path = file.path("pw");
    let file = file.with_set("sources.nvr.password_file", path.to_str().unwrap());
    assert_eq!(password(&file.settings()).as_deref(), Some("s3cret"));

    let variable = source("").with_set("sources.nvr.url", "postgres://u:${PW}@h/d").with_env("PW", "s3@cret");
    assert_eq!(password(&variable.settings()).as_deref(), Some("s3@cret"));

    let url = source("").with_env("RETAIND__SOURCES__NVR__URL", "mysql://u:s3cret@h/d");
    assert_eq!(password(&url.settings()).as_deref(), Some("s3cret"));
}

#[test]
fn two_passwords_or_misplaced_ones_are_refused() {
    let both = source("password_credential = \"nvr-db\"").with_set("sources.nvr.password_file", "/nonexistent");
    let errors = both.errors();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].starts_with("--set sources.nvr.password_file: /nonexistent cannot be read: No such file"));
    assert!(errors[1].starts_with("--set sources.nvr.password_file: the source has more than one password"));

    let open = source("").with_file("pw", "s3cret");
    protect(&open, "pw", 0o644);
    let path = open.path("pw");
    let open = open.with_set("sources.nvr.password_file", path.to_str().unwrap());
    assert!(open.errors()[0].contains("is open to every user (mode 0644) (hint: chmod o= "), "{:?}", open.errors());

    let errors = source("").with_set("sources.nvr.url", "postgres://u:s3cret@h/d").errors();
    let wanted = "--set sources.nvr.url: the url has a password (hint: every user can read command lines";
    assert!(errors[0].starts_with(wanted), "{errors:?}");

    let sqlite = Etc::new("[sources.x]\nurl = \"sqlite:/a\"\npassword_credential = \"p\"").errors();
    assert!(sqlite.iter().any(|error| error.contains("a SQLite database has no password")), "{sqlite:?}");

    let unset = source("").with_set("sources.nvr.url", "${DATABASE_URL}").errors();
    assert!(unset[0].contains("the environment variable DATABASE_URL is not set"), "{unset:?}");
}

/// Files with `s3cret` in every place where somebody may put a password, well-formed or not.
const LEAKY: [&str; 14] = [
    "[sources.nvr]\nurl = \"postgres://u:s3cret@h:x/d\"",
    "[sources.nvr]\nurl = \"postgres://u:s3cret@h/d\"\nurll = 1",
    "[sources.nvr]\nurl = \"postgres://u:s3cret/d\"",
    "[sources.nvr]\nurl = \"u:s3cret@h/d\"",
    "[sources.nvr]\nurl = \"postgres://u:a s3cret@h/d\"",
    "[sources.nvr]\nurl = \"postgres://u:a/s3cret@h/d\"",
    "[sources.nvr]\nurl = \"postgres://u:a?s3cret=b@h/d\"",
    "[sources.nvr]\nurl = \"postgres://u@h/d\"\npassword = \"s3cret\"",
    "[sources.nvr]\nurl = \"postgres://u@h/d\"\npassword_credential = \"s3cret\"\npassword_file = \"s3cret\"",
    "[sources]\nnvr = \"postgres://u:s3cret@h/d\"",
    "sources = { nvr = { url = \"postgres://u:s3cret@h/d\", passwd = \"s3cret\", x = 1 } }",
    "[sources.nvr]\nurl = \"postgres://u:s3cret@h/d\nlock_timeout = 1",
    "[sources.nvr]\npassword = \"\"\"\ns3cret\n\\q s3cret\"\"\"",
    "[sources.nvr]\nurl = \"postgres://u:a\"s3cret@h/d\"",
];

#[test]
fn nothing_shows_a_password() {
    for text in LEAKY {
        let etc = Etc::new(text)
            .with_env("RETAIND__SOURCES__NVR__PASSWORD", "s3cret")
            .with_env("RETAIND__SOURCES__OTHER__URL", "postgres://u:s3cret@h")
            .with_set("sources.third.url", "postgres://u:s3cret@h/d")
            .with_set("postgres://u:s3cret@h", "s3cret");
        let wrong = etc.wrong();
        let loaded = retaind::config::load(etc.inputs());
        let chain = std::error::Error::source(&wrong).is_some();
        for shown in [
            wrong.to_string(),
            wrong.render(false),
            wrong.render(true),
            format!("{wrong:?}"),
            serde_json::to_string(&wrong).unwrap(),
            format!("{:?}", etc.inputs()),
            format!("{loaded:?}"),
        ] {
            assert!(!shown.contains("s3cret"), "{text}\n{shown}");
        }
        assert!(!chain);
    }
}

#[test]
fn settings_do_not_show_one_either() {
    let settings = source("").with_env("RETAIND__SOURCES__NVR__URL", "mysql://u:s3cret@h/d").settings();
    let identity = settings.sources[0].endpoint.identity();
    assert!(!format!("{settings:?} {identity}").contains("s3cret"));
}

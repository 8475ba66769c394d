//! What a reload says about itself, and what it admits to widen (D4).

use retaind::policy::{changes, widened};

use super::{BASE, Etc};

/// What differs, and which policies are widened, when `new` is laid over the base and `old` was before.
fn reload(old: &str, new: &str) -> (String, Vec<String>) {
    let settings = |fragment: &str| Etc::new(BASE).with_file("conf.d/1.toml", fragment).settings();
    let (old, new) = (settings(old), settings(new));
    let widened = widened(&old, &new);
    (
        changes(&old, &new),
        widened.into_iter().map(|each| format!("{}: {}", each.policy, each.reasons.join(", "))).collect(),
    )
}

const OTHER: &str = "[policies.other]\nkind = \"rows\"\nsource = \"nvr\"\ntable = \"t\"\nwhere = \"1 = 1\"\n";

#[test]
fn the_same_configuration_changes_nothing() {
    assert_eq!(reload(OTHER, OTHER), ("nothing changed".to_owned(), vec![]));
}

#[test]
fn every_change_is_said() {
    let old = "[policies.detections]\nbatch = 10\n[tasks.gone]\nevery = \"1h\"\n";
    let new = "[policies.detections]\nkeep = \"60d\"\nwhere = \"a = 1\"\n[tasks.retention]\ntimeout = \"90m\"\n\
               [tasks.x]\nevery = \"1h\"\n[daemon]\nshutdown_grace = \"1m\"\n[stores.images]\nstrip_prefix = \"i/\"\n";
    let (said, widened) = reload(old, new);
    assert_eq!(
        said,
        "daemon: shutdown_grace 20s → 1m; store images: strip_prefix i/ added; - task gone; \
         task retention: timeout 1h 30m added; + task x; \
         policy detections: keep 30d → 60d, where a = 1 added, batch 10 → 10000"
    );
    assert_eq!(widened, Vec::<String>::new());
}

#[test]
fn a_new_password_is_said_but_not_shown() {
    let with = |password: &str| {
        Etc::new("").with_env("RETAIND__SOURCES__NVR__URL", &format!("mysql://u:{password}@h/d")).settings()
    };
    assert_eq!(changes(&with("s3cret"), &with("0ther")), "source nvr: password changed");
    assert_eq!(changes(&with("s3cret"), &with("s3cret")), "nothing changed");
    assert_eq!(changes(&with(""), &with("s3cret")), "source nvr: password added");
}

#[test]
fn d4_whatever_widens_is_listed() {
    let policy = |lines: &str| format!("[policies.detections]\n{lines}\n");
    for (old, new, reason) in [
        ("keep = \"60d\"", "keep = \"30d\"", "keep 60d → 30d"),
        ("where = \"a = 1\"", "where = \"a = 2\"", "where changed"),
        ("where = \"a = 1\"", "", "where removed"),
        ("mode = \"report\"", "", "mode report → enforce"),
        ("enabled = false", "", "it is switched on"),
        ("max_rows = 10", "max_rows = 11", "max_rows 10 → 11"),
        ("max_rows = 10", "", "max_rows removed"),
        ("max_fraction = 0.1", "max_fraction = 0.2", "max_fraction 0.1 → 0.2"),
        ("max_fraction = 0.1", "", "max_fraction removed"),
        ("age = \"a\"", "age = \"b\"", "age a → b"),
        ("table = \"a\"", "table = \"b\"", "table a → b"),
        ("files = []", "", "files thumbnails:thumbnail_path added"),
        ("[tasks.retention]\nenabled = false", "", "it now runs on schedule"),
        ("[daemon]\nmode = \"report\"", "", "mode report → enforce"),
        ("[sources.nvr]\nurl = \"sqlite:/other.db\"", "", "source nvr is another database"),
        ("[sources.nvr]\ntimezone = \"Europe/Berlin\"", "", "source nvr has another timezone"),
        ("[stores.thumbnails]\npath = \"/other\"", "", "store thumbnails is another directory"),
        ("[stores.thumbnails]\nstrip_prefix = \"x/\"", "", "store thumbnails has another strip_prefix"),
        (
            "[stores.thumbnails]\nreferences = [{ source = \"nvr\", table = \"t\", column = \"c\" }]",
            "",
            "store thumbnails has lost a reference",
        ),
    ] {
        let (_, widened) = reload(&policy(old), &policy(new));
        assert_eq!(widened, [format!("detections: {reason}")], "{old} → {new}");
    }
    assert_eq!(reload("", OTHER).1, ["other: the policy is new"]);
}

#[test]
fn d4_what_narrows_or_deletes_nothing_is_not() {
    let policy = |lines: &str| format!("[policies.detections]\n{lines}\n");
    for (old, new) in [
        ("", "keep = \"60d\""),
        ("", "where = \"a = 1\""),
        ("", "mode = \"report\""),
        ("", "enabled = false"),
        ("keep = \"60d\"", "keep = \"30d\"\nmode = \"report\""),
        ("keep = \"60d\"", "keep = \"30d\"\nenabled = false"),
        ("", "max_rows = 10"),
        ("batch = 1", ""),
        ("", "files = []"),
        ("[stores.images]\nstrip_prefix = \"x/\"", ""),
    ] {
        let (said, widened) = reload(&policy(old), &policy(new));
        assert_eq!(widened, Vec::<String>::new(), "{old} → {new}");
        assert_ne!(said, "nothing changed");
    }
    assert_eq!(reload(OTHER, "").1, Vec::<String>::new());
}

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
    assert_eq!(reload(OTHER, OTHER), (String::new(), vec![]));
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
    assert_eq!(changes(&with("s3cret"), &with("s3cret")), "");
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
        (
            "",
            "files = [{ store = \"thumbnails\", column = \"thumbnail_path\", outside = \"release\" }]",
            "files thumbnails:thumbnail_path outside keep → release",
        ),
        (
            "",
            "files = [{ store = \"thumbnails\", column = \"thumbnail_path\", may_be_missing = true }]",
            "files thumbnails:thumbnail_path may be missing",
        ),
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
        assert_ne!(said, "");
    }
    assert_eq!(reload(OTHER, "").1, Vec::<String>::new());
}

/// A policy in which everything but its scope is open.
fn media(lines: &str) -> String {
    format!(
        "[policies.media]\nkind = \"rows\"\nsource = \"nvr\"\ntable = \"t\"\nwhere = \"a = 1\"\n\
         {lines}\n[policies.detections]\nenabled = false\n"
    )
}

const AGE: &str = "age = \"a\"\nkeep = \"30d\"";

/// A table of times by `kind`.
fn by_kind(values: &str) -> String {
    format!("age = \"a\"\nkeep = {{ column = \"kind\", {values} }}")
}

fn child(rest: &str) -> String {
    format!("children = [{{ table = \"u\", column = \"t_id\"{rest} }}]")
}

fn nested(rest: &str) -> String {
    child(&format!(", children = [{{ table = \"v\", column = \"u_id\"{rest} }}]"))
}

/// What one change of the policy widens.
fn widened_by(old: &str, new: &str) -> Vec<String> {
    let (said, widened) = reload(&media(old), &media(new));
    assert_ne!(said, "", "{old} → {new}");
    widened.into_iter().map(|reason| reason.replace("media: ", "")).collect()
}

#[test]
fn d4_times_that_take_more_are_listed() {
    for (old, new, reason) in [
        (AGE, "age = \"b\"\nkeep = \"30d\"", "age a → b"),
        (AGE, "expires = \"a\"", "age a → expires a"),
        ("expires = \"a\"", "expires = \"b\"", "expires a → b"),
        ("expires = \"a\"", "", "expires removed"),
        ("expires = \"a\"\ngrace = \"7d\"", "expires = \"a\"\ngrace = \"1d\"", "grace 7d → 1d"),
        ("expires = \"a\"\ngrace = \"7d\"", "expires = \"a\"", "grace removed"),
        ("expires = \"a\"\nage_format = \"unix\"", "expires = \"a\"\nage_format = \"unix_ms\"", "age_format changed"),
        (
            "expires = \"a\"",
            "expires = \"a\"\nearliest = \"1960-01-01\"",
            "earliest 1980-01-02T00:00:00Z → 1960-01-01T00:00:00Z",
        ),
        ("expires = \"a\"", "expires = \"a\"\nallow_time_independent = true", "allow_time_independent added"),
        (
            &by_kind("values = { x = \"2d\", y = \"2d\" }"),
            &by_kind("values = { x = \"1d\", y = \"3d\" }"),
            "keep of x 2d → 1d",
        ),
        (
            &by_kind("values = { x = \"2d\" }"),
            &by_kind("values = { x = \"2d\" }, default = \"9d\""),
            "keep of other values for ever → 9d",
        ),
        (
            &by_kind("values = { x = \"2d\" }, default = \"9d\""),
            &by_kind("values = { x = \"2d\" }, default = \"8d\""),
            "keep of other values 9d → 8d",
        ),
        (
            &by_kind("values = { x = \"2d\" }"),
            &by_kind("values = { x = \"2d\", y = \"2d\" }"),
            "keep of y for ever → 2d",
        ),
        (
            &by_kind("values = { x = \"9d\", y = \"2d\" }, default = \"2d\""),
            &by_kind("values = { y = \"2d\" }, default = \"2d\""),
            "keep of x 9d → 2d",
        ),
        (
            &by_kind("values = { x = \"2d\" }"),
            "age = \"a\"\nkeep = { column = \"sort\", values = { x = \"2d\" } }",
            "keep goes by sort instead of kind",
        ),
        (AGE, &by_kind("values = { x = \"2d\" }"), "keep of x 30d → 2d"),
        (&by_kind("values = { x = \"30d\" }"), AGE, "keep of other values for ever → 30d"),
    ] {
        assert_eq!(widened_by(old, new), [reason], "{old} → {new}");
    }
}

#[test]
fn d4_claims_actions_and_parameters_that_widen_are_listed() {
    let protected = "protected_by = [{ table = \"u\", on = \"u.t = t.id\" }]";
    let narrower = "protected_by = [{ table = \"u\", on = \"u.t = t.id\", where = \"u.open\" }]";
    let update = |set: &str| format!("action = \"update\"\nset = {{ {set} }}");
    for (old, new, reason) in [
        (protected, "", "protected_by u removed"),
        (protected, narrower, "protected_by u changed"),
        ("alive = { sql = \"x\" }", "", "alive removed"),
        ("alive = { sql = \"x\" }", "alive = { sql = \"y\" }", "alive changed"),
        ("alive = { command = [\"/x\"] }", "alive = { command = [\"/x\"], timeout = \"9s\" }", "alive changed"),
        (&update("s = \"a\""), "", "action update → delete"),
        (&update("s = \"a\""), &update("s = \"b\""), "set changed"),
        (
            "files = [{ store = \"images\", path = \"{id}\" }]",
            "files = [{ store = \"images\", path = \"{id}\", directory = true }]",
            "files images:{id}/ added",
        ),
        (
            "task = \"retention\"\n[tasks.retention]\nbefore = { command = [\"/x\"] }",
            "task = \"retention\"",
            "before of its task removed",
        ),
        (
            "task = \"retention\"\n[tasks.retention]\nbefore = { command = [\"/x\"] }",
            "task = \"retention\"\n[tasks.retention]\nbefore = { command = [\"/y\"] }",
            "before of its task changed",
        ),
    ] {
        assert_eq!(widened_by(old, new), [reason], "{old} → {new}");
    }
    let session = |kind: &str| format!("alive = {{ sql = \"b = :s\" }}\nparams = [{{ name = \"s\"{kind} }}]");
    assert_eq!(widened_by(&session(""), &session(", type = \"date\"")), ["params changed"]);
}

#[test]
fn d4_children_that_take_more_are_listed() {
    let file = ", files = [{ store = \"images\", column = \"p\" }]";
    let keeps = ", on_delete = \"keep-parent\"";
    for (old, new, reason) in [
        ("children = []", child("").as_str(), "child u.t_id added"),
        (&child(keeps), "children = []", "child u.t_id no longer keeps its parent"),
        (&child(keeps), &child(""), "child u.t_id keep-parent → delete"),
        (&child(", on_delete = \"set-null\""), &child(""), "child u.t_id set-null → delete"),
        (&child(""), &child(", references = \"code\""), "child u.t_id references another column"),
        (&child(""), &child(file), "files images:p of child u.t_id added"),
        (&child(""), &nested(""), "child v.u_id added"),
        (&nested(keeps), &child(""), "child v.u_id no longer keeps its parent"),
        (&nested(""), &nested(file), "files images:p of child v.u_id added"),
        (
            &format!("{}\n[stores.images]\nstrip_prefix = \"x/\"", nested(file)),
            &nested(file),
            "store images has another strip_prefix",
        ),
    ] {
        assert_eq!(widened_by(old, new), [reason], "{old} → {new}");
    }
}

#[test]
fn d4_what_takes_less_is_not_listed() {
    for (old, new) in [
        ("", AGE),
        ("", "expires = \"a\""),
        ("expires = \"a\"", "expires = \"a\"\ngrace = \"1d\""),
        (AGE, &by_kind("values = { x = \"30d\" }")),
        (AGE, &by_kind("values = { x = \"40d\" }, default = \"30d\"")),
        (&by_kind("values = { x = \"2d\" }, default = \"1d\""), AGE),
        (&by_kind("values = { x = \"2d\" }, default = \"1d\""), &by_kind("values = { x = \"2d\" }")),
        ("", "protected_by = [{ table = \"u\", on = \"u.t = t.id\" }]"),
        ("", "alive = { sql = \"x\" }"),
        ("", "action = \"update\"\nset = { s = 1 }"),
        ("", &child(", on_delete = \"keep-parent\"")),
        (&child(""), &child(", on_delete = \"keep-parent\"")),
        (&child(""), ""),
        ("files = [{ store = \"images\", path = \"{id}\" }]", ""),
        ("", "details = [\"id\"]"),
        ("", "[tasks.retention]\nbefore = { command = [\"/x\"] }\nafter = { command = [\"/x\"] }"),
    ] {
        assert_eq!(widened_by(old, new), [""; 0], "{old} → {new}");
    }
}

#[test]
fn possible_passwords_are_said_to_change_not_shown() {
    let (said, _) = reload(
        &media("action = \"update\"\nset = { s = \"s3cret\" }"),
        &media(
            "action = \"update\"\nset = { s = \"0ther\" }\nalive = { command = [\"/x\", \"s3cret\"] }\n\
             [tasks.retention]\nbefore = { command = [\"/x\", \"s3cret\"] }",
        ),
    );
    assert_eq!(said, "task retention: before added; policy media: alive added, set changed");
}

#[test]
fn what_a_policy_does_is_described_as_written() {
    let new = format!(
        "{}\n{}\ndetails = [\"id\", \"at\"]",
        by_kind("values = { x = \"36h\" }, default = \"1d\""),
        nested("")
    );
    let (said, _) = reload(&media(AGE), &media(&new));
    assert_eq!(
        said,
        "policy media: keep 30d → by kind (x 1d 12h, others 1d), \
         children (u.t_id delete (v.u_id delete)) added, details id at added"
    );
    let (said, _) = reload(
        &media("expires = \"a\"\nprotected_by = [{ table = \"u\", on = \"u.t = t.id\", where = \"u.open\" }]"),
        &media(
            "expires = \"a\"\nage_format = \"unix\"\ngrace = \"1d\"\nfiles = [{ store = \"images\", path = \"{id}\", directory = true }]",
        ),
    );
    assert_eq!(
        said,
        "policy media: age_format unix added, grace 1d added, protected_by removed, files images:{id}/ added"
    );
}

//! What is refused (G10): all of it at once, each with place, key and hint.

use proptest::prelude::*;
use retaind::config::keys;
use retaind::policy::compile;

use super::{BASE, Etc};

#[test]
fn g10_every_mistake_has_its_place_and_hint() {
    let etc = Etc::new(
        r#"[daemon]
mode = "enforced"
stat_dir = "/x"

[sources.nvr]
url = "postgres://retaind@localhost/nvr"
max_connections = 0

[stores.thumbnails]
path = "srv"

[policies.detections]
kind = "rows"
task = "retentoin"
source = "nvrr"
table = 7
age = "detected_at"
keep = 30
files = [{ store = "thumbnails", colum = "x" }, "a"]
max_fraction = 1.5
keep_last = 5

[policies.empty]

[policies.Bad-Name]
kind = "files"
match = "x"
"#,
    )
    .with_file("conf.d/10.toml", "[policies.detections]\nwhere = \"a = :cutof\"\nenabled = \"yes\"\n")
    .with_env("RETAIND__POLICIES__DETECTOINS__KEEP", "60d")
    .with_env("RETAIND__DAEMON__SHUTDOWN_GRACE", "20")
    .with_set("policies.detections.batch", "many");
    assert_eq!(
        etc.errors(),
        [
            "retaind.toml:2:8: daemon.mode: there is no mode \"enforced\" (hint: did you mean `enforce`?)",
            "retaind.toml:3:1: daemon.stat_dir: unknown key (hint: did you mean `state_dir`?)",
            "retaind.toml:7:19: sources.nvr.max_connections: 0 is out of range (hint: write 1 to 100)",
            "retaind.toml:10:8: stores.thumbnails.path: the path is not absolute (hint: begin it with '/')",
            "retaind.toml:14:8: policies.detections.task: there is no task \"retentoin\" (hint: did you mean `retention`?)",
            "retaind.toml:15:10: policies.detections.source: there is no source \"nvrr\" (hint: did you mean `nvr`?)",
            "retaind.toml:16:9: policies.detections.table: expected a text in quotes, found a bare number \
             (hint: put it in quotes)",
            "retaind.toml:18:8: policies.detections.keep: expected a duration such as \"30d\", found a bare number \
             (hint: write \"30d\")",
            "retaind.toml:19:10: policies.detections.files[0]: column is missing \
             (hint: write { store = \"…\", column = \"…\" }, or path = \"{id}/preview\" instead of column)",
            "retaind.toml:19:34: policies.detections.files[0].colum: unknown key (hint: did you mean `column`?)",
            "retaind.toml:19:49: policies.detections.files[1]: expected a table, found a text",
            "retaind.toml:20:16: policies.detections.max_fraction: 1.5 is no share \
             (hint: write a number above 0 and up to 1: 0.9 is 90 %)",
            "retaind.toml:21:1: policies.detections.keep_last: policies of kind rows have no keep_last \
             (hint: leave it out: it belongs to kind = \"files\")",
            "retaind.toml:23:11: policies.empty: kind, source, table, age with keep (or expires, or where) are \
             missing (hint: write kind = \"rows\", source, table, and age with keep, expires or where)",
            "retaind.toml:25:11: policies.Bad-Name: a name has lower-case letters, digits, '-' and '_', begins with a \
             letter or digit, and is at most 64 characters long (hint: write `bad-name`)",
            "retaind.toml:25:11: policies.Bad-Name: store is missing \
             (hint: write store = \"…\", the name of a [stores.NAME])",
            "retaind.toml:25:11: policies.Bad-Name: nothing says which files go \
             (hint: write keep = \"7d\", keep_last = 5, max_total = \"10GiB\" or min_free = \"10%\")",
            "conf.d/10.toml:2:9: policies.detections.where: the parameter :cutof is not known; there are :now and \
             :cutoff (hint: did you mean `cutoff`?)",
            "conf.d/10.toml:3:11: policies.detections.enabled: expected true or false, found a text \
             (hint: write it without quotes)",
            "environment variable RETAIND__DAEMON__SHUTDOWN_GRACE: daemon.shutdown_grace: a bare number is no duration \
             (hint: write \"20s\")",
            "environment variable RETAIND__POLICIES__DETECTOINS__KEEP: policies.detectoins: there is no such policy \
             (hint: did you mean `detections`?)",
            "--set policies.detections.batch: expected a whole number, found a text (hint: write it without quotes)",
        ]
    );
}

/// `detections` with `change` instead of the lines that begin with one of its keys.
fn policy(change: &str) -> Vec<String> {
    let replaced: Vec<&str> = change.lines().filter_map(|line| line.split(" =").next()).collect();
    let rest = ["kind = \"rows\"", "source = \"nvr\"", "table = \"t\"", "age = \"a\"", "keep = \"30d\""];
    let kept = rest.iter().filter(|line| !replaced.iter().any(|key| line.starts_with(&format!("{key} ="))));
    let lines: Vec<&str> = kept.copied().chain(change.lines().filter(|line| !line.ends_with("= -"))).collect();
    let text = format!("{}[policies.p]\n{}\n", BASE.replace("[policies.detections]", "[policies.d]"), lines.join("\n"));
    let etc = Etc::new(&text);
    match compile::load(etc.inputs()) {
        Ok(_) => Vec::new(),
        Err(wrong) => {
            wrong.iter().map(|each| format!("{}: {} ({:?})", each.key(), each.message(), each.advice())).collect()
        }
    }
}

#[test]
fn g10_what_makes_no_sense_together_is_refused() {
    assert_eq!(policy("batch = 10"), Vec::<String>::new());
    assert_eq!(policy("age = -\nwhere = \"x < :cutoff\""), Vec::<String>::new());
    assert_eq!(policy("age = -\nkeep = -\nwhere = \"1 = 1\""), Vec::<String>::new());
    for (change, wanted) in [
        ("keep = -", "policies.p.age: age needs keep"),
        ("age = -", "policies.p.keep: keep has no effect: nothing says how old a row is"),
        ("age = -\nwhere = \"x < :now\"", "policies.p.keep: keep has no effect"),
        ("age = -\nkeep = -", "policies.p: age with keep (or expires, or where) is missing"),
        ("age = -\nkeep = -\nwhere = \"x < :cutoff\"", "policies.p.where: where uses :cutoff, and there is no keep"),
        ("keep = \"0d\"", "policies.p.keep: nothing can be zero long (Some(\"to keep for ever, leave the policy out"),
        ("keep = 0", "policies.p.keep: expected a duration such as \"30d\", found a bare number (Some(\"to keep for"),
        ("keep = \"30\"", "policies.p.keep: a bare number is no duration (Some(\"write \\\"30d\\\"\"))"),
        ("keep = \"1 month\"", "policies.p.keep: \"1 month\" is no duration"),
        ("keep = { column = \"a\", default = \"1d\" }", "policies.p.keep: values is missing"),
        ("where = \"1 = 1; DROP TABLE t\"", "policies.p.where: a ';' has no place in this SQL"),
        ("where = \"\"", "policies.p.where: the SQL is empty"),
        ("table = \"a.b.c\"", "policies.p.table: a table is written as"),
        ("age = \"\"", "policies.p.age: an identifier is 1 to 128 bytes long"),
        ("batch = 0", "policies.p.batch: 0 is out of range (Some(\"write 1 to 100000\"))"),
        ("batch = 1000000", "policies.p.batch: 1000000 is out of range"),
        ("max_rows = -1", "policies.p.max_rows: -1 is out of range (Some(\"write 1 or more\"))"),
        ("max_fraction = 0", "policies.p.max_fraction: 0 is no share"),
        ("max_fraction = nan", "policies.p.max_fraction: the number is not finite"),
        ("kind = \"row\"", "policies.p.kind: there is no kind \"row\" (Some(\"did you mean `rows`?\"))"),
        ("keep_last = 5", "policies.p.keep_last: policies of kind rows have no keep_last"),
        (
            "max_files = 5",
            "policies.p.max_files: policies of kind rows have no max_files (Some(\"write max_rows instead\"))",
        ),
        ("mode = \"dry\"", "policies.p.mode: there is no mode \"dry\""),
        ("files = [{ store = \"nope\", column = \"c\" }]", "policies.p.files[0].store: there is no store \"nope\""),
        (
            "files = [{ store = \"images\", column = \"c\" }, { store = \"images\", column = \"c\", enabled = false }]",
            "policies.p.files[1]: this entry is there twice",
        ),
        ("files = { store = \"images\", column = \"c\" }", "policies.p.files: expected a list in [ ], found a table"),
        ("keep = 1979-05-27", "policies.p.keep: no key takes a date or time"),
    ] {
        let errors = policy(change);
        assert_eq!(errors.len(), 1, "{change}: {errors:#?}");
        assert!(errors[0].starts_with(wanted), "{change}: {errors:#?}");
    }
}

#[test]
fn g10_sections_are_checked_like_policies() {
    for (text, wanted) in [
        ("[sources.x]", "retaind.toml:1:10: sources.x: url is missing"),
        ("[sources.x]\nurl = \"nvr.db\"", "retaind.toml:2:7: sources.x.url: this is not a url"),
        ("[sources.x]\nurl = \"sqlite:nvr.db\"", "retaind.toml:2:7: sources.x.url: the path of the database is not"),
        ("[sources.x]\nurl = \"sqlite:/a\"\ntimezone = \"Mars\"", "retaind.toml:3:12: sources.x.timezone: there is no"),
        (
            "[sources.x]\nurl = \"sqlite:/a\"\nlock_timeout = \"25d\"",
            "retaind.toml:3:16: sources.x.lock_timeout: longer",
        ),
        ("[stores.x]", "retaind.toml:1:9: stores.x: path is missing"),
        ("[stores.x]\npath = \"/\"", "retaind.toml:2:8: stores.x.path: the root directory cannot be a store"),
        ("[stores.x]\npath = \"/a/../b\"", "retaind.toml:2:8: stores.x.path: the path has a \".\" or \"..\""),
        ("[stores.x]\npath = \"/a\"\nstrip_prefix = \"\"", "retaind.toml:3:16: stores.x.strip_prefix: an empty prefix"),
        (
            "[stores.x]\npath = \"/a\"\n[stores.y]\npath = \"/a/\"",
            "retaind.toml:4:8: stores.y.path: this is the same directory as store x",
        ),
        (
            "[stores.x]\npath = \"/a/b\"\n[stores.y]\npath = \"/a\"",
            "retaind.toml:4:8: stores.y.path: this is not apart from store x",
        ),
        (
            "[stores.x]\npath = \"/a\"\nreferences = [{ source = \"s\", table = \"t\", column = \"c\" }]",
            "retaind.toml:3:26: stores.x.references[0].source: there is no source \"s\" (hint: declare it: [sources.NAME])",
        ),
        ("[tasks.x]", "retaind.toml:1:8: tasks.x: the task has neither schedule nor every"),
        ("[tasks.x]\nevery = \"1h\"\nschedule = \"0 3 * * *\"", "retaind.toml:2:1: tasks.x.every: the task has both"),
        ("[tasks.x]\nschedule = \"0 0 3 * * *\"", "retaind.toml:2:12: tasks.x.schedule: a schedule has five fields"),
        (
            "[tasks.x]\nschedule = \"61 3 * * *\"",
            "retaind.toml:2:12: tasks.x.schedule: \"61\" cannot be the minute (hint: write 0 to 59: ",
        ),
        (
            "[tasks.x]\nschedule = \"@dayly\"",
            "retaind.toml:2:12: tasks.x.schedule: there is no schedule \"@dayly\" (hint: did you mean `@daily`?)",
        ),
        ("[tasks.x]\nschedule = \"0 0 30 2 *\"", "retaind.toml:2:12: tasks.x.schedule: the schedule never comes true"),
        ("[tasks.x]\nevery = 30", "retaind.toml:2:9: tasks.x.every: expected a duration such as \"30d\""),
        ("[tasks.x]\nevery = \"0s\"", "retaind.toml:2:9: tasks.x.every: nothing can be zero long"),
        ("[daemon]\ntimezone = \"Europe/Berln\"", "retaind.toml:2:12: daemon.timezone: there is no time zone"),
        ("[ledger]\nurl = \"postgres://u@h/d\"", "retaind.toml:2:7: ledger.url: a ledger on a server is not supported"),
        ("daemon = [\"report\"]", "retaind.toml:1:10: daemon: expected a table, found a list"),
        ("[logging]", "retaind.toml:1:2: logging: unknown key (hint: known are daemon, ledger"),
        ("\"a.b\" = 1", "retaind.toml:1:1: \"a.b\": unknown key"),
        ("policies = 1", "retaind.toml:1:12: policies: expected a table, found a bare number"),
        ("[daemon]\nmode = 99999999999999999999", "retaind.toml:2:8: daemon.mode: the number is too large"),
    ] {
        let errors = Etc::new(text).errors();
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].starts_with(wanted), "{text}: {errors:#?}");
    }
}

#[test]
fn policies_and_tasks_share_no_name() {
    let errors = Etc::new(&BASE.replace("policies.detections", "policies.retention")).errors();
    let wanted = "retaind.toml:11:11: policies.retention: there is a task of that name";
    assert!(errors.len() == 1 && errors[0].starts_with(wanted), "{errors:?}");
}

#[test]
fn every_file_that_is_not_toml_is_told() {
    let etc = Etc::new("[daemon\n\n[policies.x]\nkeep = \n")
        .with_file("conf.d/1.toml", "[sources.nvr]\nurl = \"sqlite:/a\"\n[sources.nvr]\nurl = \"sqlite:/b\"\n")
        .with_file("conf.d/2.toml", b"mode = \"\xff\"".as_slice())
        .with_file("conf.d/3.toml", "[daemon]\nmoed = \"report\"\n")
        .with_file("conf.d/.hidden.toml", "not TOML")
        .with_file("conf.d/notes.txt", "not TOML");
    let errors = etc.errors();
    let places: Vec<&str> = errors.iter().map(|error| error.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        ["conf.d/2.toml", "retaind.toml:1:8", "retaind.toml:4:8", "conf.d/1.toml:3:10", "conf.d/3.toml:2:1"],
        "{errors:#?}"
    );
    assert!(errors[0].contains("is not UTF-8 text: see line 1"));
    assert!(errors[1].contains("this is not TOML"));
    assert!(errors[3].contains("nvr is there twice in this file"), "{errors:#?}");
}

#[test]
fn a_duplicate_hides_no_other_mistake() {
    let errors =
        Etc::new("[sources.nvr]\nurl = \"sqlite:/a\"\n[sources.nvr]\nurl = \"sqlite:/b\"\n[tasks.x]\n").errors();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].starts_with("retaind.toml:3:10: nvr is there twice"));
    assert!(errors[1].starts_with("retaind.toml:5:8: tasks.x: the task has neither"));
}

#[test]
fn a_missing_file_is_told() {
    let etc = Etc::new("").with_inputs(|inputs| inputs.file.set_file_name("other.toml"));
    assert_eq!(etc.errors(), ["other.toml: cannot be read: No such file or directory (os error 2)"]);
}

#[test]
fn the_rendering_marks_the_place_in_its_line() {
    let wrong = Etc::new("[daemon]\nmode = \"enforced\" # why not\ntimezone = \"UTC\"\n").wrong();
    let plain = wrong.render(false);
    assert!(plain.contains("daemon.mode: there is no mode \"enforced\""), "{plain}");
    assert!(plain.contains("retaind.toml:2:8\n"), "{plain}");
    assert!(plain.contains("2 │ mode = \"enforced\" # why not\n"), "{plain}");
    assert!(plain.contains("  │        ━━━━━━━━━━\n"), "{plain}");
    assert!(plain.contains("help: did you mean `enforce`?"), "{plain}");
    assert!(!plain.contains("timezone") && !plain.contains('\u{1b}'), "{plain}");
    assert!(wrong.render(true).contains('\u{1b}'));
}

#[test]
fn json_has_the_place() {
    let wrong = Etc::new("[daemon]\nmode = \"enforced\"\n").with_set("daemon.timezone", "x/y").wrong();
    let json = serde_json::to_value(&wrong).unwrap();
    assert_eq!((json[0]["line"].as_u64(), json[0]["column"].as_u64()), (Some(2), Some(8)));
    assert_eq!(json[0]["key"], "daemon.mode");
    assert!(json[0]["file"].as_str().unwrap().ends_with("/retaind.toml"));
    assert_eq!((json[1]["set"].as_str(), json[1]["file"].as_str()), (Some("daemon.timezone"), None));
}

/// Values of every type, more often of a kind that is nearly right.
fn any_value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("\"30d\"".to_owned()),
        Just("\"rows\"".to_owned()),
        Just("\"nvr\"".to_owned()),
        Just("\"a = :cutoff\"".to_owned()),
        Just("\"postgres://u:pw@h/d?sslmode=x\"".to_owned()),
        Just("\"sqlite:/a\"".to_owned()),
        Just("\"${X}\"".to_owned()),
        Just("1979-05-27".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        any::<bool>().prop_map(|flag| flag.to_string()),
        ".{0,12}".prop_map(|text| toml::Value::String(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let entry =
            ("[a-z_.]{1,8}|store|column|source", inner.clone()).prop_map(|(key, value)| format!("{key} = {value}"));
        prop_oneof![
            proptest::collection::vec(inner, 0..3).prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::vec(entry, 0..3).prop_map(|entries| format!("{{ {} }}", entries.join(", "))),
        ]
    })
}

/// A file of sections with keys that exist, values of any kind.
fn any_document() -> impl Strategy<Value = String> {
    let path = proptest::sample::select(keys::all().into_iter().map(|key| key.path).collect::<Vec<_>>());
    let line = (path, "nvr|a|B|a-b|é", any_value());
    proptest::collection::vec(line, 0..8).prop_map(|lines| {
        let lines = lines.into_iter().map(|(path, name, value)| {
            let path = path.replace("[]", "").replace('*', &toml::Value::String(name).to_string());
            format!("{path} = {value}\n")
        });
        lines.collect::<String>()
    })
}

/// Loads, and shows whatever is wrong in every way there is.
fn exercise(text: &str, set: (&str, &str)) {
    let etc = Etc::new(BASE)
        .with_file("conf.d/1.toml", text)
        .with_env("RETAIND__POLICIES__DETECTIONS__KEEP", set.1)
        .with_set(set.0, set.1);
    if let Err(wrong) = compile::load(etc.inputs()) {
        assert!(!wrong.is_empty());
        assert_eq!(wrong.to_string().lines().count(), wrong.len(), "{wrong}");
        for rendering in [wrong.render(false), wrong.render(true), format!("{wrong:?}")] {
            assert!(!rendering.is_empty());
        }
        serde_json::to_string(&wrong).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_configuration_makes_it_panic(text in any_document(), key in "[a-z.\\[\\]0-9-]{0,20}", value in ".{0,12}") {
        exercise(&text, (&key, &value));
    }

    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|[\\[\\]{}=\"'.#\n\\\\]){0,80}", value in any_value()) {
        exercise(&text, ("policies.detections.files", &value));
    }
}

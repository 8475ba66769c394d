//! Which value wins, and what the defaults are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use retaind::policy::{Action, Endpoint, Engine, Keep, Mode, Name, RowsPolicy, Settings, Trigger};

use super::{BASE, Etc};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn rows<'a>(settings: &'a Settings, policy: &str) -> &'a RowsPolicy {
    let policy = settings.policies.iter().find(|each| each.name.as_str() == policy).unwrap();
    policy.kind.rows().unwrap()
}

fn keep_days(etc: &Etc) -> u64 {
    rows(&etc.settings(), "detections").keep.as_ref().unwrap().shortest().as_secs() / 86_400
}

#[test]
fn a_later_layer_wins_key_by_key() {
    let etc = Etc::new(BASE);
    assert_eq!(keep_days(&etc), 30);
    let etc = etc.with_file("conf.d/10-a.toml", "[policies.detections]\nkeep = \"40d\"\nbatch = 7\n");
    assert_eq!(keep_days(&etc), 40);
    let etc = etc.with_file("conf.d/20-b.toml", "[policies.detections]\nkeep = \"50d\"\n");
    assert_eq!(keep_days(&etc), 50);
    let etc = etc.with_env("RETAIND__POLICIES__DETECTIONS__KEEP", "60d");
    assert_eq!(keep_days(&etc), 60);
    let etc = etc.with_set("policies.detections.keep", "70d").with_set("policies.detections.keep", "80d");
    assert_eq!(keep_days(&etc), 80);
    let settings = etc.settings();
    let rows = rows(&settings, "detections");
    // A fragment changes its keys and leaves the rest of the table alone.
    assert_eq!((rows.batch.get(), rows.table.to_string()), (7, "detections".to_owned()));
    assert_eq!(rows.files.len(), 1);
}

#[test]
fn entries_of_a_replaced_list_can_be_overridden() {
    let images = |etc: &Etc| {
        let settings = etc.settings();
        rows(&settings, "detections").files.iter().map(|file| file.store.to_string()).collect::<Vec<_>>()
    };
    let on = "policies.detections.files[1].enabled";
    assert_eq!(images(&Etc::new(BASE)), ["thumbnails"]);
    assert_eq!(images(&Etc::new(BASE).with_set(on, "true")), ["thumbnails", "images"]);
    let env = "RETAIND__POLICIES__DETECTIONS__FILES__1__ENABLED";
    assert_eq!(images(&Etc::new(BASE).with_env(env, "true")), ["thumbnails", "images"]);
    let fragment = "[policies.detections]\nfiles = [{ store = \"images\", column = \"file_path\" }]\n";
    assert_eq!(images(&Etc::new(BASE).with_file("conf.d/1.toml", fragment)), ["images"]);
    let etc = Etc::new(BASE).with_set("policies.detections.files", "[{ store = \"images\", column = \"x\" }]");
    assert_eq!(images(&etc), ["images"]);
}

/// Seed 002: completed jobs 30 days, failed ones 7, each to be overridden on request.
const JOBS: &str = r#"
[sources.media]
url = "sqlite:/srv/media.db"

[policies.completed-jobs]
kind = "rows"
source = "media"
table = "jobs"
age = "completed_at"
keep = { column = "status", values = { completed = "30d", Failed = "7d" } }
"#;

/// The times of `completed-jobs`, in days.
fn times(etc: &Etc) -> String {
    let days = |keep: &Duration| keep.as_secs() / 86_400;
    match &rows(&etc.settings(), "completed-jobs").keep {
        Some(Keep::For(keep)) => format!("{}", days(keep)),
        Some(Keep::ByValue(by)) => {
            let values: Vec<_> = by.values.iter().map(|(value, keep)| format!("{value} {}", days(keep))).collect();
            format!("{}: {}, others {:?}", by.column, values.join(" "), by.default.as_ref().map(days))
        }
        None => "none".to_owned(),
    }
}

#[test]
fn one_duration_and_a_table_override_each_other() {
    let etc = || Etc::new(JOBS);
    assert_eq!(times(&etc()), "status: completed 30 Failed 7, others None");
    assert_eq!(times(&etc().with_set("policies.completed-jobs.keep", "60d")), "60");
    assert_eq!(times(&etc().with_env("RETAIND__POLICIES__COMPLETED_JOBS__KEEP", "60d")), "60");
    let table = "{ column = \"type\", values = { a = \"1d\" } }";
    let plain = etc().with_file("conf.d/1.toml", "[policies.completed-jobs]\nkeep = \"60d\"\n");
    assert_eq!(times(&plain), "60");
    assert_eq!(times(&plain.with_set("policies.completed-jobs.keep", table)), "type: a 1, others None");
}

#[test]
fn tables_of_durations_are_overridden_by_value() {
    let etc = || Etc::new(JOBS);
    let key = "policies.completed-jobs.keep";
    let one = etc().with_set(&format!("{key}.values.completed"), "60d");
    assert_eq!(times(&one), "status: completed 60 Failed 7, others None");
    let more = etc().with_set(&format!("{key}.values.cancelled"), "1d").with_set(&format!("{key}.default"), "90d");
    assert_eq!(times(&more), "status: completed 30 Failed 7 cancelled 1, others Some(90)");
    // A variable is upper case, and finds the value however the file spells it.
    let env = etc().with_env("RETAIND__POLICIES__COMPLETED_JOBS__KEEP__VALUES__FAILED", "14d");
    assert_eq!(times(&env), "status: completed 30 Failed 14, others None");
    let fragment = "[policies.completed-jobs.keep]\nvalues.Failed = \"9d\"\n";
    assert_eq!(times(&etc().with_file("conf.d/1.toml", fragment)), "status: completed 30 Failed 9, others None");
    assert_eq!(
        etc().with_set(&format!("{key}.values.completed"), "60").errors(),
        ["--set policies.completed-jobs.keep.values.completed: a bare number is no duration (hint: write \"60d\")"]
    );
    let plain = etc().with_file("conf.d/1.toml", "[policies.completed-jobs]\nkeep = \"60d\"\n");
    let errors = plain.with_set(&format!("{key}.values.completed"), "60d").errors();
    assert!(errors.len() == 1 && errors[0].contains("column is missing"), "{errors:?}");
}

#[test]
fn what_is_in_set_and_children_is_overridable() {
    let text = format!(
        "{BASE}[policies.u]\nkind = \"rows\"\nsource = \"nvr\"\ntable = \"t\"\nwhere = \"a = 1\"\n\
         action = \"update\"\nset = {{ status = \"expired\", n = 1 }}\n\
         [[policies.e.children]]\ntable = \"c\"\ncolumn = \"e_id\"\n\
         files = [{{ store = \"images\", column = \"p\", enabled = false }}]\n\
         [policies.e]\nkind = \"rows\"\nsource = \"nvr\"\ntable = \"e\"\nwhere = \"a = 1\"\n"
    );
    let settings = Etc::new(&text)
        .with_set("policies.u.set.status", "gone")
        .with_env("RETAIND__POLICIES__U__SET__N", "2")
        .with_set("policies.u.set.at", "{ sql = \"CURRENT_TIMESTAMP\" }")
        .with_set("policies.e.children[0].files[0].enabled", "true")
        .with_env("RETAIND__POLICIES__E__CHILDREN__0__COLUMN", "007")
        .settings();
    let Action::Update(set) = &rows(&settings, "u").action else { panic!("no update") };
    let shown: Vec<String> = set.iter().map(|each| format!("{} {:?}", each.column, each.value)).collect();
    assert_eq!(shown[..2], ["status Text(\"gone\")", "n Number(\"2\")"]);
    assert!(shown[2].starts_with("at Sql("), "{shown:?}");
    let child = &rows(&settings, "e").children[0];
    assert_eq!((child.files.len(), child.columns[0].as_str()), (1, "007"));
}

#[test]
fn policies_keep_the_order_of_declaration() {
    let policy = |name: &str| {
        format!("[policies.{name}]\nkind = \"rows\"\nsource = \"nvr\"\ntable = \"t\"\nwhere = \"1 = 1\"\n")
    };
    let etc = Etc::new(&format!("{BASE}{}{}", policy("zebra"), policy("ant")))
        .with_file("conf.d/1.toml", format!("{}[policies.ant]\nbatch = 1\n", policy("bee")))
        .with_file("conf.d/0.toml", policy("yak"));
    let settings = etc.settings();
    let names: Vec<&str> = settings.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["detections", "zebra", "ant", "yak", "bee"]);
}

#[test]
fn variables_that_are_not_configuration_are_left_alone() {
    let etc = Etc::new(BASE).with_env("RETAIND_CONFIG", "x").with_env("PATH", "/bin").with_env("XRETAIND__A__B", "1");
    etc.settings();
    let errors = etc.with_env("RETAIND__POLCIES__X", "1").errors();
    assert_eq!(
        errors,
        ["environment variable RETAIND__POLCIES__X: polcies: unknown key (hint: did you mean `policies`?)"]
    );
}

#[test]
fn values_from_outside_keep_what_was_typed() {
    let etc = Etc::new(BASE)
        .with_env("RETAIND__POLICIES__DETECTIONS__TABLE", "007")
        .with_set("policies.detections.where", "a = 'x, y' AND b = [1]")
        .with_set("policies.detections.age", "\"odd name\"")
        .with_env("RETAIND__POLICIES__DETECTIONS__MAX_ROWS", "12")
        .with_env("RETAIND__DAEMON__MODE", "report");
    let settings = etc.settings();
    let rows = rows(&settings, "detections");
    assert_eq!(rows.table.to_string(), "007");
    assert_eq!(rows.condition.as_ref().unwrap().to_string(), "a = 'x, y' AND b = [1]");
    assert_eq!(rows.age.as_ref().unwrap().column.as_str(), "odd name");
    assert_eq!(rows.max_rows.unwrap().get(), 12);
    assert_eq!(settings.daemon.mode, Mode::Report);
}

#[test]
fn the_defaults_are_these() {
    let etc = Etc::new("").with_inputs(|inputs| inputs.state_dir = None);
    let settings = etc.settings();
    assert_eq!(settings.daemon.mode, Mode::Enforce);
    assert_eq!(settings.daemon.state_dir, PathBuf::from("/var/lib/retaind"));
    assert_eq!(settings.daemon.ledger_path, PathBuf::from("/var/lib/retaind/ledger.db"));
    assert_eq!(settings.daemon.timezone.iana_name(), Some("UTC"));
    assert_eq!(settings.daemon.shutdown_grace, Duration::from_secs(20));
    assert!(settings.sources.is_empty() && settings.stores.is_empty() && settings.policies.is_empty());
    let tasks: Vec<(&str, &Trigger)> = settings.tasks.iter().map(|task| (task.name.as_str(), &task.trigger)).collect();
    let cron = |text: &str| Trigger::Cron(text.to_owned());
    let wanted = [cron("0 3 * * *"), cron("30 3 * * *"), cron("0 4 * * 0")];
    assert_eq!(tasks, [("retention", &wanted[0]), ("log-purge", &wanted[1]), ("orphan-scan", &wanted[2])]);
    for task in &settings.tasks {
        assert_eq!((task.misfire_grace, task.catch_up), (Duration::from_secs(300), true));
        assert_eq!((task.timeout, task.enabled), (None, true));
    }

    let settings = Etc::new(BASE).with_inputs(|inputs| inputs.state_dir = Some("/state".into())).settings();
    assert_eq!(settings.daemon.ledger_path, PathBuf::from("/state/ledger.db"));
    let source = settings.source(&name("nvr")).unwrap();
    assert_eq!(source.lock_timeout, Duration::from_secs(2));
    assert_eq!(source.statement_timeout, Duration::from_secs(30));
    assert_eq!(source.connect_timeout, Duration::from_secs(5));
    assert_eq!(source.max_connections.get(), 4);
    assert_eq!(source.timezone.iana_name(), Some("UTC"));
    let policy = &settings.policies[0];
    assert_eq!((policy.mode, policy.enabled), (Mode::Enforce, true));
    let rows = rows(&settings, "detections");
    assert_eq!((rows.batch.get(), rows.max_rows, rows.max_fraction), (10_000, None, None));
}

#[test]
fn shipped_tasks_change_key_by_key() {
    let settings = Etc::new("[tasks.nightly]\nschedule = \"0 1 * * *\"\n[tasks.log-purge]\nevery = \"30m\"\n")
        .with_env("RETAIND__TASKS__ORPHAN_SCAN__ENABLED", "false")
        .with_set("tasks.retention.timeout", "30m")
        .settings();
    let task = |text: &str| settings.task(&name(text)).unwrap();
    assert_eq!(task("log-purge").trigger, Trigger::Every(Duration::from_secs(1800)));
    assert_eq!(task("retention").trigger, Trigger::Cron("0 3 * * *".to_owned()));
    assert_eq!(task("retention").timeout, Some(Duration::from_secs(1800)));
    assert!(!task("orphan-scan").enabled && task("nightly").enabled);
    let order: Vec<&str> = settings.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(order, ["retention", "log-purge", "orphan-scan", "nightly"]);
}

#[test]
fn stores_keep_references_and_sources_their_engine() {
    let text =
        "[stores.images]\nstrip_prefix = \"i/\"\nreferences = [{ source = \"nvr\", table = \"a.b\", column = \"C\" }]";
    let settings = Etc::new(BASE).with_file("conf.d/1.toml", text).settings();
    let store = settings.store(&name("images")).unwrap();
    assert_eq!(store.root, PathBuf::from("/srv/nvr/images"));
    assert_eq!(store.strip_prefix.as_deref(), Some("i/"));
    assert_eq!(store.references[0].table.to_string(), "a.b");
    assert_eq!(store.references[0].path.to_string(), "C");
    let endpoint = &settings.source(&name("nvr")).unwrap().endpoint;
    assert_eq!(endpoint.engine(), Engine::Sqlite);
    assert!(matches!(endpoint, Endpoint::Sqlite { path } if path.as_path() == Path::new("/srv/nvr/nvr.db")));
}

#[test]
fn every_and_schedule_replace_each_other() {
    let trigger = |etc: &Etc| etc.settings().tasks[0].trigger.clone();
    let etc = Etc::new("[tasks.retention]\nschedule = \"0 3 * * *\"\n");
    let etc = etc.with_file("conf.d/often.toml", "[tasks.retention]\nevery = \"1m\"\n");
    assert_eq!(trigger(&etc), Trigger::Every(Duration::from_secs(60)));
    let etc = etc.with_set("tasks.retention.schedule", "0 5 * * *");
    assert_eq!(trigger(&etc), Trigger::Cron("0 5 * * *".to_owned()));
}

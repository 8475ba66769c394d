//! `config show`: every key with its value, and where that comes from.

use serde_json::{Value, json};

use crate::binary::{self, RETAIND};
use crate::config::Etc;

const MAIN: &str = r#"
[daemon]
timezone = "Europe/Berlin"

[sources.nvr]
url = "postgres://retaind:s3cret@localhost/nvr"

[stores.shots]
path = "/srv/shots"
references = [{ source = "nvr", table = "events", column = "path" }]

[policies.events]
kind = "rows"
source = "nvr"
table = "events"
age = "at"
keep = "30d"
files = [{ store = "shots", column = "path" }]

[policies.strays]
kind = "orphans"
store = "shots"
keep = "1d"
"#;

fn show(etc: &Etc, arguments: &[&str], environment: &[(&str, &str)]) -> std::process::Output {
    let mut command = binary::command(RETAIND);
    command.args(["config", "show", "--config"]).arg(etc.path("retaind.toml")).args(arguments);
    command.env_remove("STATE_DIRECTORY").envs(environment.iter().copied());
    command.output().expect("retaind starts")
}

/// Value, origin, and the file's name with its line, or the variable.
fn key(shown: &Value, key: &str) -> Value {
    let keys = shown["keys"].as_array().expect("keys");
    let found = keys.iter().find(|found| found["key"] == key).unwrap_or_else(|| panic!("{key}: {shown:#}"));
    let file = found["file"].as_str().map(|file| file.rsplit('/').next().unwrap_or_default().to_owned());
    let place = file.map(|file| format!("{file}:{}", found["line"])).or(found["variable"].as_str().map(str::to_owned));
    json!([found["value"], found["origin"], place])
}

#[test]
fn each_key_has_its_value_and_origin() {
    let etc = Etc::new(MAIN).with_file("conf.d/10.toml", "[policies.events]\nbatch = 7\n");
    let environment = [("RETAIND__POLICIES__EVENTS__MODE", "report"), ("STATE_DIRECTORY", "/var/lib/other")];
    let set = ["--set", "policies.events.keep=60d"];
    let ended = show(&etc, &[&set[..], &["--json"]].concat(), &environment);
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let shown: Value = serde_json::from_slice(&ended.stdout).expect("JSON");
    assert_eq!(shown["format_version"], 1);
    for (name, expected) in [
        ("daemon.timezone", json!(["Europe/Berlin", "file", "retaind.toml:3"])),
        ("daemon.mode", json!(["enforce", "default", null])),
        ("daemon.approve_changes", json!([true, "default", null])),
        ("daemon.state_dir", json!(["/var/lib/other", "environment", "STATE_DIRECTORY"])),
        ("policies.events.batch", json!([7, "file", "10.toml:2"])),
        ("policies.events.keep", json!(["60d", "set", null])),
        ("policies.events.mode", json!(["report", "environment", "RETAIND__POLICIES__EVENTS__MODE"])),
        ("policies.events.files[0].store", json!(["shots", "file", "retaind.toml:18"])),
        ("policies.events.enabled", json!([true, "default", null])),
        ("policies.strays.mode", json!(["report", "default", null])),
        ("tasks.retention.schedule", json!(["0 3 * * *", "default", null])),
    ] {
        assert_eq!(key(&shown, name), expected, "{name}");
    }
    // Orphans have no batches.
    let keys = shown["keys"].as_array().unwrap();
    assert!(!keys.iter().any(|key| key["key"] == "policies.strays.batch"), "{shown:#}");
    let page = String::from_utf8(show(&etc, &set, &environment).stdout).unwrap();
    assert!(page.contains("policies.events.keep = \"60d\"  # --set\n"), "{page}");
    assert!(page.contains("/conf.d/10.toml:2\n") && page.contains("daemon.mode = \"enforce\"  # default\n"), "{page}");
}

#[test]
fn no_password_is_shown() {
    let etc = Etc::new(MAIN);
    for arguments in [&[][..], &["--json"]] {
        let ended = show(&etc, arguments, &[]);
        let text = String::from_utf8_lossy(&ended.stdout);
        assert!(text.contains("sources.nvr.url") && text.contains("/nvr\""), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

//! Environment variables that begin with `RETAIND_`: which file they name, and that an unknown one is refused.

use super::{Ended, retaind};
use crate::engines::{Database, EngineKind};
use crate::world::{World, set};

/// Row 1 may go, row 2 stays.
fn world() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(
        "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\n",
    );
    world.item(1, 40.0, None, None);
    world.item(2, 1.0, None, None);
    world
}

/// Calls it in an environment, without `--config`.
fn call_with(environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
    Ended::of(retaind(arguments).envs(environment.iter().copied()).output().expect("retaind starts"))
}

#[test]
fn f45_variables_that_override_nothing_are_refused() {
    let world = world();
    let config = world.config_file().display().to_string();
    for arguments in [
        &["check"][..],
        &["check", "--config-only"],
        &["plan"],
        &["run"],
        &["run", "items", "--yes"],
        &["run", "-n"],
        &["adopt", "images", "--yes"],
        &["restore", "0000beef"],
        &["status"],
        &["stats"],
        &["why", "app.item", "1"],
        &["runs"],
        &["daemon"],
    ] {
        let all = [arguments, &["--config", &config]].concat();
        let refused = call_with(&[("RETAIND_DAEMON_MODE", "report")], &all).with(78);
        assert_eq!(refused.stdout, "", "{arguments:?}");
        for part in
            ["environment variable RETAIND_DAEMON_MODE: there is no such variable", "write RETAIND__DAEMON__MODE,"]
        {
            assert!(refused.stderr.contains(part), "{arguments:?}: {}", refused.stderr);
        }
    }
    assert_eq!(world.ids(), set([1, 2]));
    let json = call_with(&[("RETAIND_DAEMON_MODE", "s3cret")], &["check", "--json", "--config", &config]).with(78);
    let error = &json.json()["errors"][0];
    assert_eq!(error["variable"], "RETAIND_DAEMON_MODE");
    assert!(error["hint"].as_str().unwrap().contains("RETAIND__DAEMON__MODE") && !json.stdout.contains("s3cret"));
    // What reads no configuration goes on.
    call_with(&[("RETAIND_DAEMON_MODE", "report")], &["completions", "bash"]).with(0);
    let run = call_with(&[("RETAIND__DAEMON__MODE", "report")], &["run", "--json", "--config", &config]).with(0).json();
    assert_eq!((&run["mode"], world.ids()), (&"report".into(), set([1, 2])));
}

#[test]
fn f45_variables_of_hooks_and_of_urls_are_known() {
    let world = world();
    let config = world.config_file();
    let text = std::fs::read_to_string(&config).unwrap();
    let url = text.lines().find_map(|line| line.strip_prefix("url = ")).unwrap().trim_matches('"').to_owned();
    std::fs::write(&config, text.replace(&url, "${RETAIND_APP}")).unwrap();
    let all: Vec<(&str, &str)> = retaind::config::environment::KNOWN
        .iter()
        .filter(|(name, _)| *name != "RETAIND_CONFIG")
        .map(|(name, _)| (*name, "x"))
        .chain([("RETAIND_APP", url.as_str())])
        .collect();
    let config = config.display().to_string();
    call_with(&all, &["run", "items", "--config", &config]).with(0);
    assert_eq!(world.ids(), set([2]));
    let source = format!("sources.app.url={url}");
    call_with(&all, &["plan", "--set", &source, "--config", &config]).with(0);
}

#[test]
fn a_variable_names_the_file_the_flag_wins() {
    let world = world();
    let config = world.config_file().display().to_string();
    let plan = call_with(&[("RETAIND_CONFIG", &config)], &["plan", "--json"]).with(0).json();
    assert_eq!(plan["totals"]["rows_deleted"], 1);
    let lost = [("RETAIND_CONFIG", "/nonexistent/other.toml")];
    assert!(call_with(&lost, &["plan"]).with(78).stderr.contains("/nonexistent/other.toml"));
    call_with(&lost, &["plan", "--config", &config]).with(0);
    call_with(&lost, &["-c", &config, "plan"]).with(0);
    let misspelt = call_with(&[("RETAIND_CONFG", &config)], &["plan", "--config", &config]).with(78);
    assert!(misspelt.stderr.contains("did you mean `RETAIND_CONFIG`?"), "{}", misspelt.stderr);
    let help = call_with(&lost, &["plan", "--help"]).with(0).stdout;
    assert!(help.contains("[env: RETAIND_CONFIG]") && !help.contains("nonexistent"), "{help}");
}

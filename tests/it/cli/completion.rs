//! Completion: what a shell is told about keys, policies, tasks, stores and runs, and that nothing else comes of asking.

use std::process::Command;

use super::{Ended, call, call_in, retaind, world_with_items};
use crate::binary::RETAIND;
use crate::world::World;

const POLICIES: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                        age = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n\
                        [policies.old-thumbs]\nkind = \"files\"\nstore = \"thumbs\"\nkeep = \"90d\"\n";

fn world() -> World {
    world_with_items(POLICIES)
}

/// What a shell is answered that asks about the last of these words: one candidate a line.
fn answer(shell: &str, words: &[&str], env: &[(&str, &str)]) -> String {
    let mut command = retaind(&["--", "retaind"]);
    command.args(words).env("_COMPLETE_RETAIND", shell).env("_CLAP_IFS", "\n");
    command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).envs(env.iter().copied());
    let ended = Ended::of(command.output().unwrap()).with(0);
    assert_eq!(ended.stderr, "", "{words:?}");
    ended.stdout
}

/// The candidates for the last of these words, behind `--config FILE`.
fn candidates(config: &str, words: &[&str]) -> Vec<String> {
    let words = [&["--config", config], words].concat();
    answer("bash", &words, &[]).lines().filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
}

#[test]
fn names_of_the_configuration_on_the_line_complete() {
    let world = world();
    let config = world.config_file().display().to_string();
    let names = candidates(&config, &["plan", ""]);
    assert_eq!(names, ["items", "old-thumbs", "log-purge", "orphan-scan", "retention"]);
    assert_eq!(candidates(&config, &["run", "old"]), ["old-thumbs"]);
    assert_eq!(candidates(&config, &["approve", "it"]), ["items"]);
    assert_eq!(candidates(&config, &["adopt", "th"]), ["thumbs"]);
    assert_eq!(candidates(&config, &["why", "app"]), ["app.item"]);
    assert_eq!(candidates(&config, &["why", "thu"]), ["thumbs"]);
    let by_variable = answer("bash", &["plan", "it"], &[("RETAIND_CONFIG", &config)]);
    assert_eq!(by_variable, "items");
    // Other shells are told more.
    assert!(answer("zsh", &["-c", &config, "plan", "it"], &[]).starts_with("items:policy of rows"));
    assert!(answer("fish", &["-c", &config, "plan", "it"], &[]).starts_with("items\tpolicy of rows"));
}

#[test]
fn keys_and_their_words_complete_behind_set() {
    let world = world();
    let config = world.config_file().display().to_string();
    let keys = |current: &str| candidates(&config, &["plan", "--set", current]);
    assert_eq!(keys("daemon.m"), ["daemon.mode="]);
    assert_eq!(
        keys("policies.items.keep"),
        ["policies.items.keep=", "policies.items.keep.column=", "policies.items.keep.default="]
    );
    assert_eq!(keys("policies.items.max_r"), ["policies.items.max_rows="]);
    assert_eq!(keys("policies.old-thumbs.max_r"), Vec::<String>::new());
    assert_eq!(keys("policies.old-thumbs.op"), ["policies.old-thumbs.open="]);
    assert_eq!(keys("tasks.log-purge.ca"), ["tasks.log-purge.catch_up="]);
    assert_eq!(keys("daemon.mode="), ["daemon.mode=enforce", "daemon.mode=report"]);
    assert_eq!(keys("tasks.retention.enabled=f"), ["tasks.retention.enabled=false"]);
}

#[test]
fn runs_complete_by_whole_ids_and_their_ends() {
    let world = world();
    let config = world.config_file().display().to_string();
    assert_eq!(candidates(&config, &["runs", ""]), Vec::<String>::new());
    assert!(!world.dir.join("state/ledger.db").exists(), "asking makes no ledger");
    let run = call_in(&world, &["run", "items", "--json"]).with(0).json()["run_id"].as_str().unwrap().to_owned();
    let end = &run[run.len() - 8..];
    for command in ["runs", "restore"] {
        assert_eq!(candidates(&config, &[command, ""]), [end]);
        assert_eq!(candidates(&config, &[command, &end[..3]]), [end]);
        assert_eq!(candidates(&config, &[command, &run[..10]]), [run.as_str()]);
    }
}

#[test]
fn an_unusable_configuration_gives_no_names_or_errors() {
    let world = world();
    let config = world.config_file();
    std::fs::write(&config, "[policies.items\nkind = ").unwrap();
    for config in [config.display().to_string(), "/nonexistent/retaind.toml".to_owned(), "/".to_owned()] {
        assert_eq!(candidates(&config, &["plan", "it"]), Vec::<String>::new());
        assert_eq!(candidates(&config, &["adopt", ""]), Vec::<String>::new());
        assert_eq!(candidates(&config, &["runs", ""]), Vec::<String>::new());
        assert_eq!(candidates(&config, &["plan", "--set", "daemon.m"]), ["daemon.mode="]);
        assert_eq!(candidates(&config, &["adop"]), ["adopt"]);
    }
    assert_eq!(answer("tcsh", &["plan", ""], &[]), "");
}

#[test]
fn every_shell_gets_a_script_that_asks_retaind() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = call(&["completions", shell]).with(0).stdout;
        assert!(script.contains("_COMPLETE_RETAIND") && script.contains("retaind"), "{shell}: {script}");
    }
    assert!(call(&["completions", "zsh"]).with(0).stdout.starts_with("#compdef retaind\n"));
}

#[test]
fn the_script_of_bash_answers_bash() {
    let world = world();
    let bin = std::path::Path::new(RETAIND).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let script = "source <(retaind completions bash); COMP_WORDS=(retaind -c \"$1\" plan it); COMP_CWORD=4; \
                  _clap_complete_retaind retaind it plan; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let config = world.config_file();
    let mut bash = Command::new("bash");
    let answered = bash.args(["-c", script, "bash"]).arg(config).env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8(answered.stdout).unwrap(), "items\n");
}

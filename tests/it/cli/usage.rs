//! Help, usage errors, bad configurations, and the streams that they go to.

use std::io::Read;
use std::process::Stdio;

use super::{call, retaind};
use crate::engines::scratch_dir;

#[path = "../../../packaging/pages.rs"]
mod pages;

const COMMANDS: [&str; 8] = ["daemon", "check", "plan", "run", "status", "runs", "config", "completions"];

#[test]
fn help_is_data_and_has_examples() {
    for command in COMMANDS {
        let help = call(&[command, "--help"]).with(0);
        assert!(help.stdout.contains("Examples:"), "{}", help.stdout);
        assert_eq!(help.stderr, "");
    }
    let help = call(&["--help"]).with(0);
    for part in ["Exit status:", "78  bad configuration", "retaind plan"] {
        assert!(help.stdout.contains(part), "{}", help.stdout);
    }
    assert_eq!(call(&["--version"]).with(0).stdout, format!("retaind {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_with_2_without_data() {
    for wrong in [
        &["paln"][..],
        &["plan", "--lits"],
        &["plan", "--set", "policies"],
        &["plan", "--param", "x"],
        &["status", "--param", "session_id=7"],
        &["daemon", "--param", "session_id=7"],
        &["run", "--mode", "enforce"],
        &["runs", "-n", "many"],
        &[],
    ] {
        let ended = call(wrong).with(2);
        assert_eq!(ended.stdout, "", "{wrong:?}");
        assert_ne!(ended.stderr, "", "{wrong:?}");
    }
}

#[test]
fn parameters_are_checked_before_anything_is_connected() {
    let path = scratch_dir("cli-params").join("retaind.toml");
    let text = "[sources.faceswap]\nurl = \"sqlite:/nonexistent/faceswap.db\"\n\n[policies.session-images]\n\
                kind = \"rows\"\nsource = \"faceswap\"\ntable = \"images\"\n\
                params = [{ name = \"session_id\", type = \"integer\" }]\nwhere = \"session_id = :session_id\"\n";
    std::fs::write(&path, text).unwrap();
    let config = path.display().to_string();
    for command in ["plan", "run"] {
        let refused = |arguments: &[&str]| {
            let all = [&[command, "-c", &config, "session-images"], arguments].concat();
            let ended = call(&all).with(2);
            assert_eq!(ended.stdout, "");
            ended.stderr
        };
        assert_eq!(
            refused(&[]),
            "error: policy session-images needs the parameter session_id\n\
             hint: retaind plan session-images --param session_id=VALUE\n"
        );
        assert!(refused(&["--param", "session=1"]).contains("does not take the parameter \"session\""));
        assert!(refused(&["--param", "session_id=x"]).contains("takes a whole number"));
    }
    // Without names it is not selected, so nothing is missing and nobody takes a parameter.
    let ended = call(&["plan", "-c", &config]).with(0);
    assert!(ended.stderr.contains("there is nothing to do"), "{}", ended.stderr);
    call(&["plan", "-c", &config, "--param", "session_id=1"]).with(2);
    // It is taken: what fails is the source.
    let ended = call(&["plan", "-c", &config, "session-images", "--param", "session_id=1"]).with(1);
    assert!(!ended.stderr.contains("--param"), "{}", ended.stderr);
}

fn bad_configuration() -> String {
    let path = scratch_dir("cli-config").join("retaind.toml");
    let text = "[sources.nvr]\nurl = \"sqlite:/tmp/nvr.db\"\n\n[policies.detections]\nkind = \"rows\"\n\
                source = \"nvr\"\ntabel = \"detections\"\nage = \"at\"\nkeep = 30\n";
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn g10_a_bad_configuration_exits_with_every_error() {
    let config = bad_configuration();
    for command in ["check", "plan", "run", "stats", "daemon"] {
        let ended = call(&[command, "--config", &config]).with(78);
        assert_eq!(ended.stdout, "");
        for part in ["retaind.toml:7:1", "did you mean `table`?", "retaind.toml:9:8", "\"30d\""] {
            assert!(ended.stderr.contains(part), "{command}: {}", ended.stderr);
        }
    }
    let errors = call(&["check", "--config-only", "--json", "--config", &config]).with(78).json();
    let errors = errors["errors"].as_array().unwrap();
    let keep = errors.iter().find(|error| error["key"] == "policies.detections.keep").unwrap();
    assert_eq!((&keep["file"], &keep["line"], &keep["column"]), (&config.as_str().into(), &9.into(), &8.into()));
    assert!(keep["message"].is_string() && keep["hint"].is_string());
    let missing = call(&["check", "--config", "/nonexistent/retaind.toml"]).with(78);
    assert!(missing.stderr.contains("/nonexistent/retaind.toml"), "{}", missing.stderr);
}

#[test]
fn a_pipe_gets_colour_only_on_request() {
    let config = bad_configuration();
    let escapes = |arguments: &[&str], no_color: bool| {
        let mut command = retaind(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        command.args(["--config", &config]).output().unwrap().stderr.contains(&0x1b)
    };
    assert!(!escapes(&["plan"], false));
    assert!(!escapes(&["plan"], true));
    assert!(escapes(&["plan", "--color", "always"], false));
    assert!(!escapes(&["plan", "--color", "never"], false));
}

#[test]
fn every_command_has_a_manual_page() {
    let dir = scratch_dir("cli-man");
    pages::write(&dir).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    for command in COMMANDS {
        let page = read(&format!("retaind-{command}.1"));
        assert!(page.contains(".SH EXAMPLES") && page.contains("\\fBretaind.toml\\fR(5)"), "{page}");
    }
    assert!(read("retaind.1").contains(".SH EXIT STATUS"));
    let plan = read("retaind-plan.1");
    for piece in ["retaind plan", "sudo \\-u", "retaind\\-plan \\- Show what a run would do"] {
        assert!(plan.contains(piece) || read("retaind-diff.1").contains(piece), "{piece} is not in:\n{plan}");
    }
    assert!(!plan.contains("EXTRA"), "{plan}");
}

#[test]
fn the_configurations_manual_page_has_every_key() {
    let dir = scratch_dir("cli-man-5");
    pages::write(&dir).unwrap();
    let page = std::fs::read_to_string(dir.join("retaind.toml.5")).unwrap();
    let (mut section, mut found) = (String::new(), Vec::new());
    for (before, line) in page.lines().zip(page.lines().skip(1)) {
        if let Some(title) = line.strip_prefix(".SH ") {
            section = title.trim_matches(['[', ']']).to_owned();
        }
        let key = line.strip_prefix("\\fB").and_then(|rest| rest.split_once("\\fR ("));
        if let (".TP", Some((key, _))) = (before, key) {
            found.push(format!("{section}.{key}").replace("NAME", "*"));
        }
    }
    let keys: Vec<String> = retaind::config::keys::all().into_iter().map(|key| key.path).collect();
    assert_eq!(found, keys);
    for piece in [
        "\\fBbatch\\fR (whole number; default \\fB10000\\fR; of rows)\nRows per transaction",
        "what goes by a clock that leapt is held.",
        "\\fBage_by\\fR (text; default \\fBlatest\\fR)",
    ] {
        assert!(page.contains(piece), "{piece} is not in:\n{page}");
    }
    assert!(page.lines().all(|line| !line.starts_with('\'') && !line.contains("](")), "{page}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["completions", "bash"][..], &["--help"]] {
        let mut child = retaind(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{told}");
        assert_eq!(told, "");
    }
}

//! Screens at the usual widths of terminals: none is wider than its terminal, counts and their words agree, times have a zone.
//!
//! The pages stand in `tests/golden/screens`. With `RETAIND_GOLDEN=write` they are written anew, to be read.

use std::path::{Path, PathBuf};

use retaind::report::{
    Findings, Layout, Overview, RunEntry, RunResult, render_findings, render_plan, render_run, render_runs,
    render_status,
};

const WIDTHS: [usize; 3] = [80, 100, 160];

fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares the pages of all widths with those that were read, and looks at what no page may have.
fn hold(name: &str, render: impl Fn(Layout) -> String) {
    for width in WIDTHS {
        let page = anstream::adapter::strip_str(&render(Layout::Tables { width })).to_string();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/screens/{name}-{width}.txt"));
        if std::env::var_os("RETAIND_GOLDEN").is_some_and(|wish| wish == "write") {
            std::fs::write(&file, &page).unwrap();
        }
        let read = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(page, read, "{}: RETAIND_GOLDEN=write writes it anew, to be read", file.display());
        for line in page.lines() {
            // A remedy of `check` and a path are to be copied, and stay whole.
            let is_whole =
                name == "check" || !line.trim_start().contains(' ') || line.trim_start().starts_with("2026/01/");
            assert!(is_whole || line.chars().count() <= width, "wider than {width}: {line}");
            let is_one =
                |word: &str| line.split([' ', ',', '(']).collect::<Vec<_>>().windows(2).any(|two| two == ["1", word]);
            assert!(!["files", "rows", "errors", "runs", "policies"].into_iter().any(is_one), "{line}");
        }
    }
}

#[test]
fn status_fits_its_terminal() {
    let overview: Overview = fixture("status.json");
    hold("status", |layout| render_status(&overview, layout));
}

#[test]
fn runs_fit_their_terminal() {
    let runs: Vec<RunEntry> = fixture("runs.json");
    let now = "2026-03-01T12:00:00Z".parse().unwrap();
    hold("runs", |layout| render_runs(&runs, false, now, layout));
}

#[test]
fn a_run_fits_its_terminal() {
    let run: RunResult = fixture("run.json");
    hold("run", |layout| render_run(&run, layout));
    hold("plan", |layout| render_plan(&run, layout));
}

#[test]
fn findings_fit_their_terminal() {
    let mut findings = Findings::default();
    findings.ok("configuration", "valid: 1 source, 2 stores, 12 policies");
    findings.warn(
        "policy items",
        "no index begins with the age column created_at of public.items: every batch reads the table",
        "CREATE INDEX CONCURRENTLY ON \"public\".\"items\" (\"created_at\");",
    );
    findings.error(
        "store thumbnails",
        "/srv/nvr/data/thumbnails is outside the directories that the service may write to",
        "systemctl edit retaind\n[Service]\nReadWritePaths=/srv/nvr/data/thumbnails",
    );
    hold("check", |layout| render_findings(&findings, layout));
}

//! Screens at the usual widths of terminals: none is wider than its terminal, counts and their words agree, times have a zone.
//!
//! The pages stand in `tests/golden/screens`. With `RETAIND_GOLDEN=write` they are written anew, to be read.

use std::path::{Path, PathBuf};

use retaind::decide::files::{FileReasonKind, StaysBehind};
use retaind::decide::rows::ReasonKind;
use retaind::outcome::Facts;
use retaind::policy::Name;
use retaind::report::{
    FileAnswer, FileFate, FileWhy, Findings, FoundAs, Layout, NamingRow, Overview, PendingFiles, PolicyOnFile,
    PolicyWhy, Reason, Retried, RowFate, RowWhy, RunEntry, RunResult, Stats, WhyKept, render_findings, render_pending,
    render_plan, render_retried, render_run, render_runs, render_stats, render_status, render_why, render_why_file,
};

const WIDTHS: [usize; 3] = [80, 100, 160];

fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/screens").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
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

#[test]
fn statistics_fit_their_terminal() {
    let stats: Stats = fixture("stats.json");
    hold("stats", |layout| render_stats(&stats, layout));
}

#[test]
fn pending_files_fit_their_terminal() {
    let files: PendingFiles = fixture("pending.json");
    hold("pending", |layout| render_pending(&files, layout));
    let retried =
        Retried { batches_settled: 3, files_deleted: 1, files_missing: 2, files_referenced: 1, left: files.clone() };
    hold("pending-retry", |layout| render_retried(&retried, layout));
}

#[test]
fn why_a_row_stays_fits_its_terminal() {
    let reason = |reason, message: &str| Reason { reason, message: message.to_owned(), by: None, facts: Facts::new() };
    let named = StaysBehind::Named { table: "public.snapshots".to_owned(), column: "thumbnail_path".to_owned() };
    let policy = |policy: &str, fate, summary: &str| PolicyWhy {
        policy: name(policy),
        parent: None,
        fate,
        summary: summary.to_owned(),
        eligible: fate == RowFate::Deleted,
        eligible_at: Some("2026-02-28T12:00:00Z".parse().unwrap()),
        taken_at: None,
        reasons: Vec::new(),
        files: Vec::new(),
        remarks: Vec::new(),
    };
    let deleted = policy("detections", RowFate::Deleted, "deleted at 2026-03-02T03:00:00Z (in 15 h) by task retention");
    let kept = policy(
        "expired-images-of-temporary-uploads",
        RowFate::Kept,
        "kept: protected by row 7 of face_swap_tasks, and by 1,203 more rows, in every one of which status is pending",
    );
    let why = RowWhy {
        at: "2026-03-01T12:00:00Z".parse().unwrap(),
        source: name("nvr"),
        table: "public.detections".to_owned(),
        key: "81204".to_owned(),
        policies: vec![
            PolicyWhy {
                files: vec![
                    FileWhy::new(name("thumbnails"), "2026/01/17/front-door/81204.jpg".to_owned(), false, None),
                    FileWhy::new(name("thumbnails"), "2026/01/17/shared.jpg".to_owned(), false, Some(named)),
                ],
                ..deleted
            },
            PolicyWhy {
                reasons: vec![
                    reason(ReasonKind::Protected, "protected"),
                    reason(
                        ReasonKind::TooYoung,
                        "too young: expires 2026-03-02T12:00:00Z (in 1 d), and the clock of its source is 3 s behind",
                    ),
                ],
                remarks: vec!["its last run was blocked: `retaind runs 0000beef` says why".to_owned()],
                ..kept
            },
        ],
    };
    hold("why-row", |layout| render_why(&why, layout));
}

#[test]
fn why_a_file_stays_fits_its_terminal() {
    let reason = |reason, message: &str| WhyKept { reason, message: message.to_owned(), facts: Facts::new() };
    let policy = |policy: &str, summary: &str, reasons| PolicyOnFile {
        policy: name(policy),
        kind: "orphans",
        fate: FileFate::Kept,
        summary: summary.to_owned(),
        goes_for: None,
        eligible_at: Some("2026-03-02T12:00:00Z".parse().unwrap()),
        taken_at: None,
        reasons,
        remarks: vec!["its store was not adopted: `retaind adopt thumbnails`".to_owned()],
    };
    let answer = FileAnswer {
        at: "2026-03-01T12:00:00Z".parse().unwrap(),
        store: name("thumbnails"),
        path: "2026/01/17/front-door/81204.jpg".to_owned(),
        found: FoundAs::File,
        size_bytes: Some(1_234_567),
        changed_at: Some("2026-03-01T11:00:00Z".parse().unwrap()),
        links: Some(2),
        named_by: vec![NamingRow {
            source: name("nvr"),
            table: "public.detections".to_owned(),
            key: "81204".to_owned(),
            column: "thumbnail_path".to_owned(),
            policies: vec![name("detections"), name("expired-images-of-temporary-uploads")],
        }],
        policies: vec![policy(
            "orphan-thumbnails",
            "kept: row 81204 of nvr.public.detections names it, in thumbnail_path, and so does 1 more row",
            vec![
                reason(FileReasonKind::Named, "row 81204 names it"),
                reason(FileReasonKind::TooYoung, "too young: changed 2026-03-01T11:00:00Z (1 h ago) and kept for 1 d"),
            ],
        )],
        remarks: vec![
            "a row of media.outputs names the directory that it is in, with everything that lies in it".to_owned(),
        ],
    };
    hold("why-file", |layout| render_why_file(&answer, layout));
}

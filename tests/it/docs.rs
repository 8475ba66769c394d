//! Holds the documentation to the program: command lines parse; targets, links and ids exist. The configuration in it is
//! held to the code by `config::documents`.

mod coming_from;
mod json;
mod lessons;
mod variables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use retaind::cli::Args;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// README, CHANGELOG, CONTRIBUTING and everything in `docs/`.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    pages.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md"].map(|page| root().join(page)));
    pages.sort();
    pages
}

/// The fenced blocks of a language, each with the line on which it begins.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut fence: Option<(usize, bool)> = None;
    for (at, line) in page.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), fence) {
            (Some(info), None) => {
                let wanted = info.trim() == language;
                fence = Some((indent, wanted));
                if wanted {
                    blocks.push((at + 1, String::new()));
                }
            }
            (Some(_), Some(_)) => fence = None,
            (None, Some((indent, true))) => {
                if let Some((_, text)) = blocks.last_mut() {
                    text.push_str(line.get(indent..).unwrap_or_default());
                    text.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    blocks
}

/// The command lines of retaind in a block of shell.
fn command_lines(block: &str) -> Vec<Vec<&str>> {
    let ends = |word: &&str| !["|", ">", ">>", "<", "&&", ";"].contains(word) && !word.starts_with('#');
    let mut found = Vec::new();
    for line in block.lines() {
        let words: Vec<&str> = line.split_whitespace().take_while(|word| !word.starts_with('#')).collect();
        // The program stands first, after `sudo -u retaind`, or after a pipe; elsewhere the word is an argument.
        let starts = (0..words.len()).filter(|&at| {
            let before = &words[..at];
            words[at] == "retaind" && (before.is_empty() || before == ["sudo", "-u", "retaind"])
        });
        found.extend(starts.map(|at| words[at..].iter().copied().take_while(ends).collect()));
    }
    found
}

#[test]
fn the_command_lines_of_the_pages_parse() {
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for page in pages() {
        for (line, block) in blocks(&read(&page), "sh") {
            for words in command_lines(&block) {
                seen.extend(words.get(1).map(|word| (*word).to_owned()));
                if let Err(error) = Args::try_parse_from(&words) {
                    wrong.push(format!("{}:{line}: {words:?}: {error}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for command in ["check", "plan", "run", "runs", "status"] {
        assert!(seen.contains(command), "no page shows `retaind {command}`, or the reader of this test is blind");
    }
}

#[test]
fn the_make_targets_of_the_pages_exist() {
    let makefile = read("Makefile");
    let has = |target: &str| makefile.lines().any(|line| line.starts_with(&format!("{target}:")));
    let mut seen = 0;
    for page in pages() {
        for (line, block) in blocks(&read(&page), "sh") {
            for words in block.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()) {
                if let ["make", target, ..] = words.as_slice() {
                    seen += 1;
                    assert!(has(target), "{}:{line}: make {target}", page.display());
                }
            }
        }
    }
    assert!(seen >= 3, "the README shows make deb, make demo and make test");
}

#[test]
fn links_lead_to_files() {
    let mut wrong = Vec::new();
    for page in pages() {
        for target in read(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || path.is_empty();
            if !outside && !page.parent().unwrap().join(path).exists() {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A path of the sources that stands between backticks, without what it may name of a file: `src/a.rs`, `tests/it/rows`.
fn source_paths(page: &str) -> impl Iterator<Item = &str> {
    let quoted = page.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        let tree = ["src/", "tests/", "systemd/", "config/", "packaging/"].iter().any(|tree| word.starts_with(tree));
        tree && !word.contains([' ', '*', '{', '…'])
    })
}

#[test]
fn source_paths_in_pages_exist() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    // What was is not what is: the changelog speaks of the time of each entry.
    for page in pages().into_iter().filter(|page| !page.ends_with("CHANGELOG.md")) {
        let text = read(&page);
        for path in source_paths(&text) {
            seen += 1;
            if !["", ".rs", "/mod.rs"].iter().any(|end| root().join(format!("{path}{end}")).exists()) {
                wrong.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 20, "{seen} paths; {}", wrong.join("\n"));
}

#[test]
fn links_to_sections_lead_to_headings() {
    let anchor = |line: &str| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
        kept.collect::<String>().replace(' ', "-")
    };
    let mut wrong = Vec::new();
    for page in pages() {
        for target in read(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let Some((path, section)) = target.split_once('#').filter(|_| !target.contains("://")) else { continue };
            let led_to = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let headings = read(&led_to).lines().filter(|line| line.starts_with('#')).map(anchor).collect::<Vec<_>>();
            if !headings.iter().any(|heading| heading == section) {
                wrong.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn documented_message_ids_are_those_of_the_catalog() {
    let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let catalog = read("systemd/retaind.catalog");
    let page = read("docs/operations.md");
    let in_catalog: BTreeSet<&str> =
        catalog.lines().filter_map(|line| line.strip_prefix("-- ")).filter(is_id).collect();
    let in_page: BTreeSet<&str> = page.split('`').filter(is_id).collect();
    assert!(!in_catalog.is_empty());
    assert_eq!(in_page, in_catalog);
}

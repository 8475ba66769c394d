//! Holds the lists of lessons, guarantees and accidents to the tests: each that is not for later has one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{read, root};

/// The numbers of the page's tables, each with whether it is left for later.
fn lessons(page: &str) -> Vec<(String, bool)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let numbered = cells.filter(|cells| cells[0].len() > 1 && cells[0][1..].bytes().all(|byte| byte.is_ascii_digit()));
    numbered
        .map(|cells| (cells[0].to_lowercase(), cells.last().is_some_and(|rule| rule.starts_with("Later"))))
        .collect()
}

/// The names of functions beneath a directory.
fn functions(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.extend(text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()).map(str::to_owned));
        }
    }
}

/// The names of all functions, those of tests included.
fn all_functions() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    functions(&root().join("tests"), &mut found);
    functions(&root().join("src"), &mut found);
    found
}

#[test]
fn every_lesson_is_carried_by_a_test() {
    let lessons = lessons(&read("docs/lessons.md"));
    let numbers = |letter: char| lessons.iter().filter(|(number, _)| number.starts_with(letter)).count();
    assert_eq!((numbers('f'), numbers('d')), (47, 9), "a number is missing, or stands there twice");
    // `f23` of `fn f23_a_brake_holds`.
    let found: BTreeSet<String> =
        all_functions().iter().flat_map(|name| name.split('_').map(str::to_owned).collect::<Vec<_>>()).collect();
    let untested: Vec<_> = lessons.iter().filter(|(number, later)| !later && !found.contains(number)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn every_guarantee_and_accident_has_an_existing_test() {
    let page = read("docs/glossary.md");
    let found = all_functions();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| G") || line.starts_with("| D")).collect();
    assert_eq!(rows.len(), 12 + 18);
    for row in rows {
        let named = row.split('`').rev().nth(1).unwrap_or_default();
        assert!(found.contains(named), "{named} of {row}");
    }
}

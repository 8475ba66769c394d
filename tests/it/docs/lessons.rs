//! Holds the list of lessons to the tests: every number that is not for later is carried by a test.

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

/// The numbers in the names of functions beneath a directory: `f23` of `fn f23_a_brake_holds`.
fn carried(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            carried(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for name in text.split("fn ").skip(1).filter_map(|rest| rest.split('(').next()) {
                found.extend(name.split('_').map(str::to_owned));
            }
        }
    }
}

#[test]
fn every_lesson_is_carried_by_a_test() {
    let lessons = lessons(&read("docs/lessons.md"));
    let numbers = |letter: char| lessons.iter().filter(|(number, _)| number.starts_with(letter)).count();
    assert_eq!((numbers('f'), numbers('d')), (47, 9), "a number is missing, or stands there twice");
    let mut found = BTreeSet::new();
    carried(&root().join("tests"), &mut found);
    carried(&root().join("src"), &mut found);
    let untested: Vec<_> = lessons.iter().filter(|(number, later)| !later && !found.contains(number)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

//! Holds the list of environment variables to the sources, and the page to the list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use retaind::config::environment::KNOWN;

use super::{read, root};

/// Names that begin with `RETAIND_` and are followed by a letter, in the files beneath a directory.
fn named(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // Tests hand variables to themselves.
        if path.is_dir() && !path.ends_with("tests") {
            named(&path, found);
        } else if path.is_file() && !path.ends_with("tests.rs") && !path.ends_with("environment.rs") {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for rest in code.split("RETAIND_").skip(1) {
                let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
                if end > 0 && !rest[..end].contains("__") && !rest.starts_with('_') {
                    found.insert(format!("RETAIND_{}", &rest[..end]));
                }
            }
        }
    }
}

#[test]
fn every_variable_is_known_and_documented() {
    let mut found = BTreeSet::new();
    for tree in ["src", "packaging", "systemd", "config"] {
        named(&root().join(tree), &mut found);
    }
    let known: BTreeSet<String> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known);
    let page = read("docs/configuration.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `RETAIND_")?.strip_suffix(" |")?.split_once("` | "));
    let documented: BTreeMap<String, &str> = rows.map(|(name, what)| (format!("RETAIND_{name}"), what)).collect();
    assert_eq!(documented, KNOWN.iter().map(|(name, what)| ((*name).to_owned(), *what)).collect());
}

//! Holds `docs/coming-from.md` to the program and to the shipped examples: every key, command and field that it names is
//! there, and no line leaves open what stands for a thing.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use retaind::cli::Args;
use retaind::config::KeyPath;
use retaind::config::keys;
use retaind::config::keys::SHIPPED_TASKS;
use serde_json::Value;

use super::read;

const EXAMPLES: [&str; 5] = ["camera-nvr", "face-swap", "media-jobs", "file-drop", "media-sync"];
const SECTIONS: [&str; 5] = ["daemon", "sources", "stores", "tasks", "policies"];

/// What a line may say where nothing of retaind stands for a thing.
const NOTHING: [&str; 3] = ["not yet", "no counterpart", "always so"];

/// Documents that have every field of results and of statistics.
const DOCUMENTS: [&str; 4] = ["run", "run-trash", "runs-one", "stats"];

/// A line of a table: what was there, and what stands here.
struct Line {
    there: String,
    here: String,
}

/// The tables of the page, by the example that their section is named after.
fn tables() -> BTreeMap<String, Vec<Line>> {
    let mut tables: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    let mut section = String::new();
    for line in read("docs/coming-from.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", there, here, ""] = cells.as_slice() else {
            assert!(!line.starts_with('|'), "not two cells: {line}");
            continue;
        };
        if *there != "there" && !there.starts_with("---") {
            let line = Line { there: (*there).to_owned(), here: (*here).to_owned() };
            tables.entry(section.clone()).or_default().push(line);
        }
    }
    tables
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn example(name: &str) -> toml::Table {
    read(format!("config/examples/{name}.toml")).parse().unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// `policies.events.children[0].files[1].enabled`, or `[]` for any element.
fn key_path(text: &str) -> KeyPath {
    text.split('.').fold(KeyPath::default(), |path, step| {
        match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
            None => path.key(step),
            Some((list, index)) => path.key(list).index(index.parse().unwrap_or(0)),
        }
    })
}

/// Why a key is not one of the example's or of the program's; none where it is both.
fn wrong_key(text: &str, example: &toml::Table) -> Option<String> {
    if keys::find(&key_path(text)).is_none() {
        return Some("there is no such key".to_owned());
    }
    let mut steps = text.split('.');
    let (section, name) = (steps.next()?, steps.next()?);
    let declared = example.get(section).and_then(|section| section.get(name)).is_some();
    let shipped = section == "tasks" && SHIPPED_TASKS.iter().any(|(task, _)| *task == name);
    match () {
        () if section == "daemon" || declared || shipped => None,
        () => Some(format!("the example has no {section}.{name}")),
    }
}

fn is_field(path: &str) -> bool {
    fn has(value: &Value, path: &[&str]) -> bool {
        let Some((first, rest)) = path.split_first() else { return true };
        match value {
            Value::Object(fields) => {
                fields.get(*first).is_some_and(|inner| rest.is_empty() || has(inner, rest))
                    || fields.values().any(|inner| has(inner, path))
            }
            Value::Array(items) => items.iter().any(|item| has(item, path)),
            _ => false,
        }
    }
    let path: Vec<&str> = path.split('.').collect();
    DOCUMENTS.iter().any(|name| {
        let document = read(format!("tests/golden/{name}.json"));
        has(&serde_json::from_str(&document).unwrap_or_else(|error| panic!("{name}: {error}")), &path)
    })
}

/// What is wrong with a word between backticks; `None` for what this test knows nothing about.
fn judge(word: &str, example: &toml::Table) -> Option<Result<(), String>> {
    let begins_with_section = word.split_once('.').is_some_and(|(section, _)| SECTIONS.contains(&section));
    if word.starts_with("retaind ") {
        let words = word.split_whitespace();
        return Some(Args::try_parse_from(words).map(|_| ()).map_err(|error| error.to_string()));
    }
    if begins_with_section {
        return Some(wrong_key(word, example).map_or(Ok(()), Err));
    }
    let field = word.strip_prefix('.')?;
    Some(if is_field(field) { Ok(()) } else { Err("a result has no such field".to_owned()) })
}

#[test]
fn each_part_of_cleanup_services_has_a_counterpart() {
    let tables = tables();
    assert_eq!(tables.keys().map(String::as_str).collect::<BTreeSet<_>>(), EXAMPLES.into());
    let mut wrong = Vec::new();
    for (name, lines) in &tables {
        assert!(lines.len() >= 15, "{name}: only {} lines", lines.len());
        let example = example(name);
        for Line { there, here } in lines {
            let judged: Vec<_> = quoted(here).filter_map(|word| Some((word, judge(word, &example)?))).collect();
            if judged.is_empty() && !NOTHING.iter().any(|words| here.contains(words)) {
                wrong.push(format!("{name}: {there}: neither key, command nor field, nor that there is none"));
            }
            let misses = judged.into_iter().filter_map(|(word, judged)| judged.err().map(|why| (word, why)));
            wrong.extend(misses.map(|(word, why)| format!("{name}: {there}: {word}: {why}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_policy_of_an_example_stands_for_something() {
    for (name, lines) in tables() {
        let example = example(&name);
        let words: Vec<&str> = lines.iter().flat_map(|line| quoted(&line.here)).collect();
        for policy in example["policies"].as_table().unwrap().keys() {
            let named = |word: &&str| word.split([' ', '.']).any(|part| part == policy);
            assert!(words.iter().any(named), "{name}: nothing is said of the policy {policy}");
        }
    }
}

#[test]
fn a_mistake_on_the_page_would_show() {
    let example = example("camera-nvr");
    for wrong in
        ["policies.events.keeps", "policies.event.keep", "stores.thumbnails.trahs", "retaind purge", ".rows_gone"]
    {
        assert!(judge(wrong, &example).is_some_and(|judged| judged.is_err()), "{wrong}");
    }
    for right in ["policies.events.keep", "tasks.log-purge.schedule", "daemon.mode", "retaind plan --list", ".children"]
    {
        assert_eq!(judge(right, &example), Some(Ok(())), "{right}");
    }
    assert_eq!(judge("cancelled", &example), None);
}

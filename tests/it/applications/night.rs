//! What every application asks of a night with retaind: a clean check, numbers that agree, nothing left to do.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Application, Listing};

/// Asserts that every policy of a result completed without an error.
pub fn assert_completed(result: &Value) {
    assert_eq!(result["status"], "completed", "{result:#}");
    assert_eq!(result["totals"]["errors"], 0, "{result:#}");
    for policy in result["policies"].as_array().expect("results of policies") {
        assert_eq!((&policy["status"], &policy["error_count"]), (&"completed".into(), &0.into()), "{policy:#}");
    }
}

/// Asserts that `check` looked at each part and found nothing amiss, and not only that it ended well.
pub fn assert_fits(application: &Application, parts: &[&str]) {
    let found = application.json(&["check", "--json"]);
    let found = found["findings"].as_array().expect("findings");
    // These tests may run as root, of whom a check warns.
    let amiss: Vec<_> =
        found.iter().filter(|finding| finding["level"] != "ok" && finding["subject"] != "user").collect();
    assert!(amiss.is_empty(), "{:?}: {amiss:#?}", application.db.kind());
    let subjects: BTreeSet<&str> = found.iter().filter_map(|finding| finding["subject"].as_str()).collect();
    for part in parts {
        assert!(subjects.contains(part), "{part} was not looked at: {found:#?}");
    }
}

/// The number at a place in the result of one policy, or of all together.
pub fn sum(result: &Value, policy: Option<&str>, place: &str) -> u64 {
    let results = result["policies"].as_array().expect("results of policies").iter();
    let wanted = results.filter(|each| policy.is_none_or(|policy| each["policy"] == policy));
    wanted.map(|each| number(each, place)).sum()
}

/// A number that may be left out where it would be zero, and nothing else in its place.
pub fn number(value: &Value, place: &str) -> u64 {
    match value.pointer(place) {
        None => 0,
        Some(number) => number.as_u64().unwrap_or_else(|| panic!("{place} is {number}")),
    }
}

/// What a result counts of a policy; beside these, its children by table.
const COUNTS: [&str; 11] = [
    "rows_matched",
    "rows_deleted",
    "rows_updated",
    "rows_protected",
    "files_matched",
    "files_deleted",
    "files_missing",
    "files_referenced",
    "files_pending",
    "bytes_reclaimed",
    "error_count",
];

/// The counts that a report leaves at zero, because it does nothing.
const DONE: [&str; 4] = ["rows_deleted", "rows_updated", "files_deleted", "bytes_reclaimed"];

/// What a night is expected to bring.
pub struct Night<'a> {
    /// Of `plan` and `run`: names and flags.
    pub arguments: &'a [&'a str],
    /// Policies in their order, each with those of its counts that are not zero.
    pub expected: &'a [(&'a str, Value)],
    /// What a second night finds again: rows that are kept and counted, and errors.
    pub again: &'a [(&'a str, Value)],
    /// Rows, by table and key, that stay and lose what they pointed to: they are counted and not listed.
    pub detached: &'a [(&'a str, &'a str)],
}

impl Night<'_> {
    /// Checks, plans, lists, reports, runs, reads the ledger, and plans and runs again. Each must tell the expected
    /// numbers, and what is gone or changed must be what was listed. The run's result.
    pub fn pass(&self, application: &Application) -> Value {
        let before = application.holdings();
        let plan = self.json(application, self.expected, &["plan", "--json"]);
        assert_counts(&plan, self.expected);
        let mut listing = self.list(application, self.expected);
        listing.rows.extend(self.detached.iter().map(|(table, key)| ((*table).to_owned(), (*key).to_owned())));
        let report = self.json(application, self.expected, &["run", "--mode", "report", "--json"]);
        assert_counts(&report, &idle(self.expected));
        assert_eq!(application.holdings(), before, "neither a plan nor a report changes anything");

        let run = self.json(application, self.expected, &["run", "--json"]);
        assert_eq!((&run["mode"], &run["trigger"]), (&"enforce".into(), &"cli".into()));
        assert_counts(&run, self.expected);
        let after = application.holdings();
        assert_eq!(before.difference(&after), listing, "{:?}: {run:#}", application.db.kind());
        let id = run["run_id"].as_str().expect("an id");
        let recorded = application.json(&["runs", id, "--json"]);
        assert_eq!(recorded, run, "the ledger tells what the command told");

        assert_eq!(self.list(application, self.again), Listing::default());
        let second = self.json(application, self.again, &["run", "--json"]);
        assert_counts(&second, self.again);
        assert_eq!(application.holdings(), after, "a second run does nothing");
        run
    }

    fn list(&self, application: &Application, expected: &[(&str, Value)]) -> Listing {
        let arguments = [&["plan", "--json", "--list"], self.arguments].concat();
        Listing::read(&application.stdout_of(code(expected), &arguments))
    }

    /// What a command prints; its exit code must be that of a result with or without errors.
    fn json(&self, application: &Application, expected: &[(&str, Value)], command: &[&str]) -> Value {
        application.json_of(code(expected), &[command, self.arguments].concat())
    }
}

fn code(expected: &[(&str, Value)]) -> i32 {
    let errors = expected.iter().any(|(_, counts)| counts["error_count"].as_u64().is_some_and(|count| count > 0));
    if errors { 3 } else { 0 }
}

fn idle<'a>(expected: &[(&'a str, Value)]) -> Vec<(&'a str, Value)> {
    let mut expected = expected.to_vec();
    for (_, counts) in &mut expected {
        let counts = counts.as_object_mut().expect("counts");
        counts.retain(|name, _| !DONE.contains(&name.as_str()) && name != "children");
    }
    expected
}

/// Asserts the counts of a result, policy by policy and each number of them; what is not said is zero.
pub fn assert_counts(result: &Value, expected: &[(&str, Value)]) {
    let policies = result["policies"].as_array().expect("results of policies");
    let names: Vec<_> = policies.iter().map(|policy| policy["policy"].as_str().expect("a name")).collect();
    assert_eq!(names, expected.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (policy, (name, expected)) in policies.iter().zip(expected) {
        let told = counts(policy);
        let mut wanted = counts(expected);
        if result["mode"] == "report" {
            wanted.insert("children".to_owned(), told["children"].clone());
        }
        assert_eq!(told, wanted, "{} of {name}: {policy:#}", result["mode"]);
        let status = if number(policy, "/error_count") > 0 { "completed_with_errors" } else { "completed" };
        assert_eq!((&policy["status"], &policy["blocked_code"]), (&status.into(), &Value::Null), "{name}");
    }
    for total in ["rows_deleted", "rows_updated", "files_deleted", "bytes_reclaimed"] {
        assert_eq!(number(result, &format!("/totals/{total}")), sum(result, None, &format!("/{total}")), "{total}");
    }
    assert_eq!(number(result, "/totals/errors"), sum(result, None, "/error_count"));
    let status = if code(expected) == 0 { "completed" } else { "completed_with_errors" };
    assert_eq!(result["status"], status);
}

fn counts(policy: &Value) -> serde_json::Map<String, Value> {
    let named = COUNTS.iter().map(|count| ((*count).to_owned(), number(policy, &format!("/{count}")).into()));
    let children = policy.get("children").cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    named.chain([("children".to_owned(), children)]).collect()
}

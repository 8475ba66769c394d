//! Pages as people see, hear and read them: axe-core looks for what keeps somebody out, in light and dark, wide and narrow.

use super::*;
use crate::needs::Need;

/// Where `.ci/setup` puts it.
const AXE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/axe/node_modules/axe-core/axe.min.js");

/// Faults of the page that is open, each with the place of its first.
const FAULTS: &str = "axe.run(document).then(found => found.violations.map(fault =>
    `${fault.impact} ${fault.id} at ${fault.nodes[0].target.join(' ')}: ${fault.nodes[0].failureSummary}`))";

#[test]
fn axe_finds_no_fault() {
    needs!(Need::Program("axe"));
    let axe = std::fs::read_to_string(AXE).unwrap_or_else(|error| panic!("{AXE}: {error}; .ci/setup installs it"));
    needs!(Need::Program(crate::browser::CHROMIUM));
    let (mut served, run) = held();
    served.post(&served.operator, "/policies/pictures/pause", json!({ "reason": "so" }));
    let mut browser = Browser::start("");
    let mut faults = Vec::new();
    let mut look = |browser: &mut Browser, path: &str| {
        browser.run(&axe);
        let found = browser.run(FAULTS);
        let found = found.as_array().unwrap().iter().map(|fault| format!("{path}: {}", fault.as_str().unwrap()));
        faults.extend(found);
    };
    browser.open(&served.url("/login"));
    look(&mut browser, "/login");
    browser.run("document.querySelector('main').append(new Image())");
    let found = browser.run(FAULTS).to_string();
    assert!(found.contains("image-alt"), "it finds a picture without words: {found}");
    log_in(&mut browser, &served, &served.operator.clone());
    let planned =
        served.post(&served.operator, "/run?wait=20s", json!({ "names": ["policy:pictures"], "mode": "plan" }));
    let (run, plan) = (format!("/runs/{run}"), format!("/runs/{}?then=run", planned.body["run_id"].as_str().unwrap()));
    let pages =
        ["/", "/runs", "/eligible", "/stores", "/audit", "/policies/items", "/policies/items/approve", "/tasks/sweep"];
    for (scheme, width) in [("light", 1200), ("dark", 360)] {
        browser.prefer(scheme);
        browser.size(width, 800);
        for path in pages.into_iter().chain([run.as_str(), &plan, "/runs/nothing"]) {
            browser.open(&served.url(path));
            look(&mut browser, &format!("{path} {scheme}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_ne!(browser.run("document.title"), "taken");
    assert_eq!(browser.complaints(), Vec::<String>::new(), "no page asks for what its policy refuses");
    served.hear();
    served.daemon.stop();
}

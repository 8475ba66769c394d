//! The pages in a real Chromium: log in, dry run, run, progress, cancel, approve, errors; by keyboard, without scripts, in the
//! dark and on a small screen; and pages of somebody else that try to make it do something.

use super::super::browser::{attack, page};
use super::*;
use crate::browser::CHROMIUM;
use crate::needs::Need;

/// Makes a page look again at once, as when somebody comes back to it.
const LOOK_AGAIN: &str = "document.dispatchEvent(new Event('visibilitychange'))";

#[test]
fn an_operator_plans_and_runs_in_chromium() {
    needs!(Need::Program(CHROMIUM));
    let mut served = Served::start("");
    let mut browser = Browser::start("");
    log_in(&mut browser, &served, &served.operator.clone());
    assert!(browser.text().contains("All is well"));
    browser.click("items");
    browser.click("Run…");
    browser.until("document.body.innerText.includes('Run it?')");
    assert!(browser.text().contains("A run would delete 2 rows"), "{}", browser.text());
    assert_eq!(served.left().len(), 3);
    browser.click("Run it now");
    browser.until("document.body.innerText.includes('2 rows and 0 files deleted')");
    assert_eq!(served.left(), ["3"]);
    browser.open(&served.url("/"));
    assert!(browser.text().contains("keeps up"), "{}", browser.text());
    // What others do is seen without loading anything anew.
    browser.run("document.querySelector('#policies a').focus()");
    served.post(&served.operator, "/policies/items/pause", Value::Null);
    browser.run(LOOK_AGAIN);
    browser.until("document.querySelector('#headline').innerText.includes('1 thing to look at')");
    browser.until("document.title.startsWith('1 thing to look at')");
    browser.until("document.querySelector('#policies .badge').innerText === 'paused'");
    assert_eq!(
        browser.run("document.activeElement.getAttribute('href')"),
        "/policies/items",
        "the focus is where it was"
    );
    browser.click("Log out");
    assert_eq!(browser.run("location.pathname"), "/login");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    served.hear();
    served.daemon.stop();
}

#[test]
fn a_page_without_its_daemon_says_so() {
    needs!(Need::Program(CHROMIUM));
    let served = Served::start("");
    let mut browser = Browser::start("");
    log_in(&mut browser, &served, &served.viewer.clone());
    assert_eq!(browser.run("document.querySelector('[role=alert]')"), Value::Null);
    served.daemon.stop();
    browser.run(LOOK_AGAIN);
    browser.until("document.querySelector('[role=alert]').innerText.startsWith('The daemon does not answer')");
}

#[test]
fn a_run_is_watched_and_cancelled_in_chromium() {
    needs!(Need::Program(CHROMIUM));
    let mut served = Served::start("rate_limit = \"none\"");
    let many = 60_000;
    served.world.db.insert_series("item (id, at)", &format!("n, {}", served.world.days_ago(40.0)), 4..=many);
    let mut browser = Browser::start("");
    log_in(&mut browser, &served, &served.operator.clone());
    browser.open(&served.url("/tasks/sweep"));
    served.post(&served.operator, "/run", json!({ "names": ["sweep"] }));
    await_purge(&served.world, many);
    browser.open(&served.url("/"));
    browser.until("document.querySelector('#running progress').value >= 0");
    let run = "document.querySelector('#running a').innerText";
    let run = browser.run(run).as_str().unwrap().to_owned();
    browser.click(&run);
    browser.until("document.querySelector('#progress .stage').innerText.includes('policy items, 1 of 1')");
    browser.click("Cancel");
    browser.until("document.querySelector('h1 .badge').innerText === 'cancelled'");
    assert!(browser.text().contains("on request"), "{}", browser.text());
    assert!(served.left().len() > 1, "it stopped in the middle");
    served.hear();
    served.daemon.stop();
}

#[test]
fn a_held_policy_is_approved_in_chromium() {
    needs!(Need::Program(CHROMIUM));
    let (mut served, _) = held();
    let mut browser = Browser::start("");
    log_in(&mut browser, &served, &served.operator.clone());
    browser.open(&served.url("/policies/items/approve"));
    let rows =
        "[...document.querySelectorAll('table.beside tr')].map(row => row.innerText.replace(/\\s+/g, ' ').trim())";
    let heads = ["Key Agreed to In force now", "Agreed to In force now"];
    let rows: Vec<Value> = browser.run(rows).as_array().unwrap().clone();
    let rows: Vec<&str> = rows.iter().filter_map(Value::as_str).map(|row| row.trim_start_matches("Amount ")).collect();
    assert_eq!(rows, [heads[0], "keep 30d 3d", heads[1], "Rows 0 1", "Files 0 0", "Bytes 0 B 0 B"]);
    // One more row than was shown: nothing is approved.
    served.world.item(10, 10.0, None, None);
    browser.click("Approve 1 row");
    assert!(browser.text().contains("2 would go by policy items now, and 1 were shown"), "{}", browser.text());
    assert_eq!(served.get(&served.viewer, "/status").body["held"][0]["policy"], "items");
    browser.open(&served.url("/policies/items/approve"));
    browser.click("Approve 2 rows");
    assert_eq!(browser.run("location.pathname"), "/policies/items");
    assert_eq!(served.get(&served.viewer, "/status").body["held"], json!([]));
    served.hear();
    served.daemon.stop();
}

#[test]
fn without_scripts_everything_can_be_done() {
    needs!(Need::Program(CHROMIUM));
    let mut served = Served::start("");
    let mut browser = Browser::start("");
    browser.allow_scripts(false);
    browser.open(&served.url("/"));
    // The browser puts the field in focus by itself.
    browser.until("document.activeElement.id === 'token'");
    browser.type_text(&served.operator);
    browser.leave_by(|browser| browser.press(&["Enter"]));
    assert!(browser.text().contains("All is well") && browser.text().contains("Look again"));
    browser.open(&served.url("/policies/items"));
    browser.click("Dry run");
    while !browser.text().contains("A run would delete 2 rows") {
        browser.click("Look again");
    }
    browser.click("Run it now");
    while !browser.text().contains("2 rows and 0 files deleted") {
        browser.click("Look again");
    }
    assert_eq!(served.left(), ["3"]);
    served.hear();
    served.daemon.stop();
}

#[test]
fn the_keyboard_reaches_everything_in_order() {
    needs!(Need::Program(CHROMIUM));
    let served = Served::start("");
    let mut browser = Browser::start("");
    log_in(&mut browser, &served, &served.operator.clone());
    let focused = "(document.activeElement.innerText || document.activeElement.tagName).trim()";
    let mut reached = Vec::new();
    for _ in 0..12 {
        browser.press(&["Tab"]);
        reached.push(browser.run(focused).as_str().unwrap().to_owned());
        let outline = browser.run("getComputedStyle(document.activeElement).outlineStyle");
        assert_eq!(outline, "solid", "where the focus is can be seen: {reached:?}");
    }
    let first = ["Skip to the content", "retaind", "Overview", "Runs", "What would go", "Stores", "Audit", "Log out"];
    assert_eq!(reached[..8], first);
    assert!(reached[8..].contains(&"items".to_owned()), "{reached:?}");
    served.daemon.stop();
}

#[test]
fn no_page_is_wider_than_a_small_screen() {
    needs!(Need::Program(CHROMIUM));
    let (served, run) = held();
    let mut browser = Browser::start("");
    browser.size(360, 740);
    browser.open(&served.url("/login"));
    assert_eq!(browser.run("document.documentElement.scrollWidth"), 360);
    log_in(&mut browser, &served, &served.operator.clone());
    let run = format!("/runs/{run}");
    for path in [
        "/",
        "/runs",
        "/eligible",
        "/stores",
        "/audit",
        "/policies/items",
        "/policies/items/approve",
        "/tasks/sweep",
        &run,
    ] {
        browser.open(&served.url(path));
        assert_eq!(browser.run("document.documentElement.scrollWidth"), 360, "{path}");
    }
    served.daemon.stop();
}

#[test]
fn a_page_of_another_server_gives_no_order() {
    needs!(Need::Program(CHROMIUM));
    let mut served = Served::start("rate_limit = \"none\"");
    let mut browser = Browser::start("MAP evil.example 127.0.0.1");
    log_in(&mut browser, &served, &served.operator.clone());
    let order = served.url("/policies/items/pause");
    let tries = [
        format!(
            "() => fetch('{order}', {{ method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({{ form_word: '' }}) }})"
        ),
        format!("() => fetch('{order}', {{ method: 'POST', mode: 'cors', credentials: 'include' }})"),
        format!("() => form('{order}', 'application/x-www-form-urlencoded', [['form_word', '']])"),
        format!("() => fetch('{}', {{ credentials: 'include' }})", served.url("/")),
    ];
    let (elsewhere, _) = attack(page(&tries), served.address);
    browser.open(&format!("http://evil.example:{}/", elsewhere.port()));
    browser.until("document.querySelector('#out').textContent.endsWith('end')");
    assert_eq!(browser.run("document.querySelector('#out').textContent"), "opaque refused sent refused end");
    assert_eq!(served.get(&served.viewer, "/status").body["paused"], json!([]));
    // A link leads to the page that it names, once more from there.
    browser.run(&format!("location.href = '{}'", served.url("/policies/items")));
    browser.until("location.pathname === '/policies/items' && document.body.innerText.includes('Fingerprint')");
    // The log-in is still there, and good for the daemon's own pages.
    browser.click("Pause");
    assert_eq!(served.get(&served.viewer, "/status").body["paused"][0]["policy"], "items");
    served.hear();
    served.daemon.stop();
}

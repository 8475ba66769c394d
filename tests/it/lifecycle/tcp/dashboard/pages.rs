//! Pages as they are sent: what they show, how they are guarded, and that nothing of others gets out of its place.

use super::*;

/// Every page that there is without a run.
const PAGES: [&str; 8] =
    ["/", "/runs", "/eligible", "/stores", "/audit", "/policies/items", "/tasks/sweep", "/policies/items/approve"];

#[test]
fn every_page_takes_nothing_from_elsewhere() {
    let served = Served::start("");
    let visit = served.visit(&served.viewer);
    for path in PAGES.into_iter().chain(["/runs/nothing", "/policies/nothing", "/assets/nothing", "/live/overview"]) {
        let reply = visit.get(path);
        let is_there = !path.ends_with("nothing");
        assert_eq!(reply.status, if is_there { 200 } else { 404 }, "{path}: {}", reply.body);
        let policy = header_of(&reply, "content-security-policy").unwrap();
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert_eq!(header_of(&reply, "cache-control"), Some("no-store"), "{path}");
        assert_eq!(header_of(&reply, "x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(header_of(&reply, "x-frame-options"), Some("DENY"), "{path}");
        let page = reply.body.as_str().unwrap();
        for refused in ["style=", "onclick", "onload", "javascript:", "http://", "https://"] {
            assert!(!page.contains(refused), "{path} has {refused}");
        }
    }
    for (asset, of_type) in [("style.css", "text/css"), ("script.js", "text/javascript"), ("icon.svg", "image/svg+xml")]
    {
        let reply = served.page("", &format!("/assets/{asset}"));
        assert!(header_of(&reply, "content-type").unwrap().starts_with(of_type), "{asset}");
        let etag = format!("If-None-Match: {}", header_of(&reply, "etag").unwrap());
        assert_eq!(served.send("GET", &format!("/assets/{asset}"), &[&served.host(), &etag], "").status, 304);
    }
    let nothing = visit.served.send("GET", "/nothing", &[&served.host(), "Accept: text/html"], "");
    assert_eq!(nothing.status, 401);
    served.daemon.stop();
}

#[test]
fn without_a_dashboard_there_is_none() {
    let served = Served::start("dashboard = false");
    for path in ["/", "/runs", "/login", "/assets/style.css"] {
        assert_eq!(served.page("", path).status, 401, "{path}");
        let bearer = format!("Authorization: Bearer {}", served.operator);
        let reply = served.send("GET", path, &[&served.host(), &bearer], "");
        assert_eq!((reply.status, &reply.body["code"]), (404, &json!("unknown_path")), "{path}");
    }
    let socket = served.world.dir.join("state/retaind.sock");
    assert_eq!(http::request(&socket, "GET", "/", "").status, 404);
    assert_eq!(served.get(&served.viewer, "/status").status, 200);
    served.daemon.stop();
}

#[test]
fn texts_of_others_stay_texts() {
    let (mut served, run) = held();
    let visit = served.visit(&served.operator);
    visit.post("/policies/items/pause", "reason=%3Cb%3Ebold%3C%2Fb%3E%22%27");
    let run = format!("/runs/{run}");
    assert!(
        visit.read(&run).contains("../&lt;img src=x onerror=document.title=&#39;taken&#39;&gt;")
            || visit.read(&run).contains("../&lt;img src=x")
    );
    for path in PAGES.into_iter().chain([run.as_str(), "/policies/pictures", "/runs?task=%3Cb%3E", "/live/overview"]) {
        let page = visit.get(path).body;
        let page = page.as_str().unwrap();
        for tag in ["<img", "<b>bold", "<b>&"] {
            assert!(!page.contains(tag), "{path} has {tag}");
        }
    }
    assert!(visit.read("/policies/items").contains("&lt;b&gt;bold&lt;/b&gt;"));
    served.hear();
    served.daemon.stop();
}

#[test]
fn the_first_page_agrees_with_the_status() {
    let served = Served::start("");
    let visit = served.visit(&served.viewer);
    let page = visit.read("/");
    let well = |page: &str| page.contains("class=\"headline good\"") && page.contains("All is well");
    assert!(well(&page) && page.contains("not run yet"), "{page}");
    served.post(&served.operator, "/run?wait=20s", json!({ "names": ["sweep"] }));
    let page = visit.read("/live/overview");
    assert!(well(&page) && page.contains("keeps up") && page.contains("2 rows"), "{page}");
    served.post(&served.operator, "/policies/items/pause", json!({ "reason": "so" }));
    let status = served.get(&served.viewer, "/status").body;
    let messages: Vec<&str> = status["attention"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let page = visit.read("/");
    assert!(page.contains("class=\"headline care\"") && page.contains("1 thing to look at"), "{page}");
    assert_eq!(messages.len(), 1);
    let words = messages[0].replace('`', "|");
    for piece in words.split('|') {
        assert!(page.contains(piece), "{piece} is not in {page}");
    }
    let status = call_in(&served.world, &["status"]).with(0).stdout;
    assert!(status.contains(messages[0]), "{status}");
    served.daemon.stop();
}

#[test]
fn without_its_ledger_the_first_page_says_so() {
    let served = Served::start("");
    let visit = served.visit(&served.viewer);
    std::fs::remove_file(served.world.dir.join("state/ledger.db")).unwrap();
    let page = visit.read("/");
    assert!(page.contains("class=\"headline bad\"") && page.contains("the ledger</p>"), "{page}");
    assert!(!page.contains("keeps up") && page.contains("class=\"bad\""), "{page}");
    assert_eq!(visit.get("/runs").status, 500);
    let visit = served.visit(&served.operator);
    for path in ["/policies/items", "/tasks/sweep"] {
        assert!(visit.read(path).contains(&format!("action=\"{path}/pause\"")), "{path}");
        assert_eq!(visit.post(&format!("{path}/pause"), "reason=no+ledger").status, 303, "{path}");
        let page = visit.read(path);
        assert!(page.contains("no ledger") && page.contains(&format!("action=\"{path}/resume\"")), "{page}");
    }
    served.daemon.stop();
}

#[test]
fn long_lists_are_cut() {
    let world = world_served("");
    call_in(&world, &["status"]).with(0);
    let served = Served::start_in(world);
    let runs = (0..400).map(|number| {
        format!(
            "('00000000-0000-7000-8000-{number:012x}', 'enforce', 'schedule', 'sweep', 0, 'completed', \
             '2026-01-01T00:{:02}:{:02}.000000000Z', '2026-01-01T01:00:00.000000000Z')",
            number / 60,
            number % 60
        )
    });
    let runs = runs.collect::<Vec<_>>().join(",");
    let into = "runs (run_id, mode, \"trigger\", task, pid, status, started_at, finished_at)";
    ledger(&served.world).execute(&format!("INSERT INTO {into} VALUES {runs}")).unwrap();
    let visit = served.visit(&served.viewer);
    let page = visit.read("/runs?task=sweep&status=completed");
    assert_eq!(page.matches("<th scope=\"row\"").count(), 50);
    let (_, rest) = page.split_once("href=\"/runs?task=sweep&amp;policy=&amp;status=completed&amp;before=").unwrap();
    let older = visit.read(&format!("/runs?task=sweep&status=completed&before={}", rest.split('"').next().unwrap()));
    assert_eq!(older.matches("<th scope=\"row\"").count(), 50);
    assert!(
        older.contains("00000000-0000-7000-8000-00000000015d")
            && !page.contains("00000000-0000-7000-8000-00000000015d")
    );
    assert!(visit.read("/runs?status=failed").contains("No such run."));
    assert_eq!(visit.get("/runs?task=%00").status, 404);
    served.daemon.stop();
}

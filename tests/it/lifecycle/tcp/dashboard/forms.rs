//! Orders that pages give: by whom, with what, and with what result.

use super::*;

fn audited(world: &World) -> Vec<(String, String)> {
    let noted = ledger(world).query("SELECT action, by FROM audit WHERE action NOT LIKE 'token%' ORDER BY number");
    noted.unwrap().iter().map(|row| (text(&row[0]).to_owned(), text(&row[1]).to_owned())).collect()
}

#[test]
fn an_operator_plans_runs_and_pauses() {
    let served = Served::start("");
    let visit = served.visit(&served.operator);
    let planned = visit.post("/runs", "names=policy%3Aitems&mode=plan&then=run");
    let place = header_of(&planned, "location").unwrap();
    assert_eq!(planned.status, 303, "{}", planned.body);
    let page = visit.ended(place);
    let form = place.replace("?then=run", "/run");
    assert!(page.contains("Run it?") && page.contains(&format!("action=\"{form}\"")), "{page}");
    assert_eq!(served.left().len(), 3, "a dry run takes nothing");
    let ran = visit.post(&form, "");
    visit.ended(header_of(&ran, "location").unwrap());
    assert_eq!(served.left(), ["3"]);
    let paused = visit.post("/policies/items/pause", "reason=until+the+migration+is+over");
    assert_eq!((paused.status, header_of(&paused, "location")), (303, Some("/policies/items")));
    assert!(visit.read("/policies/items").contains("until the migration is over"));
    assert_eq!(served.get(&served.viewer, "/status").body["paused"][0]["policy"], "items");
    visit.post("/policies/items/resume", "");
    visit.post("/tasks/sweep/pause", "");
    assert_eq!(served.get(&served.viewer, "/status").body["paused"][0]["task"], "sweep");
    visit.post("/tasks/sweep/resume", "");
    assert_eq!(served.get(&served.viewer, "/status").body["paused"], json!([]));
    let noted = audited(&served.world);
    let actions: Vec<&str> = noted.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["run", "pause", "resume", "pause", "resume"]);
    assert!(noted.iter().all(|(_, by)| by.contains("\"token\":\"operator\"") && by.contains("127.0.0.1")), "{noted:?}");
    served.daemon.stop();
}

#[test]
fn a_form_needs_its_own_word() {
    let served = Served::start("");
    let (visit, other) = (served.visit(&served.operator), served.visit(&served.operator));
    let word = form_word(&visit.read("/"));
    let strange = form_word(&other.read("/"));
    assert_ne!(word, strange);
    for wrong in ["", "form_word=", &format!("form_word={strange}"), &format!("form_word={}", &word[1..])] {
        for path in ["/runs", "/policies/items/pause", "/logout"] {
            assert_eq!(
                served.form(&visit.cookie, path, &format!("{wrong}&names=items&mode=plan")).status,
                403,
                "{path} {wrong}"
            );
        }
    }
    let (host, cookie) = (served.host(), format!("Cookie: {}", visit.cookie));
    let body = format!("form_word={word}&names=items&mode=plan");
    for (head, status) in [
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/json", 415),
        ("Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://evil.example", 403),
        ("Content-Type: application/x-www-form-urlencoded\r\nOrigin: null", 403),
        ("Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: cross-site", 403),
    ] {
        assert_eq!(served.send("POST", "/runs", &[&host, &cookie, head], &body).status, status, "{head}");
    }
    let large = format!("{body}&more={}", "x".repeat(70_000));
    assert_eq!(served.form(&visit.cookie, "/runs", &large).status, 413);
    for fields in
        ["", "names=all", "names=items", "mode=plan", "names=&mode=plan", "names=all&mode=", "names=all&mode=enforce"]
    {
        assert_eq!(visit.post("/runs", fields).status, 400, "{fields}");
    }
    assert!(audited(&served.world).is_empty());
    assert_eq!(served.left().len(), 3);
    served.daemon.stop();
}

#[test]
fn a_viewer_has_no_buttons_and_no_say() {
    let served = Served::start("");
    let visit = served.visit(&served.viewer);
    for path in ["/", "/policies/items", "/tasks/sweep", "/policies/items/approve", "/eligible", "/runs"] {
        let page = visit.read(path);
        let forms = page.matches("method=\"post\"").count();
        assert_eq!((forms, page.contains("action=\"/logout\"")), (1, true), "{path}: only the way out: {page}");
    }
    for path in [
        "/runs",
        "/policies/items/pause",
        "/tasks/sweep/resume",
        "/policies/items/approve",
        "/runs/a/cancel",
        "/runs/a/run",
    ] {
        assert_eq!(visit.post(path, "names=items&fingerprint=a&amount=1").status, 403, "{path}");
    }
    assert!(audited(&served.world).is_empty());
    assert_eq!(visit.post("/logout", "").status, 303);
    served.daemon.stop();
}

#[test]
fn a_read_only_server_has_no_buttons() {
    let served = Served::start("read_only = true");
    let visit = served.visit(&served.operator);
    assert_eq!(visit.read("/policies/items").matches("method=\"post\"").count(), 1);
    assert_eq!(visit.post("/runs", "names=items&mode=plan").status, 403);
    assert_eq!(visit.post("/logout", "").status, 303, "a log-in is not what it keeps");
    served.daemon.stop();
}

#[test]
fn runs_of_pages_count_as_others_do() {
    let served = Served::start("rate_limit = \"2/hour\"");
    let visit = served.visit(&served.operator);
    assert_eq!(served.post(&served.operator, "/run?wait=20s", json!({ "names": ["items"] })).status, 200);
    assert_eq!(visit.post("/runs", "names=nothing&mode=plan").status, 404);
    served.world.item(4, 40.0, None, None);
    let (first, second) = (visit.plan("items"), visit.plan("items"));
    let ran = visit.post(&format!("{first}/run"), "");
    assert_eq!(ran.status, 303);
    visit.ended(header_of(&ran, "location").unwrap());
    let reply = visit.post(&format!("{second}/run"), "");
    assert_eq!(reply.status, 429);
    assert!(header_of(&reply, "retry-after").is_some());
    assert_eq!(visit.post(&format!("{first}/run"), "").status, 303, "no second run, and none counted");
    assert_eq!(visit.post("/runs", "names=items&mode=plan").status, 303, "a dry run is free");
    served.daemon.stop();
}

#[test]
fn a_form_on_the_socket_needs_a_word() {
    let (world, daemon) = three_items_served();
    let socket = world.dir.join("state/retaind.sock");
    let page = http::request(&socket, "GET", "/", "");
    assert_eq!(page.status, 200);
    let page = page.body.as_str().unwrap();
    assert!(page.contains("local (operator)") && !page.contains("/logout"), "{page}");
    let post = |head: &str, body: &str| {
        let length = body.len();
        let head =
            format!("Host: retaind\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded{head}");
        let request =
            format!("POST /policies/items/pause HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        http::reply(&http::send(&socket, request.as_bytes())).status
    };
    let body = format!("form_word={}", form_word(page));
    assert_eq!(post("", "form_word="), 403);
    assert_eq!(post("\r\nSec-Fetch-Site: cross-site", &body), 403, "a page of another server behind a proxy");
    assert_eq!(post("", &body), 303);
    daemon.stop();
}

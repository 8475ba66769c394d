//! Log-ins: who gets in, for how long, and what an attacker learns or can set.

use super::*;

#[test]
fn without_a_log_in_no_page_is_shown() {
    let served = Served::start("");
    let made_up = format!("retaind-0={}", "ab".repeat(32));
    for cookie in ["", "retaind-0=", "retaind-0=x", &made_up, &format!("token={}", served.operator)] {
        for path in ["/", "/runs", "/policies/items", "/policies/nothing", "/runs/nothing", "/audit", "/stores"] {
            let reply = served.page(cookie, path);
            assert_eq!((reply.status, reply.body.as_str()), (303, Some("")), "{cookie} {path}");
            let place = header_of(&reply, "location").unwrap();
            assert!(place.starts_with("/login?next=%2F"), "{place}");
            assert_eq!(header_of(&reply, "connection"), Some("close"), "{path}");
        }
        for path in ["/live/overview", "/live/runs/nothing"] {
            assert_eq!(served.page(cookie, path).status, 401, "a script is told");
        }
        for path in ["/runs", "/policies/items/pause", "/policies/items/approve", "/tasks/sweep/pause", "/logout"] {
            let reply = served.form(cookie, path, "names=items&fingerprint=a&amount=1&form_word=");
            assert_eq!(reply.status, 401, "{cookie} {path}");
        }
        assert_eq!(served.page(cookie, "/nothing").status, 401, "where there is no page it is as before");
    }
    assert_eq!(served.left().len(), 3);
    let bearer = format!("Authorization: Bearer {}", served.operator);
    let reply = served.send("GET", "/", &[&served.host(), &bearer], "");
    assert_eq!(reply.status, 303, "a page is for browsers");
    served.daemon.stop();
}

#[test]
fn a_token_opens_and_its_removal_closes() {
    let served = Served::start("");
    let reply = served.form("", "/login", &format!("token={}&next=/runs%3Ftask%3Dsweep", served.viewer));
    assert_eq!((reply.status, header_of(&reply, "location")), (303, Some("/runs?task=sweep")));
    let set = header_of(&reply, "set-cookie").unwrap();
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{set}");
    assert!(!set.contains(&served.viewer) && !reply.head.contains(&served.viewer), "{set}");
    let cookie = cookie_of(&reply);
    assert_eq!(served.page(&cookie, "/").status, 200);
    assert_eq!(served.page(&cookie, "/login").status, 303, "who is in needs no form");
    let api = served.send("GET", "/api/v1/status", &[&served.host(), &format!("Cookie: {cookie}")], "");
    assert_eq!(api.status, 401, "a cookie is nothing to the API");
    assert_eq!(served.send("GET", "/metrics", &[&served.host(), &format!("Cookie: {cookie}")], "").status, 401);
    call_in(&served.world, &["token", "remove", "viewer"]).with(0);
    assert_eq!(served.page(&cookie, "/").status, 303);
    let again = add_token(&served.world, "viewer", "viewer");
    assert_eq!(served.page(&cookie, "/").status, 303, "another token of that name is another token");
    served.visit(&again).read("/");
    served.daemon.stop();
}

#[test]
fn a_wrong_token_is_refused_and_counted() {
    let served = Served::start("");
    let wrong = |token: &str| served.form("", "/login", &format!("token={token}"));
    let first = wrong("nothing");
    assert_eq!((first.status, header_of(&first, "set-cookie")), (401, None));
    for token in ["", "operator", &served.operator[..served.operator.len() - 1]] {
        let reply = wrong(token);
        assert_eq!((reply.status, &reply.body), (401, &first.body), "all are the same");
    }
    for _ in 4..10 {
        assert_eq!(wrong("nothing").status, 401);
    }
    let reply = wrong("nothing");
    assert_eq!(reply.status, 429, "for a while");
    assert!(header_of(&reply, "retry-after").unwrap().parse::<u64>().unwrap() <= 61);
    assert_eq!(wrong(&served.operator).status, 303, "whoever has a token gets in, whoever else is behind that address");
    assert_eq!(served.get(&served.viewer, "/status").status, 200, "the API goes on");
    assert!(log(&served.world).contains("10 wrong tokens were shown to the dashboard from 127.0.0.1"));
    served.daemon.stop();
}

#[test]
fn a_planted_id_is_not_taken_over() {
    let served = Served::start("");
    let planted = format!("retaind-0={}", "cd".repeat(32));
    let reply = served.form(&planted, "/login", &format!("token={}", served.operator));
    let cookie = cookie_of(&reply);
    assert_ne!(cookie, planted);
    assert_eq!(served.page(&planted, "/").status, 303);
    let again = served.form(&cookie, "/login", &format!("token={}", served.operator));
    assert_eq!(served.page(&cookie, "/").status, 303, "a log-in ends the one before it");
    let visit = Visit { served: &served, cookie: cookie_of(&again) };
    let left = visit.post("/logout", "");
    assert_eq!((left.status, header_of(&left, "location")), (303, Some("/login")));
    assert!(left.head.contains("retaind-0=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"), "{}", left.head);
    assert_eq!(visit.get("/").status, 303, "who has logged out is out");
    served.daemon.stop();
}

#[test]
fn behind_tls_the_cookie_is_secure() {
    let served = Served::start("hosts = [\"nas.example.org\"]");
    let body = format!("token={}", served.operator);
    let head =
        ["Host: nas.example.org", "Origin: https://nas.example.org", "Content-Type: application/x-www-form-urlencoded"];
    let reply = served.send("POST", "/login", &head, &body);
    let set = header_of(&reply, "set-cookie").unwrap();
    assert!(set.starts_with("__Host-retaind-0=") && set.ends_with("; Secure"), "{set}");
    assert_eq!(served.page(&cookie_of(&reply), "/").status, 200);
    served.daemon.stop();
}

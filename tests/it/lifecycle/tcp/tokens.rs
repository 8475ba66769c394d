//! Tokens: without one nobody is let in, and each allows what its role does.

use super::*;

#[test]
fn without_a_token_the_daemon_does_not_start() {
    let world = world_served("");
    let mut daemon = Daemon::start(&world);
    assert_eq!(daemon.end_within(PATIENCE).code(), Some(78), "systemd does not start it again and again");
    assert!(log(&world).contains("retaind token add NAME --role"), "{}", log(&world));
    std::fs::create_dir(world.dir.join("state/tokens")).unwrap();
    std::fs::write(world.dir.join("state/tokens/broken"), "{}").unwrap();
    let mut daemon = Daemon::start(&world);
    assert_eq!(daemon.end_within(PATIENCE).code(), Some(78), "one that cannot be read is none");
    add_token(&world, "ada", "viewer");
    Daemon::ready(&world).stop();
}

#[test]
fn who_shows_no_known_token_learns_nothing() {
    let served = Served::start("");
    let removed = add_token(&served.world, "removed", "operator");
    assert_eq!(served.get(&removed, "/status").status, 200, "one that was added counts at once");
    call_in(&served.world, &["token", "remove", "removed"]).with(0);
    let operator = &served.operator;
    let shown = [
        String::new(),
        "Authorization: Bearer ".to_owned(),
        "Authorization: Bearer operator".to_owned(),
        format!("Authorization: Bearer {removed}"),
        format!("Authorization: Bearer {}", &operator[..operator.len() - 1]),
        format!("Authorization: Basic {operator}"),
        format!("Authorization: {operator}"),
        format!("Cookie: token={operator}"),
    ];
    let mut answers = Vec::new();
    for line in &shown {
        let head = [served.host(), line.clone()];
        let head: Vec<&str> = head.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        for path in ["/api/v1/status", "/api/v1/nothing", "/nothing"] {
            let reply = served.send("GET", path, &head, "");
            assert!(reply.head.contains("www-authenticate: Bearer"), "{line}: {}", reply.head);
            answers.push((reply.status, reply.body.to_string()));
        }
        answers.push(
            Some(served.send("POST", "/api/v1/run", &head, "{\"names\":[]}"))
                .map(|r| (r.status, r.body.to_string()))
                .unwrap(),
        );
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!((answers[0].0, answers[0].1.contains("\"unauthorized\"")), (401, true), "{answers:?}");
    assert_eq!(served.left().len(), 3);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(served.send("GET", path, &[&served.host()], "").status, 200, "a probe has no token");
    }
    served.daemon.stop();
}

#[test]
fn a_viewer_sees_and_changes_nothing() {
    let served = Served::start("");
    for path in ["/status", "/policies", "/runs", "/stats", "/policies/items/proposal"] {
        assert_eq!(served.get(&served.viewer, path).status, 200, "{path}");
    }
    let run = json!({ "names": ["items"], "mode": "plan" });
    for path in [
        "/run",
        "/reload",
        "/policies/items/pause",
        "/policies/items/approve",
        "/tasks/sweep/pause",
        "/runs/a/cancel",
        "/notify/ops/test",
        "/nothing",
    ] {
        let reply = served.post(&served.viewer, path, run.clone());
        assert_eq!((reply.status, &reply.body["code"]), (403, &json!("forbidden")), "{path}");
    }
    assert_eq!(served.ask(&served.viewer, "DELETE", "/runs", Value::Null).status, 403);
    assert_eq!(served.left().len(), 3);
    served.daemon.stop();
}

#[test]
fn a_run_over_tcp_names_its_token() {
    let served = Served::start("");
    let bearer = format!("Authorization: Bearer {}", served.operator);
    let user_agent = format!("User-Agent: retaind/{}", env!("CARGO_PKG_VERSION"));
    let head = [&served.host(), &bearer, "Content-Type: application/json", &user_agent, "Retaind-On-Behalf-Of: root"];
    let run = served.send("POST", "/api/v1/run?wait=20s", &head, "{\"names\":[\"items\"]}");
    assert_eq!((run.status, &run.body["status"], &run.body["trigger"]), (200, &json!("completed"), &json!("api")));
    let by = json!({ "uid": 65534, "user": null, "token": "operator", "address": "127.0.0.1" });
    assert_eq!(run.body["requested"]["by"], by);
    assert_eq!(served.left(), ["3"]);
    let noted = ledger(&served.world).query("SELECT by FROM audit WHERE action = 'run'").unwrap();
    assert_eq!(serde_json::from_str::<Value>(text(&noted[0][0])).unwrap(), by);
    assert!(log(&served.world).contains("is asked for by token operator from 127.0.0.1"));
    let paused = served.post(&served.operator, "/policies/items/pause", Value::Null);
    assert_eq!((paused.status, &paused.body["pause"]["by"]), (200, &by), "{}", paused.body);
    served.daemon.stop();
}

#[test]
fn tokens_are_listed_without_their_secrets() {
    let world = world("every = \"20d\"");
    assert_eq!(call_in(&world, &["token", "list"]).with(0).stdout, "There is no token.\n");
    let secret = add_token(&world, "ada", "operator");
    let added = call_in(&world, &["token", "add", "bob", "--role", "viewer", "--json"]).with(0).json();
    assert_eq!((&added["name"], &added["role"]), (&json!("bob"), &json!("viewer")));
    call_in(&world, &["token", "add", "bob", "--role", "operator"]).with(2);
    call_in(&world, &["token", "add", "../bob", "--role", "operator"]).with(2);
    call_in(&world, &["token", "add", "eve", "--role", "root"]).with(2);
    let listed = call_in(&world, &["token", "list", "--json"]).with(0).stdout;
    let all: Value = serde_json::from_str(&listed).unwrap();
    let named = |at: usize| (all[at]["name"].as_str().unwrap(), all[at]["role"].as_str().unwrap());
    assert_eq!((named(0), named(1), all.as_array().unwrap().len()), (("ada", "operator"), ("bob", "viewer"), 2));
    assert_eq!(all[0]["by"]["uid"], rustix::process::getuid().as_raw());
    std::fs::write(world.dir.join("state/tokens/bob"), "").unwrap();
    assert!(call_in(&world, &["token", "list"]).with(0).stdout.contains("lets nobody in"));
    call_in(&world, &["token", "remove", "bob"]).with(0);
    let gone = call_in(&world, &["token", "remove", "bob", "--json"]).with(2).json();
    assert_eq!(gone["error"]["code"], "unknown_name");
    for file in std::fs::read_dir(world.dir.join("state"))
        .unwrap()
        .chain(std::fs::read_dir(world.dir.join("state/tokens")).unwrap())
    {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
    }
    let noted = ledger(&world).query("SELECT action, subject FROM audit ORDER BY number").unwrap();
    let noted: Vec<(&str, &str)> = noted.iter().map(|row| (text(&row[0]), text(&row[1]))).collect();
    assert_eq!(noted, [("token_add", "token ada"), ("token_add", "token bob"), ("token_remove", "token bob")]);
}

#[test]
fn another_address_needs_a_restart() {
    let mut served = Served::start("");
    edit(&served.world, "127.0.0.1:0", "127.0.0.1:1");
    assert!(status_of(&served.daemon.reload()).unwrap().starts_with("Reload failed"));
    assert!(log(&served.world).contains("[server] listen changed"), "{}", log(&served.world));
    edit(&served.world, "127.0.0.1:1", "127.0.0.1:0");
    served.daemon.reload();
    edit(&served.world, "127.0.0.1:0\"", "127.0.0.1:0\"\nread_only = true");
    served.daemon.reload();
    let refused = served.post(&served.operator, "/run", json!({ "names": ["items"] }));
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("read_only")), "it is in force after a reload");
    served.daemon.stop();
}

#[test]
fn other_machines_are_not_answered_in_the_clear() {
    let mut world = world("every = \"20d\"");
    let checked = |world: &World| call_in(world, &["check", "--config-only", "--json"]);
    world.declare("[server]\nlisten = \"0.0.0.0:8765\"\n");
    let refused = checked(&world).with(78).stdout;
    assert!(refused.contains("server.listen") && refused.contains("plaintext = true"), "{refused}");
    world.declare("plaintext = true\n");
    checked(&world).with(0);
    for wrong in
        ["listen = \"localhost:1\"", "rate_limit = \"5\"", "hosts = [\"a:1\"]", "tls_cert = \"/a\"", "tls_key = \"a\""]
    {
        let mut world = super::super::world("every = \"20d\"");
        world.declare(&format!("[server]\n{wrong}\n"));
        let refused = checked(&world).with(78).stdout;
        assert!(refused.contains(&format!("server.{}", wrong.split(' ').next().unwrap())), "{refused}");
    }
}

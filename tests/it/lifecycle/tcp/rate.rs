//! The limit of destructive requests: by token, over TCP only, and begun anew by nothing.

use super::*;

#[test]
fn destructive_requests_are_few() {
    let mut served = Served::start("rate_limit = \"2/day\"");
    let run = |served: &Served, token: &str, body: Value| served.post(token, "/run?wait=20s", body);
    let wanted = json!({ "names": ["items"] });
    let unknown = run(&served, &served.operator, json!({ "names": ["none"] }));
    assert_eq!(unknown.status, 404, "what did nothing is not counted");
    for _ in 0..2 {
        assert_eq!(run(&served, &served.operator, wanted.clone()).status, 200);
    }
    let refused = run(&served, &served.operator, wanted.clone());
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!("rate_limited")), "{}", refused.body);
    let secs = refused.body["retry_after"].as_u64().unwrap();
    assert!(
        (86_000..=86_401).contains(&secs) && refused.head.contains(&format!("retry-after: {secs}")),
        "{}",
        refused.head
    );
    let seen = json!({ "fingerprint": "0", "amount": 0 });
    assert_eq!(served.post(&served.operator, "/policies/items/approve", seen).status, 429);

    for mode in ["plan", "report"] {
        assert_eq!(run(&served, &served.operator, json!({ "names": ["items"], "mode": mode })).status, 200, "{mode}");
    }
    for path in ["/policies/items/pause", "/policies/items/resume", "/tasks/sweep/pause", "/tasks/sweep/resume"] {
        assert_eq!(served.post(&served.operator, path, Value::Null).status, 200, "{path}");
    }
    assert_eq!(served.post(&served.operator, "/runs/abc/cancel", Value::Null).status, 404);

    edit(&served.world, "keep = \"30d\"", "keep = \"31d\"");
    served.reload();
    assert_eq!(run(&served, &served.operator, wanted.clone()).status, 429, "a reload begins nothing anew");
    call_in_place(&served, &["token", "remove", "operator"]);
    let again = call_in_place(&served, &["token", "add", "operator", "--role", "operator"]);
    assert_eq!(run(&served, &again, wanted.clone()).status, 429, "nor does another token of that name");
    let other = call_in_place(&served, &["token", "add", "other", "--role", "operator"]);
    assert_eq!(run(&served, &other, wanted.clone()).status, 200);
    let socket = served.world.dir.join("state/retaind.sock");
    for _ in 0..3 {
        let run = http::request(&socket, "POST", "/api/v1/run?wait=20s", &wanted.to_string());
        assert_eq!(run.status, 200, "the socket has no limit");
    }
    edit(&served.world, "2/day", "none");
    served.reload();
    assert_eq!(run(&served, &again, wanted).status, 200);
    served.daemon.stop();
}

/// Calls the binary with the configuration as it is, and returns what it prints.
fn call_in_place(served: &Served, arguments: &[&str]) -> String {
    let config = served.world.dir.join("retaind.toml");
    let output = binary::command(RETAIND).args(arguments).arg("--config").arg(config).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

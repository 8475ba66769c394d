//! The description of the API, held to the daemon by schemathesis: every request that it allows and many that it does not, and
//! every answer as it says.

use std::process::Command;

use super::*;
use crate::needs::Need;

/// Where `.ci/setup` puts it.
const SCHEMATHESIS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/schemathesis");

/// What the tool has to know beside the description.
const CONFIG: &str = r#"
# One says that no run was met that could be cancelled, which is a matter of time.
warnings = false

[checks.positive_data_acceptance]
# A parameter or an override that fits the description may still not fit the policies.
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "5xx"]

[parameters]
"path.policy" = "items"
"path.task" = "sweep"
"#;

#[test]
fn schemathesis_finds_nothing() {
    needs!(Need::Program("schemathesis"));
    let mut served = Served::start("rate_limit = \"none\"");
    let config = served.world.dir.join("schemathesis.toml");
    std::fs::write(&config, CONFIG).unwrap();
    let base = format!("http://{}", served.address);
    let done = std::thread::scope(|scope| {
        let tool = scope.spawn(|| {
            // The same cases each time: another one is another test.
            Command::new(SCHEMATHESIS)
                .arg("--config-file")
                .arg(&config)
                .args(["run", "--checks", "all", "--max-examples", "25", "--generation-deterministic", "--no-color"])
                .args(["--header", &format!("Authorization: Bearer {}", served.operator), "--url", &base])
                .arg(format!("{base}/api/v1/openapi.json"))
                .current_dir(&served.world.dir)
                .output()
                .unwrap_or_else(|error| panic!("{SCHEMATHESIS}: {error}; .ci/setup installs it"))
        });
        // The service manager reads what it is told.
        while !tool.is_finished() {
            served.daemon.next_message(Instant::now() + Duration::from_millis(100));
        }
        tool.join().unwrap()
    });
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert!(said.contains("No issues found"), "{said}");
    served.hear();
    assert_eq!(served.get(&served.operator, "/status").status, 200);
    served.daemon.stop();
}

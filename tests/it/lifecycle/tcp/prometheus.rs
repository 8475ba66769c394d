//! A real Prometheus that reads a daemon's numbers, and what it makes of alerts and of the dashboard for Grafana.

use std::collections::BTreeSet;
use std::process::{Child, Command};

use super::*;
use crate::needs::Need;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/prometheus/retaind.rules.yml");
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/grafana/retaind.json");
const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/grafana_schema.py");
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python/bin/python");

/// Rows of a run that takes its time.
const MANY: u64 = 60_000;

/// Prometheus, beside the daemon that it reads.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    log: std::path::PathBuf,
}

impl Prometheus {
    fn reading(served: &Served) -> Self {
        let dir = &served.world.dir;
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{RULES}]\nscrape_configs:\n  - \
             job_name: retaind\n    authorization: {{ credentials: {} }}\n    static_configs:\n      - targets: [\"{}\"]\n",
            served.viewer, served.address
        );
        std::fs::write(dir.join("prometheus.yml"), config).unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = dir.join("prometheus.log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, address, log }
    }

    fn ask(&self, path: &str) -> Value {
        let Ok(stream) = TcpStream::connect(self.address) else { return Value::Null };
        let head = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        http::reply(&http::exchange(stream, head.as_bytes())).body
    }

    /// First value that an expression has, as soon as it has one; panics where that takes too long.
    fn value(&self, served: &mut Served, expression: &str) -> String {
        let query: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.ask(&format!("/api/v1/query?query={query}"));
            if let Some(value) = answer["data"]["result"][0]["value"][1].as_str() {
                return value.to_owned();
            }
            let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
            assert!(Instant::now() < deadline, "{expression}: {answer}\n{}", log());
            served.daemon.next_message(Instant::now() + Duration::from_millis(100));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_prometheus_reads_them() {
    needs!(Need::Program("prometheus"));
    let mut served = Served::start("");
    assert_eq!(served.send("GET", "/metrics", &[&served.host()], "").status, 401, "over TCP it takes a token");
    let prometheus = Prometheus::reading(&served);
    assert_eq!(prometheus.value(&mut served, "retaind_source_up"), "1");
    let rules = prometheus.ask("/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    let unwell: Vec<_> = rules.iter().filter(|rule| rule["health"] == "err").collect();
    assert!(rules.len() > 10 && unwell.is_empty(), "{unwell:?}");
    served.daemon.stop();
}

#[test]
fn a_prometheus_that_dies_delays_no_run() {
    needs!(Need::Program("prometheus"));
    let mut served = Served::start("");
    fill_more(&served);
    let prometheus = Prometheus::reading(&served);
    assert_eq!(prometheus.value(&mut served, "retaind_task_running"), "0");
    let begun = served.post(&served.operator, "/run", json!({ "names": ["sweep"] }));
    assert_eq!(begun.status, 202, "{}", begun.body);
    // It is killed while it reads once a second and the run goes on.
    drop(prometheus);
    let ended = await_runs(&served.world, 1);
    assert_eq!(served.left(), ["3"], "{ended:?}");
    // Another one begins where the first has ended: the sums are the daemon's.
    let again = Prometheus::reading(&served);
    assert_eq!(again.value(&mut served, "retaind_rows_deleted_total"), (MANY + 2).to_string());
    served.daemon.stop();
}

/// Old rows enough for a run that takes its time.
fn fill_more(served: &Served) {
    let world = &served.world;
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), 10..=MANY + 9);
}

/// Every expression of the dashboard, of its panels, its variables and its annotations, as Grafana sends it.
fn expressions(dashboard: &Value) -> BTreeSet<String> {
    let targets = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array());
    let shown = targets.flatten().map(|target| &target["expr"]);
    let notes = dashboard["annotations"]["list"].as_array().unwrap().iter().map(|note| &note["expr"]);
    let asked = shown.chain(notes).map(|expression| expression.as_str().unwrap());
    asked
        .map(|expression| {
            ["$job", "$instance", "$task", "$policy"]
                .iter()
                .fold(expression.to_owned(), |text, variable| text.replace(variable, ".*"))
                .replace("$__rate_interval", "1m")
                .replace("$__range", "1h")
                .replace("$__interval", "1m")
        })
        .collect()
}

#[test]
fn every_panel_for_grafana_has_data() {
    needs!(Need::Program("prometheus"));
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(DASHBOARD).unwrap()).unwrap();
    let mut served = Served::start_in(eventful());
    for names in [json!(["sweep"]), json!(["wrong"])] {
        let done = served.post(&served.operator, "/run?wait=20s", json!({ "names": names }));
        assert_eq!(done.status, 200, "{}", done.body);
    }
    assert_eq!(served.get(&served.viewer, "/stats").status, 200);
    let prometheus = Prometheus::reading(&served);
    let asked = expressions(&dashboard);
    assert!(asked.len() > 25 && asked.iter().all(|expression| !expression.contains('$')), "{asked:?}");
    for expression in asked {
        // A run that failed is none that is new: nothing is to be marked.
        let expression = expression.replace(" > 0", " >= 0");
        prometheus.value(&mut served, &expression);
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap().iter().skip(1) {
        let query = variable["query"]["query"].as_str().unwrap();
        let (metric, label) =
            query.strip_prefix("label_values(").unwrap().trim_end_matches(')').split_once(", ").unwrap();
        let found = prometheus.ask(&format!("/api/v1/label/{label}/values?match[]={metric}"));
        assert!(!found["data"].as_array().unwrap().is_empty(), "{query}: {found}");
    }
    served.daemon.stop();
}

#[test]
fn the_dashboard_fits_the_schema_of_grafana() {
    needs!(Need::Program("schemathesis"));
    let checked = Command::new(PYTHON).args([SCHEMA, DASHBOARD]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

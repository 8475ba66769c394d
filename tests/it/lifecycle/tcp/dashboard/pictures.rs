//! Pictures of the pages for the documentation. `RETAIND_GOLDEN=write` takes them anew; otherwise they are looked at, as files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::browser::CHROMIUM;
use crate::needs::Need;

/// Largest picture, in bytes.
const LARGEST: u64 = 150_000;

fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/images/{name}.png"))
}

/// A recorder of cameras with a past of 90 days.
fn recorder() -> Served {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(
        "[server]\nlisten = \"127.0.0.1:0\"\nrate_limit = \"none\"\n\
         [tasks.retention]\nschedule = \"0 3 * * *\"\n[tasks.log-purge]\nschedule = \"30 */6 * * *\"",
    );
    let policy = |name: &str, task: &str, keys: &str| {
        format!(
            "[policies.{name}]\nkind = \"rows\"\ntask = \"{task}\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\n\
             where = \"note = '{name}'\"\n{keys}"
        )
    };
    let thumbs = "keep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]";
    for (name, task, keys) in [
        ("detections", "retention", thumbs),
        ("events", "retention", "keep = \"29d\""),
        ("exports", "retention", "keep = \"14d\"\nmax_rows = 40"),
        ("gpu-stats", "log-purge", "keep = \"7d\""),
        ("logs", "log-purge", "keep = \"21d\""),
    ] {
        world.declare(&policy(name, task, keys));
    }
    let served = Served::start_in(world);
    past(&served.world);
    for number in 1..=24 {
        let thumb = format!("{number:02}/yard.jpg");
        served.world.put("thumbs", &thumb, 40_000);
        add(&served.world, number, 40.0, "detections", &format!("data/thumbs/{thumb}"));
    }
    for (first, days, policy) in
        [(100, 35.0, "events"), (200, 15.0, "exports"), (300, 9.0, "gpu-stats"), (400, 25.0, "logs")]
    {
        (first..first + 30).for_each(|id| add(&served.world, id, days, policy, ""));
    }
    run(&served, "retention", "completed");
    run(&served, "log-purge", "completed");
    served
}

fn add(world: &World, id: u64, days: f64, policy: &str, thumb: &str) {
    let at = world.days_ago(days);
    world.db.execute(&format!(
        "INSERT INTO item (id, at, note, thumb) VALUES ({id}, {at}, '{policy}', nullif('{thumb}', ''))"
    ));
}

fn run(served: &Served, name: &str, status: &str) -> String {
    let run = served.post(&served.operator, "/run?wait=20s", json!({ "names": [name] }));
    assert_eq!((run.status, &run.body["status"]), (200, &json!(status)), "{}", run.body);
    run.body["run_id"].as_str().unwrap().to_owned()
}

/// Ninety nights of the past, two of which did not go well.
fn past(world: &World) {
    let sql = "WITH RECURSIVE night (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM night WHERE n < 90)
        INSERT INTO runs (run_id, mode, \"trigger\", task, pid, status, started_at, finished_at, duration_ms, totals)
        SELECT printf('00000000-0000-7000-8000-%012x', n), 'enforce', 'schedule', 'retention', 0,
            CASE n WHEN 23 THEN 'failed' WHEN 51 THEN 'blocked' WHEN 52 THEN 'completed_with_errors' ELSE 'completed' END,
            strftime('%Y-%m-%dT03:00:00.000000000Z', 'now', -n || ' days'),
            strftime('%Y-%m-%dT03:00:04.000000000Z', 'now', -n || ' days'), 4000,
            json_object('rows_deleted', CASE n WHEN 23 THEN 0 WHEN 51 THEN 0 ELSE 400 + (n * n * 37) % 9000 END, 'rows_updated', 0,
                'files_deleted', CASE n WHEN 23 THEN 0 WHEN 51 THEN 0 ELSE 200 + (n * n * 17) % 4000 END,
                'bytes_reclaimed', CASE n WHEN 23 THEN 0 WHEN 51 THEN 0 ELSE 40000 * (200 + (n * n * 17) % 4000) END,
                'errors', n = 52)
        FROM night WHERE n NOT IN (70, 71)";
    ledger(world).execute(sql).unwrap();
}

/// Takes a picture of the page that is open, which is as high as it is.
fn take(browser: &mut Browser, name: &str, width: u32, most: u32) {
    let height = browser.run("document.documentElement.scrollHeight").as_u64().unwrap() as u32;
    browser.size(width, height.min(most));
    let base64 = browser.picture();
    let file = std::fs::File::create(place(name)).unwrap();
    let mut decoder =
        Command::new("base64").arg("--decode").stdin(Stdio::piped()).stdout(file).spawn().expect("base64 starts");
    decoder.stdin.take().unwrap().write_all(base64.as_bytes()).unwrap();
    assert!(decoder.wait().unwrap().success());
}

#[test]
fn pictures_are_there_and_small() {
    needs!(Need::Program(CHROMIUM));
    let mut served = recorder();
    let mut browser = Browser::start("");
    let writes = std::env::var_os("RETAIND_GOLDEN").is_some_and(|how| how == "write");
    let shoot = |browser: &mut Browser,
                 served: &Served,
                 (name, path): (&str, &str),
                 (width, most, scheme): (u32, u32, &str)| {
        browser.prefer(scheme);
        browser.size(width, 900);
        browser.open(&served.url(path));
        if writes {
            take(browser, name, width, most);
        }
    };
    log_in(&mut browser, &served, &served.operator.clone());
    shoot(&mut browser, &served, ("overview", "/"), (1000, 1020, "light"));
    assert!(browser.text().contains("All is well"), "{}", browser.text());
    (1000..1060).for_each(|id| add(&served.world, id, 20.0, "exports", ""));
    (1100..1104).for_each(|id| add(&served.world, id, 40.0, "detections", &format!("../outside/{id}.jpg")));
    let unwell = run(&served, "retention", "blocked");
    for id in 1200..1260 {
        let thumb = format!("{id}/yard.jpg");
        served.world.put("thumbs", &thumb, 40_000);
        add(&served.world, id, 10.0, "detections", &format!("data/thumbs/{thumb}"));
    }
    edit(&served.world, "keep = \"30d\"", "keep = \"3d\"");
    served.reload();
    served.post(&served.operator, "/policies/logs/pause", json!({ "reason": "until the migration is over" }));
    shoot(&mut browser, &served, ("run", &format!("/runs/{unwell}")), (1000, 900, "light"));
    shoot(&mut browser, &served, ("approve", "/policies/detections/approve"), (1000, 1000, "light"));
    shoot(&mut browser, &served, ("overview-dark", "/"), (1000, 850, "dark"));
    let states = "[...document.querySelectorAll('#policies tbody tr')].map(row =>
        row.querySelector('th').innerText + ' ' + row.querySelector('.badge').innerText)";
    let expected = ["detections held", "events keeps up", "exports blocked", "gpu-stats keeps up", "logs paused"];
    assert_eq!(browser.run(states), json!(expected));
    shoot(&mut browser, &served, ("overview-narrow", "/"), (360, 1400, "light"));
    for name in ["overview", "overview-dark", "overview-narrow", "run", "approve"] {
        let size = std::fs::metadata(place(name))
            .unwrap_or_else(|error| panic!("{name}: {error}; RETAIND_GOLDEN=write"))
            .len();
        assert!(size <= LARGEST, "{name} has {size} bytes");
    }
    served.hear();
    served.daemon.stop();
}

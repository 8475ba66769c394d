//! Uploads during scans (D8): an application that writes files and rows, in either order, never loses a file.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;
use crate::engines::EngineKind;
use crate::world::effort;

/// Uploads, of which every 50th is broken off.
fn uploads() -> u64 {
    effort(20_000)
}

const UPLOADERS: u64 = 2;
/// The grace of the scans. Between a file and its row no more than a quarter of it passes.
const GRACE: &str = "2s";
const LONGEST_GAP: Duration = Duration::from_millis(500);

/// Uploads until it has done its share; a row before its file for every other one.
fn upload(db: &Database, root: &Path, worker: u64, late: &AtomicU64) {
    let mut client = db.connect();
    client.execute("PRAGMA synchronous = OFF; PRAGMA busy_timeout = 20000").unwrap();
    for n in (worker..uploads()).step_by(UPLOADERS as usize) {
        let path = format!("{}/{n}.bin", n % 61);
        let insert = format!("INSERT INTO link (id, path) VALUES ({n}, '{path}')");
        let write = || {
            // Under another name first, as careful uploaders do.
            let part = root.join(format!("{path}.part"));
            std::fs::write(&part, b"upload").unwrap();
            std::fs::rename(part, root.join(&path)).unwrap();
        };
        if n % 4 < 2 {
            let began = std::time::Instant::now();
            write();
            if n % 40 == 0 {
                std::thread::sleep(Duration::from_millis(20));
            }
            client.execute(&insert).unwrap();
            // A machine that is too busy breaks the promise of the uploader, and not that of the scan.
            late.fetch_add(u64::from(began.elapsed() > LONGEST_GAP), Ordering::Relaxed);
        } else {
            client.execute(&insert).unwrap();
            if n % 40 == 2 {
                std::thread::sleep(Duration::from_millis(20));
            }
            write();
        }
        // One that was broken off: a file that never gets its row.
        if n % 50 == 0 {
            std::fs::write(root.join(format!("{}/{n}.lost", n % 61)), b"lost").unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d8_twenty_thousand_uploads_during_scans_lose_no_file() {
    let mut world = linked(Database::create(EngineKind::Sqlite));
    world.db.execute("PRAGMA journal_mode = wal");
    (0..61).for_each(|n| std::fs::create_dir(world.root("images").join(n.to_string())).unwrap());
    put_aged(&world, "images", "first.bin", 9.0);
    world.db.execute("INSERT INTO link (id, path) VALUES (-1, 'first.bin')");
    world.declare(&format!(
        "[policies.orphans]\nkind = \"orphans\"\nstore = \"images\"\nkeep = \"{GRACE}\"\nmode = \"enforce\"\nmax_fraction = 1.0\n"
    ));
    adopt(&world, "images");
    let runner = world.runner().await;
    let (over, late) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut scans, mut deleted) = (0, 0);
    let (db, root) = (&*world.db, world.root("images"));
    let (world, root, over, late) = (&world, &root, &over, &late);
    std::thread::scope(|scope| {
        let uploaders: Vec<_> =
            (0..UPLOADERS).map(|worker| scope.spawn(move || upload(db, root, worker, late))).collect();
        scope.spawn(move || {
            let ended: Vec<_> = uploaders.into_iter().map(|uploader| uploader.join()).collect();
            over.store(true, Ordering::Relaxed);
            assert!(ended.iter().all(Result::is_ok));
        });
        let mut after = 0;
        // On until what was broken off is old enough, too.
        while after < 2 {
            if over.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(2500));
                after += 1;
            }
            let run = runner.run(world.request(retaind::outcome::RunMode::Enforce));
            let result = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(run)).unwrap();
            assert_eq!(result.status, Some(Status::Completed), "{result:?}");
            scans += 1;
            deleted += result.totals.files_deleted;
        }
    });
    let named: BTreeSet<_> = world.db.column("SELECT path FROM link").into_iter().collect();
    assert_eq!(named.len() as u64, uploads() + 1);
    let left = files(world, "images");
    let lost: Vec<_> = named.difference(&left).collect();
    let late = late.load(Ordering::Relaxed);
    assert!(lost.len() as u64 <= late, "{} files lost, {late} of late rows", lost.len());
    assert_eq!(left.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new(), "what no row names goes in the end");
    assert!(scans >= 5 && deleted == uploads() / 50, "{scans} scans deleted {deleted}");
}

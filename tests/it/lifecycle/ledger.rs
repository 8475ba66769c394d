//! The ledger's file and disk under a running daemon: removed, replaced, put back, full.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::needs::Need;

/// Runs the binary in a world whose configuration is written.
fn call(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = binary::command(RETAIND)
        .args(arguments)
        .arg("--config")
        .arg(world.dir.join("retaind.toml"))
        .env_remove("STATE_DIRECTORY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn attention(world: &World) -> String {
    let (_, status, errors) = call(world, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap_or_else(|error| panic!("{error}: {errors}"));
    status["attention"].to_string()
}

#[test]
fn f36_a_missing_or_replaced_ledger_stops_all_deletion() {
    let world = world("every = \"1s\"");
    let mut daemon = Daemon::ready(&world);
    let (path, aside) = (world.dir.join("state/ledger.db"), world.dir.join("ledger.aside"));
    await_runs(&world, 1);
    assert!(!attention(&world).contains("the ledger was"), "{}", attention(&world));

    std::fs::rename(&path, &aside).unwrap();
    world.item(1, 40.0, None, None);
    daemon.await_status("the ledger was removed or replaced");
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.ids(), crate::world::set([1]));
    assert!(log(&world).contains("was removed while it was open"), "{}", log(&world));
    assert!(!path.exists(), "nobody made a new one");
    assert!(attention(&world).contains("the ledger was removed or replaced"), "{}", attention(&world));

    std::fs::copy(&aside, &path).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(world.ids(), crate::world::set([1]));
    assert!(log(&world).contains("another file was put in its place"), "{}", log(&world));
    assert!(attention(&world).contains("the ledger was removed or replaced"), "{}", attention(&world));

    std::fs::rename(&aside, &path).unwrap();
    daemon.await_message("a status without trouble", |message| {
        status_of(message).is_some_and(|status| !status.to_lowercase().contains("degraded"))
    });
    let deadline = Instant::now() + PATIENCE;
    while !world.ids().is_empty() {
        assert!(Instant::now() < deadline, "{}", log(&world));
        std::thread::sleep(Duration::from_millis(20));
    }
    daemon.stop();
}

/// A small file system over the directory of a world.
struct SmallDisk<'w>(&'w World);

impl<'w> SmallDisk<'w> {
    fn over(world: &'w World) -> Self {
        let options = ["-t", "tmpfs", "-o", "size=40m,nr_inodes=400", "none"];
        assert!(Command::new("mount").args(options).arg(&world.dir).status().unwrap().success());
        for directory in ["thumbs", "images", "state"] {
            std::fs::create_dir(world.dir.join(directory)).unwrap();
        }
        Self(world)
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.dir.join("filler")
    }

    /// Writes until there is no room left.
    fn fill_space(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.filler()).unwrap();
        for size in [1 << 20, 4096] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    /// Creates files until there can be no more.
    fn fill_inodes(&self) {
        std::fs::create_dir_all(self.filler()).unwrap();
        let mut number = 0;
        while std::fs::File::create(self.filler().join(format!("{number}"))).is_ok() {
            number += 1;
        }
        assert!(number > 10);
    }

    fn fill(&self, inodes: bool) {
        if inodes { self.fill_inodes() } else { self.fill_space() }
    }

    fn remove_filler(&self) {
        let filler = self.filler();
        if filler.is_dir() { std::fs::remove_dir_all(filler).unwrap() } else { std::fs::remove_file(filler).unwrap() }
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.dir).status();
    }
}

fn taken_by(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|found| found.blocks() * 512).unwrap_or(0)
}

/// A world whose old items have files in a store on the ledger's disk.
fn world_with_files() -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(
        "[tasks.sweep]\nevery = \"1h\"\n[policies.items]\nkind = \"rows\"\ntask = \"sweep\"\nsource = \"app\"\n\
         table = \"item\"\nage = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n",
    );
    world
}

fn old_items(world: &World, ids: std::ops::Range<u64>) {
    for id in ids {
        world.put("thumbs", &format!("{id}.jpg"), 100_000);
        world.item(id, 40.0, Some(&format!("data/thumbs/{id}.jpg")), None);
    }
}

#[test]
fn d26_a_run_that_frees_the_disk_is_recorded() {
    needs!(Need::Root);
    let world = world_with_files();
    let disk = SmallDisk::over(&world);
    world.item(1000, 1.0, None, None);
    world.config_file();
    let space = world.dir.join("state/reserve/space");
    assert_eq!(call(&world, &["run"]).0, Some(0));
    let before = taken_by(&space);
    assert!(before > 4 << 20, "{before}");

    for inodes in [false, true] {
        old_items(&world, 0..20);
        disk.fill(inodes);
        let (code, run, errors) = call(&world, &["run", "--json"]);
        assert_eq!(code, Some(0), "{run} {errors}");
        let run: Value = serde_json::from_str(&run).unwrap();
        assert_eq!((&run["totals"]["files_deleted"], &run["totals"]["rows_deleted"]), (&20.into(), &20.into()));
        assert_eq!((world.ids(), world.files("thumbs").len()), (crate::world::set([1000]), 0));
        let (_, recorded, _) = call(&world, &["runs", run["run_id"].as_str().unwrap(), "--json"]);
        assert_eq!(serde_json::from_str::<Value>(&recorded).unwrap()["totals"], run["totals"]);
        disk.remove_filler();
        // What was given up is taken again.
        assert_eq!(call(&world, &["run"]).0, Some(0));
        assert!(taken_by(&space) > 4 << 20);
        assert_eq!(std::fs::read_dir(space.parent().unwrap()).unwrap().count(), 13);
    }
}

#[test]
fn d26_a_daemon_starts_and_frees_a_full_disk() {
    needs!(Need::Root);
    for inodes in [false, true] {
        let world = world_with_files();
        let disk = SmallDisk::over(&world);
        world.config_file();
        assert_eq!(call(&world, &["run"]).0, Some(0));
        edit(&world, "every = \"1h\"", "every = \"1s\"");
        old_items(&world, 0..20);
        let _ = std::fs::File::create(world.dir.join("log"));
        disk.fill(inodes);
        let mut daemon = Daemon::ready_without_config(&world);
        daemon.await_status("last: sweep completed");
        assert_eq!((world.ids().len(), world.files("thumbs").len()), (0, 0));
        daemon.stop();
    }
}

#[test]
fn d26_without_reserve_nothing_goes_and_advice_is_given() {
    needs!(Need::Root);
    let world = world_with_files();
    let disk = SmallDisk::over(&world);
    world.config_file();
    assert_eq!(call(&world, &["run"]).0, Some(0));
    old_items(&world, 0..3);
    std::fs::remove_dir_all(world.dir.join("state/reserve")).unwrap();
    disk.fill(false);
    for arguments in [["run", "--json"], ["status", "--json"]] {
        let (code, output, errors) = call(&world, &arguments);
        assert_eq!(code, Some(1), "{output} {errors}");
        assert!(errors.contains("its disk is full") && errors.contains("free at least 1 MiB"), "{errors}");
        assert!(!errors.contains("sudo"), "{errors}");
    }
    assert_eq!((world.ids().len(), world.files("thumbs").len()), (3, 3));
}

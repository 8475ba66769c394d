//! What `plan --list` names is exactly what `run` deletes (G6, D13): over generated trees, references and policies.

use proptest::prelude::*;
use retaind::run::{Fate, Listed};
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::engines::EngineKind;

/// Names that a tree may have, oddities among them.
const NAMES: [&[u8]; 12] = [
    b"a.png",
    b"b.png",
    b"c.log",
    b"1",
    b"2.png",
    b".hidden.png",
    b"sp ace.png",
    b"new\nline.log",
    b"\xff\xfe.png",
    "\u{fc}.png".as_bytes(),
    b"%_'.png",
    b"..a.log",
];
const DIRECTORIES: [&str; 6] = ["", "d", "d/e", "out/1", "out/2", "out/2/deep"];

#[derive(Debug, Clone)]
struct File {
    directory: usize,
    name: usize,
    days: f64,
    size: usize,
    /// Another name of the same file.
    link: Option<(usize, usize)>,
}

/// How a row names a file: by which table's column, and how it is spelled.
#[derive(Debug, Clone)]
struct Row {
    directory: usize,
    name: usize,
    column: bool,
    spelling: u8,
}

fn place() -> impl Strategy<Value = (usize, usize)> {
    (0..DIRECTORIES.len(), 0..NAMES.len())
}

fn file() -> impl Strategy<Value = File> {
    let days = prop_oneof![Just(0.1), Just(5.0), Just(5.0), 0.0..20.0f64];
    (place(), days, 0..9000usize, proptest::option::weighted(0.15, place()))
        .prop_map(|((directory, name), days, size, link)| File { directory, name, days, size, link })
}

fn row() -> impl Strategy<Value = Row> {
    (place(), any::<bool>(), 0..6u8).prop_map(|((directory, name), column, spelling)| Row {
        directory,
        name,
        column,
        spelling,
    })
}

/// Policies that overlap in every way; those of orphans first.
const POLICIES: [&str; 12] = [
    "kind = \"orphans\"\nkeep = \"1d\"\nmax_fraction = 1.0",
    "kind = \"orphans\"\nkeep = \"3d\"\nmax_fraction = 0.6\nmatch = \"**/*.png\"",
    "kind = \"orphans\"\nkeep = \"1d\"\nmax_fraction = 1.0\nexclude = [\"d/**\", \"*.log\"]",
    "kind = \"files\"\nkeep = \"4d\"",
    "kind = \"files\"\nkeep = \"6d\"\nkeep_last = 2\nprune_empty = true",
    "kind = \"files\"\nkeep_last = 3\nper = \"store\"",
    "kind = \"files\"\nkeep_last = 1\nmatch = \"**/*.log\"",
    "kind = \"files\"\nmax_total = \"10KiB\"",
    "kind = \"files\"\nkeep = \"9d\"\nmax_total = \"4KiB\"\nper = \"directory\"\nkeep_last = 1",
    "kind = \"files\"\nmax_total = \"5KiB\"\nexclude = \"**/*.png\"\nmax_files = 4",
    "kind = \"files\"\nkeep = \"2d\"\nmode = \"report\"",
    "kind = \"files\"\nkeep = \"4d\"\nmax_fraction = 0.5",
];

#[derive(Debug, Clone)]
struct Case {
    files: Vec<File>,
    rows: Vec<Row>,
    policies: Vec<usize>,
    units: bool,
    trash: bool,
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    let policies = proptest::collection::vec(0..POLICIES.len(), 1..=most);
    (
        proptest::collection::vec(file(), 0..40),
        proptest::collection::vec(row(), 0..25),
        policies,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(files, rows, policies, units, trash)| Case { files, rows, policies, units, trash })
}

fn plant(world: &World, files: &[File]) {
    let path = |directory: usize, name: usize| {
        let directory = world.root("images").join(DIRECTORIES[directory]);
        std::fs::create_dir_all(&directory).unwrap();
        directory.join(std::ffi::OsStr::from_bytes(NAMES[name]))
    };
    for file in files {
        let at = path(file.directory, file.name);
        if at.exists() {
            continue;
        }
        std::fs::write(&at, vec![b'x'; file.size]).unwrap();
        age(&at, file.days);
        if let Some((directory, name)) = file.link {
            // Where something has the name already there is no other.
            let _ = std::fs::hard_link(&at, path(directory, name));
        }
    }
}

fn write_rows(world: &World, rows: &[Row]) {
    for (id, row) in rows.iter().enumerate() {
        let Ok(name) = std::str::from_utf8(NAMES[row.name]) else { continue };
        let path = format!("{}/{name}", DIRECTORIES[row.directory]);
        let path = path.trim_start_matches('/');
        let spelled = match row.spelling {
            0 => format!("./{path}"),
            1 => path.replacen('/', "//", 1),
            2 => format!("x/../{path}"),
            3 => world.root("images").join(path).display().to_string(),
            _ => path.to_owned(),
        };
        let column = if row.column { "first" } else { "second" };
        let spelled = spelled.replace('\'', "''");
        world.db.execute(&format!("INSERT INTO link (id, {column}) VALUES ({id}, '{spelled}')"));
    }
    // Both columns name something, so that nothing blocks for want of names.
    world.db.execute("INSERT INTO link (id, first, second) VALUES (1000, 'anchor.png', 'anchor.png')");
    put_aged(world, "images", "anchor.png", 9.0);
}

fn check(kind: EngineKind, case: &Case) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::by_mtime(Database::create(kind));
        world.db.execute("CREATE TABLE link (id INTEGER PRIMARY KEY, first VARCHAR(300), second VARCHAR(300))");
        world.reference("images", "link", "first").reference("images", "link", "second");
        if case.units {
            world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)");
            world.db.execute("INSERT INTO job (id) VALUES (2)");
            world.reference_entry(
                "images",
                "{ source = \"app\", table = \"job\", path = \"out/{id}\", directory = true }",
            );
        }
        plant(&world, &case.files);
        write_rows(&world, &case.rows);
        if case.trash {
            keep_trash(&world, "images");
        }
        for (position, policy) in case.policies.iter().enumerate() {
            world.declare(&format!("[policies.p{position}]\nstore = \"images\"\n{}", POLICIES[*policy]));
            if POLICIES[*policy].contains("orphans") {
                world.declare("mode = \"enforce\"");
            }
        }
        adopt(&world, "images");
        compare(&world).await;
    });
}

async fn compare(world: &World) {
    let before = files(world, "images");
    let (plan, listed) = world.plan().await;
    assert_eq!(before, files(world, "images"), "a plan changes nothing");
    let result = world.run().await;
    let mut would_go = BTreeSet::new();
    for line in &listed {
        if let Listed::File { mode: Fate::Enforce, path, .. } = line {
            assert!(would_go.insert(path.clone()), "{path} is listed twice");
        }
    }
    let gone: BTreeSet<_> = before.difference(&files(world, "images")).cloned().collect();
    assert_eq!(would_go, gone, "{plan:?}\n{result:?}");
    for (planned, done) in plan.policies.iter().zip(&result.policies) {
        assert_eq!(planned.status, done.status, "{planned:?}\n{done:?}");
        assert_eq!(planned.tally.files_deleted, done.tally.files_deleted, "{planned:?}\n{done:?}");
        assert_eq!(planned.tally.files_trashed, done.tally.files_trashed, "{planned:?}\n{done:?}");
    }
}

fn parity(kind: EngineKind, cases: u32, most: usize) {
    let config = ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 60, ..ProptestConfig::default() };
    let mut runner = crate::world::generated_cases(config);
    runner
        .run(&case(most), |mut case| {
            // What a link frees depends on the other links, and those an earlier policy may have taken.
            if most > 1 {
                case.files.iter_mut().for_each(|file| file.link = None);
            }
            check(kind, &case);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn d13_a_plan_names_what_one_policy_deletes_sqlite() {
    parity(EngineKind::Sqlite, 60, 1);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_sqlite() {
    parity(EngineKind::Sqlite, 60, 3);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_postgres() {
    parity(EngineKind::Postgres, 12, 3);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_mariadb() {
    parity(EngineKind::MariaDb, 12, 3);
}

//! What `plan --list` names is exactly what `run` deletes (G6, D13): over generated trees, references and policies.

use proptest::prelude::*;
use retaind::run::{Fate, Listed};
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::engines::EngineKind;
use crate::needs::Need;
use crate::world::effort;

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
    (place(), any::<bool>(), prop_oneof![0..4u8, 4..14u8]).prop_map(|((directory, name), column, spelling)| Row {
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
    /// The second column holds bytes.
    bytes: bool,
}

fn case(most: usize) -> impl Strategy<Value = Case> {
    let policies = proptest::collection::vec(0..POLICIES.len(), 1..=most);
    (
        proptest::collection::vec(file(), 0..40),
        proptest::collection::vec(row(), 0..25),
        policies,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(files, rows, policies, units, trash, bytes)| Case {
            files,
            rows,
            policies,
            units,
            trash,
            bytes,
        })
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

/// The path of the file that a row names; none for names that are no text.
fn named(row: &Row) -> Option<String> {
    let name = std::str::from_utf8(NAMES[row.name]).ok()?;
    Some(format!("{}/{name}", DIRECTORIES[row.directory]).trim_start_matches('/').to_owned())
}

/// A path as the row has it: in a way that leads to the file, or in one that may mean it.
fn spelled(path: &str, spelling: u8, root: &Path) -> String {
    match spelling {
        0 => format!("./{path}"),
        1 => path.replacen('/', "//", 1),
        2 => format!("x/../{path}"),
        3 => root.join(path).display().to_string(),
        4 => format!("%{:02x}{}", path.as_bytes()[0], path.get(1..).unwrap_or_default()),
        5 => path.to_uppercase(),
        6 => format!("{path}?v=3"),
        7 => format!("{path} "),
        8 => path.replace('/', "\\"),
        9 => format!("/old/mount/{path}"),
        _ => path.to_owned(),
    }
}

fn write_rows(world: &World, case: &Case) {
    for (id, row) in case.rows.iter().enumerate() {
        let Some(path) = named(row).filter(|path| path.is_ascii() || row.spelling != 4) else { continue };
        let spelled = spelled(&path, row.spelling, &world.root("images"));
        let column = if row.column { "first" } else { "second" };
        let value = literal(world, &spelled, case.bytes && !row.column);
        world.db.execute(&format!("INSERT INTO link (id, {column}) VALUES ({id}, {value})"));
    }
    // Both columns name something, so that nothing blocks for want of names.
    let anchor = literal(world, "anchor.png", case.bytes);
    world.db.execute(&format!("INSERT INTO link (id, first, second) VALUES (1000, 'anchor.png', {anchor})"));
    put_aged(world, "images", "anchor.png", 9.0);
}

/// A path in SQL, as text or as bytes.
fn literal(world: &World, path: &str, as_bytes: bool) -> String {
    let digits = || path.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    match (as_bytes, world.is(EngineKind::Postgres)) {
        (true, true) => format!("'\\x{}'", digits()),
        (true, false) => format!("x'{}'", digits()),
        (false, _) if world.db.kind().is_mysql() => format!("'{}'", path.replace('\\', "\\\\").replace('\'', "''")),
        (false, _) => format!("'{}'", path.replace('\'', "''")),
    }
}

/// Makes the tables, files and policies of a case.
fn build(kind: EngineKind, case: &Case) -> World {
    let mut world = World::by_mtime(Database::create(kind));
    let second = match (case.bytes, kind) {
        (false, _) => "VARCHAR(300)",
        (true, EngineKind::Postgres) => "bytea",
        (true, EngineKind::Sqlite) => "BLOB",
        (true, _) => "VARBINARY(300)",
    };
    world.db.execute(&format!("CREATE TABLE link (id INTEGER PRIMARY KEY, first VARCHAR(300), second {second})"));
    world.reference("images", "link", "first").reference("images", "link", "second");
    if case.units {
        world.db.execute("CREATE TABLE job (id INTEGER PRIMARY KEY)");
        world.db.execute("INSERT INTO job (id) VALUES (2)");
        world.reference_entry("images", "{ source = \"app\", table = \"job\", path = \"out/{id}\", directory = true }");
    }
    plant(&world, &case.files);
    write_rows(&world, case);
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
    world
}

/// No file goes that a row names, or may mean by another spelling.
fn spares_what_rows_name(world: &World, case: &Case, before: &BTreeSet<String>) {
    let after = files(world, "images");
    for row in &case.rows {
        let Some(path) = named(row).filter(|path| path.is_ascii() || row.spelling != 4) else { continue };
        assert!(!before.contains(&path) || after.contains(&path), "{path} is gone, which {row:?} names");
    }
}

fn check(kind: EngineKind, case: &Case) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let world = build(kind, case);
        let before = files(&world, "images");
        compare(&world).await;
        spares_what_rows_name(&world, case, &before);
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
    let config = ProptestConfig {
        cases: effort(cases),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    };
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
    parity(EngineKind::Sqlite, 30, 1);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_sqlite() {
    parity(EngineKind::Sqlite, 30, 3);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_postgres() {
    needs!(Need::Server);
    parity(EngineKind::Postgres, 8, 3);
}

#[test]
fn d13_a_plan_names_what_several_policies_delete_mariadb() {
    needs!(Need::Server);
    parity(EngineKind::MariaDb, 8, 3);
}

#[test]
fn every_engine_leaves_the_same_files() {
    needs!(Need::Server);
    let config = ProptestConfig {
        cases: effort(8),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    crate::world::generated_cases(config)
        .run(&case(1), |case| {
            let left = EngineKind::ALL.map(|kind| {
                let world = build(kind, &case);
                let result = runtime.block_on(world.run());
                (files(&world, "images"), result)
            });
            for (kind, (other, result)) in EngineKind::ALL.iter().zip(&left).skip(1) {
                assert_eq!(&left[0].0, other, "{kind:?}: {:?}\n{result:?}", left[0].1);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

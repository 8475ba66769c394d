//! What rows name beneath directories: many are asked about at once, by an index or in one pass, and none is overlooked (F18).

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use retaind::policy::{
    AgeBy, FilePath, Ident, Name, PathTemplate, Reference, ReferenceMatch, Store, StorePath, TableName,
};
use retaind::sources::{NamedBy, ReferenceColumn, Session, TableFacts};

use super::open;
use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{effort, generated_cases};

/// A column that holds paths: its type, its index, what is stored of a text `src`, and what of it begins with a text.
struct Shape {
    declared: &'static str,
    index: &'static str,
    value: &'static str,
    text: &'static str,
    /// What is cut to the length of a beginning, and what that is compared with.
    begins: (&'static str, &'static str),
    in_bytes: bool,
}

impl Shape {
    const fn text(declared: &'static str, index: &'static str, text: &'static str) -> Self {
        Self { declared, index, value: "src", text, begins: (text, "@"), in_bytes: false }
    }
}

const POSTGRES: [Shape; 6] = [
    Shape::text("text", "{c}", "({c})::text"),
    Shape::text("text COLLATE \"C\"", "{c}", "({c})::text"),
    Shape::text("varchar(200)", "{c} varchar_pattern_ops", "({c})::text"),
    Shape::text("text COLLATE \"und-x-icu\"", "{c}", "({c})::text"),
    Shape::text("text COLLATE loose", "{c}", "({c})::text"),
    Shape {
        value: "convert_to(src, 'UTF8')",
        begins: ("{c}", "convert_to(@, 'UTF8')"),
        in_bytes: true,
        ..Shape::text("bytea", "{c}", "convert_from({c}, 'UTF8')")
    },
];

const MARIADB_TEXT: &str = "CAST({c} AS CHAR CHARACTER SET utf8mb4)";
const MARIADB: [Shape; 8] = [
    Shape::text("VARCHAR(200) COLLATE utf8mb4_general_ci", "{c}", MARIADB_TEXT),
    Shape::text("VARCHAR(200) COLLATE utf8mb4_unicode_ci", "{c}", MARIADB_TEXT),
    Shape::text("VARCHAR(200) COLLATE utf8mb4_bin", "{c}", MARIADB_TEXT),
    Shape::text("VARCHAR(200) COLLATE utf8mb4_nopad_bin", "{c}", MARIADB_TEXT),
    Shape::text("TEXT COLLATE utf8mb4_bin", "{c}(9)", MARIADB_TEXT),
    Shape::text("CHAR(200) COLLATE utf8mb4_bin", "{c}", MARIADB_TEXT),
    Shape {
        value: "CASE WHEN in_latin = 1 THEN src END",
        ..Shape::text("VARCHAR(200) COLLATE latin1_bin", "{c}", MARIADB_TEXT)
    },
    Shape {
        begins: ("{c}", "CAST(@ AS BINARY)"),
        in_bytes: true,
        ..Shape::text("VARBINARY(800)", "{c}", "CONVERT({c} USING utf8mb4)")
    },
];

const SQLITE: [Shape; 4] = [
    Shape::text("TEXT", "{c}", "CAST({c} AS TEXT)"),
    Shape::text("TEXT COLLATE NOCASE", "{c} COLLATE BINARY", "CAST({c} AS TEXT)"),
    Shape::text("BLOB", "{c}", "CAST({c} AS TEXT)"),
    Shape {
        value: "CASE WHEN id % 2 = 0 THEN CAST(src AS BLOB) ELSE src END",
        ..Shape::text("VARCHAR(200)", "{c}", "CAST({c} AS TEXT)")
    },
];

fn shapes(kind: EngineKind) -> &'static [Shape] {
    match kind {
        EngineKind::Postgres => &POSTGRES,
        EngineKind::MariaDb | EngineKind::MariaDbNoReturning => &MARIADB,
        EngineKind::Sqlite => &SQLITE,
    }
}

fn store() -> Store {
    let (name, root) = (Name::parse("images").unwrap(), "/srv/images".into());
    Store {
        name,
        root,
        strip_prefix: Some("d%ta/".to_owned()),
        references: Vec::new(),
        trash: None,
        age_by: AgeBy::default(),
    }
}

/// The rows of a column or template of table `link`.
async fn fit(db: &Database, session: &mut Session, path: FilePath) -> ReferenceColumn {
    let reference = Reference {
        source: db.source().name,
        table: TableName::parse("link").unwrap(),
        path,
        directory: false,
        matching: ReferenceMatch::Path,
        ignore_prefix: Vec::new(),
        may_be_missing: false,
        may_be_empty: false,
    };
    let facts = TableFacts::load(session, &reference.table).await.unwrap();
    ReferenceColumn::fit(&db.source(), &NamedBy::from(&reference), facts.as_ref()).unwrap()
}

fn beneath(named: HashSet<StorePath>, directories: &[StorePath]) -> BTreeSet<String> {
    let is_beneath = |path: &StorePath| directories.iter().any(|directory| path.is_beneath(directory));
    named.into_iter().filter(is_beneath).map(String::from).collect()
}

/// What rows name beneath some directories when each beginning is asked about by itself, without an index.
async fn one_by_one(
    session: &mut Session,
    shape: &Shape,
    column: &str,
    store: &Store,
    directories: &[StorePath],
) -> BTreeSet<String> {
    let mut named = HashSet::new();
    for beginning in directories.iter().flat_map(|path| store.spellings(path)).map(|spelling| format!("{spelling}/")) {
        let mut sql = session.sql();
        let length = if shape.in_bytes { beginning.len() } else { beginning.chars().count() };
        let (cut, compared) = shape.begins;
        let (before, behind) = compared.split_once('@').unwrap();
        let question = format!("SELECT {} FROM link WHERE substr({cut}, 1, {length}) = {before}", shape.text);
        sql.push(&question.replace("{c}", column)).bind(beginning).push(behind);
        let rows = session.query("a beginning", &sql).await.unwrap();
        named.extend(rows.into_iter().filter_map(|row| store.map_reference(row.0[0].as_deref()?)));
    }
    beneath(named, directories)
}

/// Texts that rows have written, and directories.
fn world() -> impl Strategy<Value = (Vec<String>, Vec<StorePath>)> {
    const PIECES: [&str; 17] = [
        "a",
        "A",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "\u{ffff}",
        "%",
        "_",
        "!",
        "\\",
        "0",
        ".b",
        "\u{1}",
        "\t",
        " ",
        "ß",
        "ss",
    ];
    let name = vec(prop::sample::select(&PIECES[..]), 1..3).prop_map(|pieces| pieces.concat());
    let path = vec(name.clone(), 1..4).prop_map(|names| names.join("/"));
    let begin = prop::sample::select(&["", "d%ta/", "D%TA/", "d_ta/", "/srv/images/", "/srv/images//", "./"][..]);
    let end = prop::sample::select(&["", "", "/", "//", "/./x"][..]);
    let written = (begin, path, end).prop_map(|(begin, path, end)| format!("{begin}{path}{end}"));
    let directory = vec(name, 1..3).prop_map(|names| StorePath::parse(&names.join("/")));
    let directories = vec(directory, 1..12).prop_map(|all| all.into_iter().filter_map(Result::ok).collect());
    (vec(written, 40..80), directories)
}

fn create(db: &Database, shapes: &[Shape]) {
    if db.kind() == EngineKind::Postgres {
        db.execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)");
        // A small table is read as a whole otherwise.
        db.execute(&format!("ALTER DATABASE {} SET enable_seqscan = off", db.name()));
    }
    let columns: Vec<_> = shapes.iter().enumerate().map(|(n, shape)| format!("c{n} {}", shape.declared)).collect();
    let source = if db.kind() == EngineKind::Sqlite || db.kind() == EngineKind::Postgres {
        "TEXT"
    } else {
        "VARCHAR(200) COLLATE utf8mb4_bin"
    };
    db.execute(&format!(
        "CREATE TABLE link (id INTEGER PRIMARY KEY, in_latin INTEGER, src {source}, {})",
        columns.join(", ")
    ));
    for (n, shape) in shapes.iter().enumerate() {
        db.execute(&format!("CREATE INDEX link_{n} ON link ({})", shape.index.replace("{c}", &format!("c{n}"))));
    }
}

fn fill(db: &Database, shapes: &[Shape], written: &[String]) {
    db.execute("DELETE FROM link");
    let row = |(n, text): (usize, &String)| {
        let in_latin = text.chars().all(|c| c < '\u{100}');
        vec![Some(n.to_string()), Some(u8::from(in_latin).to_string()), Some(text.clone())]
    };
    db.insert("link", &["id", "in_latin", "src"], written.iter().enumerate().map(row));
    let values: Vec<_> = shapes.iter().enumerate().map(|(n, shape)| format!("c{n} = {}", shape.value)).collect();
    db.execute(&format!("UPDATE link SET {}", values.join(", ")));
}

fn check(kind: EngineKind) {
    let (db, shapes, store) = (Database::create(kind), shapes(kind), store());
    create(&db, shapes);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut session = runtime.block_on(open(&db));
    let config = Config { cases: effort(40), failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let session = std::cell::RefCell::new(&mut session);
    let found = std::cell::Cell::new(0);
    let checked = generated_cases(config).run(&world(), |(written, mut directories)| {
        let paths = written.iter().step_by(5).filter_map(|written| store.map_reference(written));
        directories.extend(paths.flat_map(|path| path.ancestors().collect::<Vec<_>>()));
        fill(&db, shapes, &written);
        for (n, shape) in shapes.iter().enumerate() {
            let name = format!("c{n}");
            let mut session = session.borrow_mut();
            let (asked, expected) = runtime.block_on(async {
                let column = fit(&db, &mut session, FilePath::Column(Ident::parse(&name).unwrap())).await;
                let named = column.named_beneath(&mut session, &store, &directories, &[]).await.unwrap();
                // Also of a column that cannot hold them.
                column.named(&mut session, &store, &directories, &[]).await.unwrap();
                (beneath(named, &directories), one_by_one(&mut session, shape, &name, &store, &directories).await)
            });
            found.set(found.get() + expected.len());
            prop_assert_eq!(asked, expected, "{} {:?}", shape.declared, directories);
        }
        Ok(())
    });
    checked.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(found.get() > 100, "{}", found.get());
}

#[test]
fn f18_no_path_is_overlooked_postgres() {
    needs!(Need::Server);
    check(EngineKind::Postgres);
}

#[test]
fn f18_no_path_is_overlooked_mariadb() {
    needs!(Need::Server);
    check(EngineKind::MariaDb);
}

#[test]
fn f18_no_path_is_overlooked_sqlite() {
    check(EngineKind::Sqlite);
}

for_each_engine! {
    async fn f18_a_thousand_directories_are_asked_at_once(db) {
        let declared = if db.kind().is_mysql() { "VARCHAR(100)" } else { "TEXT" };
        db.execute(&format!("CREATE TABLE link (id INTEGER PRIMARY KEY, plain {declared}, indexed {declared}, num INTEGER)"));
        let concat = if db.kind().is_mysql() { "CONCAT('d%ta/run-', n, '/x')" } else { "'d%ta/run-' || n || '/x'" };
        db.insert_series("link (id, plain, indexed, num)", &format!("n, {concat}, {concat}, n"), 1..=50_000);
        db.execute("CREATE INDEX link_indexed ON link (indexed)");
        let mut session = open(&db).await;
        let directories: Vec<_> = (49_001..=50_100).map(|n| StorePath::parse(&format!("run-{n}")).unwrap()).collect();
        for column in ["plain", "indexed"] {
            let column = fit(&db, &mut session, FilePath::Column(Ident::parse(column).unwrap())).await;
            let began = Instant::now();
            let named = column.named_beneath(&mut session, &store(), &directories, &[]).await.unwrap();
            // Fifty million comparisons take ten times as long.
            assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
            assert_eq!(named.len(), 1000);
        }
        for (template, files) in [("run-{num}", 0), ("run-{num}/a/b", 1000)] {
            let column = fit(&db, &mut session, FilePath::Template(PathTemplate::parse(template).unwrap())).await;
            let named = column.named_beneath(&mut session, &store(), &directories, &[]).await.unwrap();
            assert_eq!(named.len(), files, "{template}");
        }
    }
}

//! What `plan` lists is exactly what `run` deletes (G6), over generated rows, files and policies.

use std::collections::BTreeSet;

use proptest::prelude::*;
use retaind::outcome::Tally;
use retaind::run::{Fate, Listed};

use crate::engines::{Database, EngineKind};
use crate::needs::Need;
use crate::world::{World, effort};

/// A row: age in days, note, which of a few thumbnails it names and how, which image.
#[derive(Debug, Clone)]
struct Row {
    days: f64,
    note: Option<bool>,
    thumb: Option<(u8, u8)>,
    image: Option<u8>,
}

fn row() -> impl Strategy<Value = Row> {
    let days = prop_oneof![Just(29.0), Just(31.0), Just(45.0), 0.0..60.0f64];
    let thumb = proptest::option::of((0u8..12, 0u8..4));
    (days, proptest::option::of(any::<bool>()), thumb, proptest::option::of(0u8..30))
        .prop_map(|(days, note, thumb, image)| Row { days, note, thumb, image })
}

/// Some of a few policies that overlap in every way.
const POLICIES: [&str; 4] = [
    "[policies.old]\nage = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n",
    "[policies.older]\nage = \"at\"\nkeep = \"40d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }, { store = \"images\", column = \"image\" }]\n",
    "[policies.noted]\nwhere = \"note = 'yes'\"\nfiles = [{ store = \"images\", column = \"image\" }]\n",
    "[policies.reported]\nmode = \"report\"\nage = \"at\"\nkeep = \"1d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n",
];

fn check(kind: EngineKind, rows: Vec<Row>, order: Vec<usize>, batch: u32, indexed: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(Database::create(kind));
        world.create_items();
        if !indexed {
            let on = if kind.is_mysql() { " ON item" } else { "" };
            world.db.execute(&format!("DROP INDEX item_at{on}"));
        }
        for (index, row) in rows.iter().enumerate() {
            let thumb = row.thumb.map(|(file, spelling)| match spelling {
                0 => format!("data/thumbs//{file}.jpg"),
                1 => world.root("thumbs").join(format!("{file}.jpg")).display().to_string(),
                _ => format!("data/thumbs/{file}.jpg"),
            });
            let image = row.image.map(|file| format!("{file}.png"));
            world.item(index as u64 + 1, row.days, thumb.as_deref(), image.as_deref());
            let note = match row.note {
                None => continue,
                Some(true) => "yes",
                Some(false) => "no",
            };
            world.db.execute(&format!("UPDATE item SET note = '{note}' WHERE id = {}", index + 1));
        }
        // Some files are missing already.
        (0..10).for_each(|file| world.put("thumbs", &format!("{file}.jpg"), 3));
        (0..25).for_each(|file| world.put("images", &format!("{file}.png"), 5));
        for index in order {
            let policy = POLICIES[index].replacen(
                "]\n",
                &format!("]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nbatch = {batch}\n"),
                1,
            );
            world.declare(&policy);
        }
        compare(&world).await;
    });
}

async fn compare(world: &World) {
    let before = (world.ids(), world.files("thumbs"), world.files("images"));
    let (plan, listed) = world.plan().await;
    assert_eq!(before, (world.ids(), world.files("thumbs"), world.files("images")), "a plan changes nothing");
    let result = world.run().await;
    let mut rows = BTreeSet::new();
    let (mut thumbs, mut images) = (BTreeSet::new(), BTreeSet::new());
    for line in &listed {
        let new = match line {
            Listed::Row { mode: Fate::Enforce, key, .. } => rows.insert(key.parse::<u64>().unwrap()),
            Listed::File { mode: Fate::Enforce, store, path, .. } if store.as_str() == "thumbs" => {
                thumbs.insert(path.clone())
            }
            Listed::File { mode: Fate::Enforce, path, .. } => images.insert(path.clone()),
            _ => true,
        };
        assert!(new, "{line:?} is listed twice");
    }
    let gone = |before: &BTreeSet<String>, after: BTreeSet<String>| -> BTreeSet<String> {
        before.difference(&after).cloned().collect()
    };
    assert_eq!(rows, before.0.difference(&world.ids()).copied().collect(), "{listed:?}\n{result:?}");
    assert_eq!(thumbs, gone(&before.1, world.files("thumbs")), "{listed:?}\n{result:?}");
    assert_eq!(images, gone(&before.2, world.files("images")), "{listed:?}\n{result:?}");
    for (planned, done) in plan.policies.iter().zip(&result.policies) {
        // Which batch a file is met in depends on where batches end, and a run's earlier policies move that.
        let exact = |tally: &Tally| Tally { files_referenced: 0, ..tally.clone() };
        assert_eq!(exact(&planned.tally), exact(&done.tally), "{}", planned.policy);
        assert_eq!(planned.status, done.status, "{}", planned.policy);
    }
}

fn parity(kind: EngineKind, cases: u32) {
    let rows = proptest::collection::vec(row(), 0..40);
    let order = Just(vec![0, 1, 2, 3])
        .prop_shuffle()
        .prop_flat_map(|order| (1..=4usize).prop_map(move |n| order[..n].to_vec()));
    let config = ProptestConfig {
        cases: effort(cases),
        failure_persistence: None,
        max_shrink_iters: 40,
        ..ProptestConfig::default()
    };
    let mut runner = crate::world::generated_cases(config);
    let all = (rows, order, prop_oneof![Just(1u32), Just(3), Just(7), Just(5000)], any::<bool>());
    runner
        .run(&all, |(rows, order, batch, indexed)| {
            check(kind, rows, order, batch, indexed);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn g6_plan_parity_postgres() {
    needs!(Need::Server);
    parity(EngineKind::Postgres, 10);
}

#[test]
fn g6_plan_parity_mariadb() {
    needs!(Need::Server);
    parity(EngineKind::MariaDb, 8);
}

#[test]
fn g6_plan_parity_mariadb_no_returning() {
    needs!(Need::Server);
    parity(EngineKind::MariaDbNoReturning, 6);
}

#[test]
fn g6_plan_parity_sqlite() {
    parity(EngineKind::Sqlite, 20);
}

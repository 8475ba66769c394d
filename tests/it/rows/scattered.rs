//! Rows of one age that lie all over their table: they go along the keys, which changes each page once, and the same rows go
//! as along the ages.

use std::collections::BTreeSet;
use std::time::Duration;

use retaind::outcome::{RunMode, Status};

use crate::engines::Database;
use crate::world::World;

const ROWS: u64 = 60_000;

/// Half of the rows are old, without any order.
fn world(db: Database, keys: &str) -> World {
    let mut world = World::new(db);
    world.create_items();
    let now = world.clock.now().as_second();
    // 7,919 has no factor in common with the number of rows: each age comes once.
    let at = world.db.instant(&format!("{now} - ((n * 7919) % {ROWS}) * 86"));
    world.db.insert_series("item (id, at)", &format!("n, {at}"), 1..=ROWS);
    world.declare(&format!(
        "[policies.items]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nage = \"at\"\nkeep = \"30d\"\nbatch = 500\n{keys}"
    ));
    world
}

/// Seconds that a row is old.
fn age(id: u64) -> u64 {
    id * 7919 % ROWS * 86
}

fn is_old(id: &u64) -> bool {
    age(*id) > 30 * 86_400
}

for_each_engine! {
    async fn scattered_rows_go_along_their_keys(db) {
        let world = world(db, "pace = { pause = \"20ms\" }\n");
        let (runner, request) = (world.runner().await, world.request(RunMode::Enforce));
        let cancel = request.cancel.clone();
        let run = tokio::spawn(async move { runner.run(request).await });
        while world.ids().len() as u64 > ROWS - 2000 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        cancel.cancel();
        let result = run.await.unwrap().unwrap();
        assert_eq!(result.status, Some(Status::Cancelled), "{result:?}");
        let left = world.ids();
        let gone: BTreeSet<u64> = (1..=ROWS).filter(|id| !left.contains(id)).collect();
        assert!(gone.iter().all(is_old));
        let first_left = left.iter().find(|id| is_old(id)).unwrap();
        assert!(gone.last().unwrap() < first_left, "along the keys: {first_left}, {:?}", gone.last());
        assert_eq!(world.run().await.status, Some(Status::Completed));
        assert_eq!(world.ids(), (1..=ROWS).filter(|id| !is_old(id)).collect());
    }
}

for_each_engine! {
    async fn a_share_of_scattered_rows_is_the_oldest(db) {
        // Six batches, which nothing makes smaller: within one it would be by the key.
        let world = world(db, "at_most = 3000\npace = { target = \"1m\", yield = false }\n");
        let result = world.run().await;
        assert_eq!((result.status, result.totals.rows_deleted), (Some(Status::Completed), 3000), "{result:?}");
        let mut by_age: Vec<u64> = (1..=ROWS).collect();
        by_age.sort_by_key(|id| std::cmp::Reverse(age(*id)));
        assert_eq!(world.ids(), by_age[3000..].iter().copied().collect());
    }
}

//! Nights that are measured by the nights before them, through a real ledger.

use crate::decided::assert_facts;
use serde_json::json;

use super::*;

/// Lets a day pass: SQLite goes by the machine's clock, so that what the ledger remembers becomes older instead.
fn a_day_passes(world: &World) {
    let mut ledger = ledger_file(world);
    let earlier = |instant: &str| format!("strftime('%Y-%m-%dT%H:%M:%fZ', {instant}, '-1 day')");
    let hold_since = earlier("json_extract(hold, '$.since')");
    ledger.execute(&format!("UPDATE runs SET started_at = {}", earlier("started_at"))).unwrap();
    ledger.execute(&format!("UPDATE holds SET hold = json_set(hold, '$.since', {hold_since})")).unwrap();
}

/// Rows that are old enough.
fn old_rows(world: &World, count: u64) {
    let next: u64 = world.db.value("SELECT COALESCE(MAX(id), 0) + 1 FROM item").unwrap().parse().unwrap();
    world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(40.0)), next..=next + count - 1);
}

/// A world after so many nights, each of which took so many rows.
async fn after_nights(nights: u32, each: u64) -> World {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.create_items();
    world.declare(&keep(30));
    reload(&world).await;
    for _ in 0..nights {
        old_rows(&world, each);
        completed(&night(&world).await, each);
        a_day_passes(&world);
    }
    world
}

#[tokio::test]
async fn a_restored_database_stays_held_while_waiting() {
    let world = after_nights(12, 150).await;
    old_rows(&world, 5000);
    let hold = held(&night(&world).await).0.clone();
    assert_eq!(hold.kind, HoldKind::Growth);
    assert_facts(&hold.facts, json!({ "amount": 5000, "largest": 150, "most": 1500 }));
    for _ in 0..45 {
        a_day_passes(&world);
        old_rows(&world, 150);
        if world.db.value("SELECT COUNT(*) FROM item").unwrap().parse::<u64>().unwrap() % 1500 == 500 {
            held(&night(&world).await);
        }
    }
    let result = night(&world).await;
    assert_eq!(held(&result).1, 5000 + 45 * 150);
    // Somebody asks for it by name, or approves it.
    approve(&world, "items").await;
    completed(&night(&world).await, 5000 + 45 * 150);
}

#[tokio::test]
async fn more_than_approved_waits_and_stays_unusual() {
    let world = after_nights(12, 150).await;
    old_rows(&world, 2000);
    held(&night(&world).await);
    approve_amount(&world, "items", 1999).await;
    for _ in 0..3 {
        let result = night(&world).await;
        let (hold, _) = held(&result);
        assert_facts(&hold.facts, json!({ "guard": "approved", "amount": 2000, "most": 1999 }));
        (0..20).for_each(|_| a_day_passes(&world));
    }
    approve(&world, "items").await;
    completed(&night(&world).await, 2000);
}

#[tokio::test]
async fn a_month_without_a_run_is_not_held() {
    let world = after_nights(12, 150).await;
    (0..30).for_each(|_| a_day_passes(&world));
    old_rows(&world, 30 * 150);
    completed(&night(&world).await, 30 * 150);
}

#[tokio::test]
async fn first_runs_take_a_thousand_or_a_tenth() {
    for (old, young, is_held) in [(1000, 0, false), (1001, 0, true), (1100, 11_000, false), (1300, 11_000, true)] {
        let world = after_nights(0, 0).await;
        old_rows(&world, old);
        if young > 0 {
            world.db.insert_series("item (id, at)", &format!("n, {}", world.days_ago(1.0)), old + 1..=old + young);
        }
        let result = night(&world).await;
        assert_eq!(result.policies[0].held.is_some(), is_held, "{old} {young} {result:?}");
        if is_held {
            // On request it goes.
            completed(&world.run().await, old);
        }
    }
}

#[tokio::test]
async fn max_growth_is_the_factor() {
    let mut world = after_nights(2, 600).await;
    old_rows(&world, 1300);
    world.redeclare(&items("keep = \"30d\"\nmax_growth = 2"));
    reload(&world).await;
    assert_eq!(held(&night(&world).await).0.kind, HoldKind::Growth);
    // A larger factor is a looser guard, which waits as well.
    world.redeclare(&items("keep = \"30d\"\nmax_growth = 5"));
    reload(&world).await;
    held(&night(&world).await);
    approve(&world, "items").await;
    completed(&night(&world).await, 1300);
}

#[tokio::test]
async fn hooks_do_not_run_for_a_known_hold() {
    let mut world = after_nights(0, 0).await;
    let hooked = Hooked::of(&world);
    world.redeclare(&(hooked.declaration() + &items(&format!("keep = \"30d\"\n{}", Hooked::TASK))));
    reload(&world).await;
    old_rows(&world, 1200);
    for _ in 0..2 {
        held(&night_of(&world, "sweep").await);
        assert!(!hooked.ran());
    }
    approve(&world, "items").await;
    completed(&night_of(&world, "sweep").await, 1200);
    assert!(hooked.ran());
    // A usual night.
    old_rows(&world, 1200);
    completed(&night_of(&world, "sweep").await, 1200);
    assert!(hooked.ran());
}

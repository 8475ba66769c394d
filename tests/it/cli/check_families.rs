//! `check` on files of several series that one `keep_last` counts together.

use super::check::{findings, messages};
use crate::engines::{Database, EngineKind};
use crate::world::World;

#[test]
fn f11_series_under_one_keep_last_are_named() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    world.declare(
        "[policies.backups]\nkind = \"files\"\nstore = \"images\"\nmatch = \"*.gz\"\nkeep = \"14d\"\nkeep_last = 7\n\
         mode = \"report\"\n",
    );
    for day in 1..=9 {
        world.put("images", &format!("shop-2026-02-0{day}.gz"), 1);
    }
    world.put("images", "notes-2026-01-01.txt", 1);
    let warned = messages(&findings(&world, "warn", 0));
    assert!(!warned.contains("several series"), "{warned}");
    world.put("images", "crm-2026-01-01.gz", 1);
    let warned = messages(&findings(&world, "warn", 0));
    assert!(warned.contains("keep_last = 7 counts files of several series together, such as \"shop-"), "{warned}");
    assert!(warned.contains("\"crm-2026-01-01.gz\""), "{warned}");
}

//! `check` of stores whose files go with rows: adoption, and what the first rows of each column name.

use super::call_in;
use super::check::{all_findings, messages, text};
use crate::world::World;

const ITEMS: &str = "[policies.items]\nkind = \"rows\"\ntask = \"retention\"\nsource = \"app\"\ntable = \"item\"\n\
                     age = \"at\"\nkeep = \"30d\"\nfiles = [{ store = \"thumbs\", column = \"thumb\" }]\n";

/// The findings of a level that say something.
fn said(world: &World, level: &str, part: &str) -> Vec<serde_json::Value> {
    let all = all_findings(world, level, 0);
    all.into_iter().filter(|finding| text(&finding["message"]).contains(part)).collect()
}

/// The warnings about stores that are not adopted.
fn not_adopted(world: &World) -> Vec<serde_json::Value> {
    all_findings(world, "warn", 0).into_iter().filter(|finding| finding["code"] == "not_adopted").collect()
}

for_each_engine! {
    fn f43_paths_that_lead_nowhere_are_reported_beforehand(db) {
        let mut world = World::new(db);
        world.create_items();
        for id in 1..=8 {
            world.put("thumbs", &format!("{id}.jpg"), 1);
            let prefix = if id <= 6 { "thumbnails" } else { "data/thumbs" };
            world.item(id, 40.0, Some(&format!("{prefix}/{id}.jpg")), None);
        }
        world.item(9, 40.0, None, None);
        world.declare(ITEMS);
        let warnings = said(&world, "warn", "do not lead into it");
        assert_eq!(warnings.len(), 1, "{}", messages(&warnings));
        let (message, fix) = (text(&warnings[0]["message"]), text(&warnings[0]["fix"]));
        assert!(message.starts_with("6 of 8 paths in item.thumb do not lead into it, for example"), "{message}");
        assert!(message.contains("\"thumbnails/") && message.contains("such rows stay"), "{message}");
        assert!(fix.contains("strip_prefix of [stores.thumbs]") && fix.contains("outside = \"release\""), "{fix}");
        let there = said(&world, "ok", "files that item.thumb names");
        assert!(text(&there[0]["message"]).starts_with("2 of the 2 files"), "{}", messages(&there));
        world.redeclare(&ITEMS.replace("\"thumb\" }", "\"thumb\", outside = \"release\" }"));
        assert_eq!(messages(&said(&world, "warn", "do not lead into it")), "");
    }

    fn f44_when_all_files_are_missing_adopt_is_suggested(db) {
        let mut world = World::new(db);
        world.create_items();
        (1..=5).for_each(|id| world.item(id, 40.0, Some(&format!("data/thumbs/{id}.jpg")), None));
        let templated = "[policies.others]\nkind = \"rows\"\nsource = \"app\"\ntable = \"item\"\nwhere = \"id < 0\"\n\
                         files = [{ store = \"images\", path = \"of/{id}\", directory = true }]\n";
        world.declare(ITEMS).declare(templated);
        let missing = said(&world, "warn", "0 of the 5 files");
        let told: Vec<_> = missing.iter().map(|finding| (text(&finding["subject"]), text(&finding["fix"]))).collect();
        assert_eq!(missing.len(), 2, "{}", messages(&missing));
        for store in ["thumbs", "images"] {
            let adopt = format!("retaind adopt {store}");
            assert!(told.iter().any(|(subject, fix)| *subject == format!("store {store}") && fix.contains(&adopt)), "{told:?}");
            assert!(not_adopted(&world).iter().any(|finding| text(&finding["fix"]) == adopt));
        }
        assert!(text(&missing[0]["message"]).contains("item.thumb names") || text(&missing[1]["message"]).contains("item.thumb names"));
        world.redeclare(&ITEMS.replace("\"thumb\" }", "\"thumb\", may_be_missing = true }"));
        assert_eq!(messages(&said(&world, "warn", "files that")), "");
        // Once adopted, nothing more is said of that.
        call_in(&world, &["adopt", "thumbs", "--yes"]).with(0);
        assert_eq!(messages(&not_adopted(&world)), "");
    }
}

//! Files of one time: the later name is the newer one, in a plan as in a run.

use super::*;
use crate::engines::EngineKind;
use crate::world::paths;

#[tokio::test(flavor = "multi_thread")]
async fn f11_of_files_of_one_time_later_names_stay() {
    for rule in ["keep_last = 2", "max_total = \"2kB\""] {
        let mut world = World::new(Database::create(EngineKind::Sqlite));
        world.declare(&format!(
            "[policies.newest]\nkind = \"files\"\nstore = \"images\"\nmatch = \"**/*\"\nper = \"directory\"\n{rule}\n"
        ));
        // Later than anything that the machine notes of them by itself.
        let at = SystemTime::now() + Duration::from_secs(3600);
        for name in ["b", "d", "a", "e", "c", "sub/y", "sub/x"] {
            world.put("images", name, 1000);
            let file = std::fs::File::options().write(true).open(world.root("images").join(name)).unwrap();
            file.set_modified(at).unwrap();
        }
        adopt(&world, "images");
        let (plan, _) = world.plan().await;
        run(&world).await;
        assert_eq!(files(&world, "images"), paths(["d", "e", "sub/x", "sub/y"]), "{rule}");
        assert_eq!(plan.totals.files_deleted, 3);
    }
}

/// One limit for several series takes the last of one: `check` warns of it, and a policy for each keeps them apart.
#[tokio::test(flavor = "multi_thread")]
async fn d23_the_last_backup_of_each_series_stays() {
    let mut world = World::new(Database::create(EngineKind::Sqlite));
    for series in ["shop", "crm"] {
        world.declare(&format!(
            "[policies.{series}]\nkind = \"files\"\nstore = \"images\"\nmatch = \"{series}-*.gz\"\nkeep_last = 2\n"
        ));
    }
    let names = ["crm-1.gz", "shop-1.gz", "shop-2.gz", "shop-3.gz", "shop-4.gz"];
    for (hours, name) in names.iter().enumerate() {
        world.put("images", name, 1000);
        let file = std::fs::File::options().write(true).open(world.root("images").join(name)).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(3600 * (1 + hours as u64))).unwrap();
    }
    adopt(&world, "images");
    run(&world).await;
    assert_eq!(files(&world, "images"), paths(["crm-1.gz", "shop-3.gz", "shop-4.gz"]));
}

//! Tests of what takes the place of a file between the decision and its removal (F24).

use super::*;

async fn remove(world: &World, names: &[&str], decided_at: Timestamp) -> Vec<Outcome> {
    let removal = paths(names).into_iter().map(RemovalRequest::file).collect();
    let outcomes = world.open().remove(removal, decided_at, Way::Unlink, &CancellationToken::new()).await;
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn settle() {
    std::thread::sleep(Duration::from_millis(30));
}

#[tokio::test]
async fn f24_an_upload_renamed_over_the_path_stays_pending() {
    for world in World::both() {
        for path in ["old", "upload", "other", "directory/in/it"] {
            world.write(path);
        }
        settle();
        let decided_at = Clock::system().now();
        settle();
        std::fs::rename(world.root().join("upload"), world.root().join("old")).unwrap();
        std::fs::rename(world.root().join("directory/in"), world.root().join("directory/moved")).unwrap();
        let outcomes = remove(&world, &["old", "other"], decided_at).await;
        assert!(matches!(&outcomes[0], Outcome::Failed(Unremoved::Stays(Stays::ChangedLately))), "{outcomes:?}");
        assert!(matches!(outcomes[1], Outcome::Removed { .. }), "{outcomes:?}");
        let removal = vec![RemovalRequest::directory(StorePath::parse("directory/moved").unwrap())];
        let (stop, way) = (CancellationToken::new(), Way::Unlink);
        let outcomes = world.open().remove(removal.clone(), decided_at, way, &stop).await;
        assert!(matches!(&outcomes[0].1, Outcome::Failed(Unremoved::Stays(Stays::ChangedLately))), "{outcomes:?}");
        assert_eq!(world.survivors(), set(&["directory/moved/it", "old"]));
        settle();
        let outcomes = world.open().remove(removal, Clock::system().now(), way, &stop).await;
        assert!(matches!(outcomes[0].1, Outcome::Removed { .. }), "{outcomes:?}");
    }
}

#[tokio::test]
async fn f24_removing_one_link_leaves_no_doubt_about_others() {
    let world = World::new();
    world.write("a");
    std::fs::hard_link(world.root().join("a"), world.root().join("b")).unwrap();
    settle();
    let (open, stop, decided_at) = (world.open(), CancellationToken::new(), Clock::system().now());
    for name in ["a", "b"] {
        let removal = vec![RemovalRequest::file(StorePath::parse(name).unwrap())];
        let outcomes = open.remove(removal, decided_at, Way::Unlink, &stop).await;
        assert!(matches!(outcomes[0].1, Outcome::Removed { .. }), "{outcomes:?}");
    }
    assert_eq!(world.survivors(), set(&[]));
}

#[tokio::test]
async fn f24_a_file_goes_only_with_all_times_unchanged() {
    let world = World::new();
    for path in ["changed", "same"] {
        world.write(path);
    }
    settle();
    let open = world.open();
    let removal = ["changed", "same"].map(|name| {
        let path = RawPath::parse(name.as_bytes()).unwrap();
        let Ok(Glance::File(facts)) = open.glance(&path) else { panic!("{name} is there") };
        RemovalRequest::seen(path, facts.seen())
    });
    let written = std::fs::metadata(world.root().join("changed")).unwrap().modified().unwrap();
    std::fs::write(world.root().join("upload"), std::fs::read(world.root().join("changed")).unwrap()).unwrap();
    std::fs::File::open(world.root().join("upload")).unwrap().set_modified(written).unwrap();
    std::fs::rename(world.root().join("upload"), world.root().join("changed")).unwrap();
    let outcomes = open.remove(removal.to_vec(), Clock::system().now(), Way::Unlink, &CancellationToken::new()).await;
    assert!(matches!(&outcomes[0].1, Outcome::Kept(Stays::Changed)), "{outcomes:?}");
    assert!(matches!(outcomes[1].1, Outcome::Removed { .. }), "{outcomes:?}");
    assert_eq!(world.survivors(), set(&["changed"]));
}

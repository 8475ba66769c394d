//! Tests of the marker: what it says, what is refused, and that nothing hostile in its place is followed.

use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode};

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn adopt(world: &World, store: &str) -> Marker {
    let open = world.open();
    let marker = Marker::new(name(store), open.identify().unwrap().here, later());
    open.adopt(&marker, None).unwrap();
    marker
}

#[test]
fn a_marker_comes_back_as_it_was_written() {
    for world in World::both() {
        world.write("a");
        assert_eq!(world.open().identify().unwrap().marker, None);
        let marker = adopt(&world, "images");
        let identity = world.open().identify().unwrap();
        let found = identity.marker.clone().unwrap();
        assert_eq!((found.id, found.adopted_at, found.file_system), (marker.id, marker.adopted_at, marker.file_system));
        assert_eq!(
            (identity.found(&name("images")).and_then(|marker| marker.mismatch), &found.placed),
            (None, &identity.placed)
        );
        let again = adopt(&world, "thumbnails");
        assert_ne!(again.id, marker.id);
        assert_eq!(world.open().identify().unwrap().marker.map(|marker| marker.id), Some(again.id));
        let mode = |path: &str| std::fs::metadata(world.root().join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(".retaind"), mode(".retaind/store.json")), (0o700, 0o600));
        assert_eq!(world.survivors(), set(&["a", ".retaind/store.json"]), "nothing is left behind");
    }
}

#[test]
fn d3_markers_of_other_stores_do_not_match() {
    let at = |device, fsid| FileSystem { device, fsid };
    let nowhere = Placed::default();
    let marker = Marker::new(name("images"), at(1, 7), later());
    assert_eq!(marker.mismatch(&name("images"), at(1, 7), &nowhere), None);
    assert_eq!(marker.mismatch(&name("images"), at(2, 7), &nowhere), None, "a disk may get another number");
    let other = marker.mismatch(&name("thumbnails"), at(1, 7), &nowhere).unwrap();
    assert_eq!(other, Mismatch::Store { marked: name("images") });
    assert!(matches!(marker.mismatch(&name("images"), at(1, 8), &nowhere), Some(Mismatch::FileSystem { .. })));
    for (marked, here, matches) in [(0, 7, true), (7, 0, true), (0, 0, true)] {
        let marker = Marker::new(name("images"), at(1, marked), later());
        assert_eq!(marker.mismatch(&name("images"), at(1, here), &nowhere).is_none(), matches);
        assert!(marker.mismatch(&name("images"), at(2, here), &nowhere).is_some(), "without an id the device counts");
    }
}

#[test]
fn f38_device_numbers_count_only_without_better_evidence() {
    fn device(minor: u32) -> FileSystem {
        FileSystem { device: rustix::fs::makedev(8, minor), fsid: 0 }
    }
    // XFS and FAT repeat the number of their device where others have an id.
    fn repeated(minor: u32) -> FileSystem {
        FileSystem { fsid: u64::from((8 << 8) | minor), ..device(minor) }
    }
    let born = |born_ns| Placed { inode: Some(7), born_ns: Some(born_ns), file_system_uuid: None };
    let with = |file_system, placed: &Placed| Marker {
        placed: placed.clone(),
        ..Marker::new(name("images"), file_system, later())
    };
    let mismatch = |marker: &Marker, here, placed: &Placed| marker.mismatch(&name("images"), here, placed);
    for at in [device, repeated] {
        let marker = with(at(1), &born(5));
        assert_eq!(mismatch(&marker, at(2), &born(5)), None, "the device was given another number");
        assert_eq!(mismatch(&marker, at(1), &born(6)), Some(Mismatch::Copy), "a copy on the same number");
        assert_eq!(mismatch(&marker, at(1), &Placed { inode: Some(8), ..born(5) }), Some(Mismatch::Copy));
        // What an earlier version wrote says no more than the device.
        let old = with(at(1), &Placed::default());
        assert_eq!(mismatch(&old, at(1), &born(5)), None);
        assert!(matches!(mismatch(&old, at(2), &born(5)), Some(Mismatch::FileSystem { .. })));
        // Nor does a file system that knows no births: then its UUID counts, and without one the device.
        let of = |uuid: Option<&str>| Placed { born_ns: None, file_system_uuid: uuid.map(str::to_owned), ..born(0) };
        let marker = with(at(1), &of(Some("aa")));
        assert_eq!(mismatch(&marker, at(2), &of(Some("aa"))), None);
        assert!(mismatch(&marker, at(1), &of(Some("bb"))).is_some());
        assert!(mismatch(&marker, at(2), &of(None)).is_some());
    }
    let marker = with(FileSystem { device: 1, fsid: 0xf00d_0001 }, &born(5));
    assert!(mismatch(&marker, FileSystem { device: 1, fsid: 0xf00d_0002 }, &born(5)).is_some(), "a copy of the blocks");
}

#[test]
fn f38_exact_copies_are_refused_and_renamed_roots_accepted() {
    for world in World::both() {
        adopt(&world, "images");
        let (own, aside) = (world.root().join(".retaind"), world.outside().join("original"));
        std::fs::rename(&own, &aside).unwrap();
        assert!(Command::new("cp").arg("-a").args([&aside, &own]).status().unwrap().success());
        assert_eq!(
            world.open().identify().unwrap().found(&name("images")).and_then(|marker| marker.mismatch),
            Some(Mismatch::Copy)
        );
        world.put_away(&own);
        std::fs::rename(&aside, &own).unwrap();
        assert_eq!(world.open().identify().unwrap().found(&name("images")).and_then(|marker| marker.mismatch), None);
    }
}

#[test]
fn f38_an_earlier_version_stays_valid_and_is_extended() {
    let world = World::new();
    let marker = adopt(&world, "images");
    let file = world.root().join(".retaind/store.json");
    let old = serde_json::to_vec(&Marker { placed: Placed::default(), ..marker.clone() }).unwrap();
    assert!(!String::from_utf8_lossy(&old).contains("inode"), "as an earlier version wrote it");
    std::fs::write(&file, old).unwrap();
    assert_eq!(world.open().identify().unwrap().found(&name("images")).and_then(|marker| marker.mismatch), None);
    world.open().extend_marker(&name("thumbnails")).unwrap();
    assert_eq!(world.open().identify().unwrap().marker.unwrap().placed, Placed::default(), "not of another store");
    world.open().extend_marker(&name("images")).unwrap();
    let identity = world.open().identify().unwrap();
    let extended = identity.marker.clone().unwrap();
    assert_eq!((extended.id, extended.adopted_at), (marker.id, marker.adopted_at));
    assert!(extended.placed.inode.is_some() && extended.placed == identity.placed, "{identity:?}");
}

#[test]
fn g4_nothing_in_its_place_is_followed_or_awaited() {
    for world in World::both() {
        adopt(&world, "images");
        let (own, file) = (world.root().join(".retaind"), world.root().join(".retaind/store.json"));
        let good = std::fs::read(&file).unwrap();
        std::fs::write(world.outside().join("store.json"), &good).unwrap();
        let says = |expected: &str| {
            let error = world.open().identify().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains(&world.root().display().to_string()), "{error}");
        };
        let write = |bytes: &[u8]| std::fs::write(&file, bytes).unwrap();
        for broken in [&b""[..], b"{}", b"[]", b"\xff", b"{\"store\": \"images\"}", &good[..good.len() / 2]] {
            write(broken);
            says("is not a marker");
        }
        write(&vec![b' '; 1 << 20]);
        says("is longer than");
        world.put_away(&file);
        symlink(world.outside().join("store.json"), &file).unwrap();
        says("is not a file");
        world.put_away(&file);
        rustix::fs::mknodat(CWD, &file, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        says("is not a file");
        world.put_away(&file);
        std::fs::create_dir(&file).unwrap();
        says("is not a file");
        world.put_away(&own);
        symlink(world.outside(), &own).unwrap();
        says("is a symbolic link or no directory");
        let marker = Marker::new(name("images"), FileSystem { device: 1, fsid: 1 }, later());
        assert!(matches!(world.open().adopt(&marker, None), Err(MarkerError::NotOurs { .. })));
        world.put_away(&own);
        std::fs::write(&own, b"").unwrap();
        says("is a symbolic link or no directory");
        assert_eq!(std::fs::read(world.outside().join("store.json")).unwrap(), good);
        assert_eq!(names(&world.outside()), set(&["store.json"]));
    }
}

#[test]
fn adopting_replaces_a_link_and_not_its_target() {
    let world = World::new();
    let marker = adopt(&world, "images");
    let file = world.root().join(".retaind/store.json");
    world.put_away(&file);
    write(&world.outside().join("precious"));
    symlink(world.outside().join("precious"), &file).unwrap();
    world.open().adopt(&marker, None).unwrap();
    assert_eq!(world.open().identify().unwrap().marker.map(|marker| marker.id), Some(marker.id));
    assert_eq!(std::fs::read(world.outside().join("precious")).unwrap(), b"bytes");
}

#[test]
fn a_marker_belongs_to_whoever_will_need_it() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let open = world.open();
    let marker = Marker::new(name("images"), open.identify().unwrap().here, later());
    open.adopt(&marker, Some(Owner { user: 65534, group: 65534 })).unwrap();
    for path in [".retaind", ".retaind/store.json"] {
        assert_eq!(std::fs::metadata(world.root().join(path)).unwrap().uid(), 65534, "{path}");
    }
}

#[test]
fn the_room_is_that_of_the_file_system() {
    let space = World::new().open().space().unwrap();
    assert!(space.available_bytes > 0 && space.total_bytes >= space.available_bytes, "{space:?}");
}

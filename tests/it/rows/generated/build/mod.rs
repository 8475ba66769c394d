//! Makes of a specification a database, two stores and a configuration.

mod policies;
mod rows;
mod tables;

use std::fmt::Write;
use std::sync::Arc;

use retaind::clock::Clock;

pub use policies::policy_name;
pub use rows::number;

use super::spec::{Owner, Spec, Store, Table};
use crate::engines::Database;
use crate::world::World;

/// How many values the column `file` may have.
pub const FILES: usize = 26;

/// A value of the column `file`.
pub struct Value {
    /// As the row has it.
    pub written: Option<String>,
    /// The file that it names, beneath the root.
    pub path: Option<String>,
    /// The file that it may mean, in another spelling.
    pub means: Option<&'static str>,
    /// Whether it is written so that the file may be removed by it.
    pub is_plain: bool,
}

/// One of the values; `root` is the store's.
pub fn value(store: Store, index: usize, root: &str) -> Value {
    let (written, path) = match index {
        0 => return Value { written: None, path: None, means: None, is_plain: false },
        1 => return Value { written: Some(String::new()), path: None, means: None, is_plain: false },
        20.. => return odd_value(store, index),
        9 => ("./f3.bin".to_owned(), "f3.bin"),
        10 => ("d//g.bin".to_owned(), "d/g.bin"),
        11 => ("d/g.bin".to_owned(), "d/g.bin"),
        12 => (format!("{root}/f5.bin"), "f5.bin"),
        13 => ("x/../f6.bin".to_owned(), "f6.bin"),
        14 => ("job-1/a".to_owned(), "job-1/a"),
        15 => ("job-2/a".to_owned(), "job-2/a"),
        16 => ("job-3/preview".to_owned(), "job-3/preview"),
        17 => ("shot-1/b/c".to_owned(), "shot-1/b/c"),
        18 => ("job-1".to_owned(), "job-1"),
        19 => ("job-2/b".to_owned(), "job-2/b"),
        n => {
            let name = format!("f{n}.bin");
            return Value { written: Some(prefixed(store, &name)), path: Some(name), means: None, is_plain: true };
        }
    };
    let written = if written.starts_with('/') { written } else { prefixed(store, &written) };
    // A path with ".." keeps what it names, and removes nothing.
    Value { written: Some(written), path: Some(path.to_owned()), means: None, is_plain: index != 13 }
}

/// A value in a spelling that is not that of the file.
fn odd_value(store: Store, index: usize) -> Value {
    let (written, means) = match index {
        20 => ("%66%34.bin", "f4.bin"),
        21 => ("F2.BIN", "f2.bin"),
        22 => ("f5.bin?v=3", "f5.bin"),
        23 => ("f3.bin ", "f3.bin"),
        24 => ("d\\g.bin", "d/g.bin"),
        _ => ("/old/mount/f6.bin", "f6.bin"),
    };
    let written = if written.starts_with('/') { written.to_owned() } else { prefixed(store, written) };
    Value { written: Some(written), path: None, means: Some(means), is_plain: false }
}

fn prefixed(store: Store, path: &str) -> String {
    match store {
        Store::Thumbs => format!("data/thumbs/{path}"),
        Store::Images => path.to_owned(),
    }
}

/// Builds everything anew in `db`; ages count from that clock.
pub fn build(spec: &Spec, db: &Arc<Database>, clock: Clock) -> World {
    let mut world = World::new(db.clone());
    world.clock = clock;
    let mut sql = String::new();
    for table in [Table::Mark, Table::Shot, Table::Job, Table::Lease] {
        let _ = write!(sql, "DROP TABLE IF EXISTS {};", table.name());
    }
    for table in Table::ALL {
        tables::create(spec, table, db.kind(), &mut sql);
        tables::guard(spec, table, db.kind(), &mut sql);
        rows::insert(spec, table, &world, &mut sql);
    }
    db.execute(&sql);
    put_files(spec, &world);
    for table in Table::ALL {
        for owner in &spec.table(table).files {
            if let Owner::Column(store) = owner {
                world.reference(store.name(), table.name(), "file");
            }
        }
    }
    for (index, policy) in spec.policies.iter().enumerate() {
        world.declare(&policies::toml(spec, index, policy));
    }
    world
}

/// Files 2 to 6 are there; the others are missing already. Rows whose number is no multiple of four have a directory.
fn put_files(spec: &Spec, world: &World) {
    for store in [Store::Thumbs, Store::Images] {
        (2..=6).for_each(|n| world.put(store.name(), &format!("f{n}.bin"), n));
        world.put(store.name(), "d/g.bin", 7);
    }
    for table in [Table::Job, Table::Shot, Table::Mark] {
        let facts = spec.table(table);
        let owned = facts.files.iter().any(|owner| !matches!(owner, Owner::Column(_)));
        let most = if owned { facts.rows.len() } else { 3 };
        for num in (1..=most).filter(|num| num % 4 != 0) {
            for (file, size) in [("preview", 1), ("a", 10), ("b/c", 100)] {
                world.put("images", &format!("{}-{num}/{file}", table.name()), size);
            }
        }
    }
}

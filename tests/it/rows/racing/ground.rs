//! What the purge and the writers race over: the tables, the policy, and the words that an engine has for a row's lock.

use crate::engines::EngineKind;
use crate::world::World;

/// What is done to eligible rows, and what stands between a writer and the purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race {
    /// Rows are deleted, children with them; no foreign keys: whoever adds something to a row locks the row, or asks
    /// afterwards whether the row is still there.
    Locks,
    /// Rows are deleted, children with them; foreign keys stand between, and writers lock nothing by themselves.
    Keys,
    /// As `Locks`; the column of the file holds bytes, and its values are spelled in several ways.
    Spelled,
    /// As `Keys`; rows point to rows of their own table as well, and children point to both columns of a key.
    Trees,
    /// Rows are updated and their files go.
    Updates,
}

impl Race {
    /// Whether foreign keys stand between a writer and the purge.
    pub fn has_keys(self) -> bool {
        matches!(self, Race::Keys | Race::Trees)
    }
}

/// The tables of a race, in the words of its engine.
#[derive(Debug, Clone)]
pub struct Ground {
    pub kind: EngineKind,
    pub race: Race,
    /// SQL for an age that is eligible, and one that is not.
    pub old: String,
    pub young: String,
    /// How many files there are. They are made before the race: one that is written while a run decides is kept as too
    /// new, which is another matter.
    pub images: u64,
    pub thumbs: u64,
}

impl Ground {
    /// Makes tables, policy, and files for so many operations.
    pub fn lay(world: &mut World, race: Race, operations: u64) -> Self {
        let (images, thumbs) = (operations * 2, if race == Race::Updates { 0 } else { operations * 6 / 5 });
        let at = world.db.timestamp_type();
        let image = match (race, world.db.kind()) {
            (Race::Spelled, EngineKind::Postgres) => "bytea",
            (Race::Spelled, EngineKind::Sqlite) => "BLOB",
            (Race::Spelled, _) => "VARBINARY(50)",
            (_, _) => "VARCHAR(50)",
        };
        let previous = if race == Race::Trees { ", FOREIGN KEY (previous) REFERENCES piece (id)" } else { "" };
        world.db.execute(&format!(
            "CREATE TABLE piece (id INTEGER PRIMARY KEY, at {at} NOT NULL, state VARCHAR(10) NOT NULL, \
             times INTEGER NOT NULL, image {image} NOT NULL, lot INTEGER NOT NULL, previous INTEGER, UNIQUE (id, lot)\
             {previous})"
        ));
        world.db.execute("CREATE INDEX piece_previous ON piece (previous)");
        world.db.execute("CREATE INDEX piece_at ON piece (at)");
        for table in ["shield", "hold", "part"] {
            let key = match (race.has_keys(), race == Race::Trees && table == "part") {
                (false, _) => "",
                (true, false) => ", FOREIGN KEY (piece_id) REFERENCES piece (id)",
                (true, true) => ", FOREIGN KEY (piece_id, piece_lot) REFERENCES piece (id, lot)",
            };
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, piece_id INTEGER NOT NULL, piece_lot INTEGER, \
                 thumb VARCHAR(50){key})"
            ));
            world.db.execute(&format!("CREATE INDEX {table}_piece ON {table} (piece_id, piece_lot)"));
        }
        (1..=images).for_each(|id| world.put("images", &format!("{id}.png"), 3));
        let common = "[policies.race]\nkind = \"rows\"\nsource = \"app\"\ntable = \"piece\"\nbatch = 50\npace = { yield = false }\nparallel = 2\n\
             files = [{ store = \"images\", column = \"image\" }]\n\
             protected_by = [{ table = \"shield\", on = \"shield.piece_id = piece.id\" }]\n";
        world.reference("images", "piece", "image");
        let (old, young) = match race {
            Race::Updates => {
                // A file of a row that expired is no file of its own any more: that row does not name it.
                world.declare(&format!(
                    "{common}expires = \"at\"\nwhere = \"state = 'live'\"\naction = \"update\"\n\
                     set = {{ state = \"expired\", times = {{ sql = \"times + 1\" }} }}"
                ));
                (world.days_ago(0.1), world.days_ago(-1.0))
            }
            Race::Locks | Race::Keys | Race::Spelled | Race::Trees => {
                let part = match race {
                    Race::Trees => "column = [\"piece_id\", \"piece_lot\"], references = [\"id\", \"lot\"]",
                    _ => "column = \"piece_id\", references = \"id\"",
                };
                (1..=thumbs).for_each(|id| world.put("thumbs", &format!("{id}.jpg"), 2));
                world.declare(&format!(
                    "{common}age = \"at\"\nkeep = \"30d\"\nchildren = [{{ table = \"hold\", column = \"piece_id\", \
                     references = \"id\", on_delete = \"keep-parent\" }}, {{ table = \"part\", {part}, on_delete = \"delete\", files = [{{ store = \"thumbs\", column = \"thumb\" }}] }}]"
                ));
                (world.days_ago(40.0), world.days_ago(0.0))
            }
        };
        Self { kind: world.db.kind(), race, old, young, images, thumbs }
    }

    pub fn age(&self, is_old: bool) -> &str {
        if is_old { &self.old } else { &self.young }
    }

    pub fn insert(&self, id: u64, is_old: bool, image: u64) -> String {
        format!(
            "INSERT INTO piece (id, at, state, times, image, lot) VALUES ({id}, {}, 'live', 0, {}, {})",
            self.age(is_old),
            self.image(id, image),
            lot(id)
        )
    }

    /// SQL for the path of a file, as the row of that id spells it.
    pub fn image(&self, id: u64, image: u64) -> String {
        let path = match (self.race, id % 3) {
            (Race::Spelled, 0) => format!("./{image}.png"),
            (Race::Spelled, 1) => format!(".//{image}.png"),
            (_, _) => format!("{image}.png"),
        };
        let hex = || path.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        match (self.race, self.kind) {
            (Race::Spelled, EngineKind::Postgres) => format!("'\\x{}'", hex()),
            (Race::Spelled, _) => format!("x'{}'", hex()),
            (_, _) => format!("'{path}'"),
        }
    }

    /// SQL that shows the path of a row's file as text.
    pub fn shows_image(&self) -> &'static str {
        match (self.race, self.kind) {
            (Race::Spelled, EngineKind::Postgres) => "convert_from(image, 'UTF8')",
            (Race::Spelled, _) => "CAST(image AS CHAR(50))",
            (_, _) => "image",
        }
    }

    /// Asks whether the purge has left a row alone.
    pub fn asks(&self, id: u64) -> String {
        format!("SELECT id FROM piece WHERE id = {id} AND state = 'live'")
    }

    pub fn begins(&self) -> &'static str {
        if self.kind == EngineKind::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }
    }

    /// What a question ends with that keeps the row as it is until the end of the transaction.
    pub fn locks(&self, changes: bool) -> &'static str {
        match (self.kind, changes) {
            (EngineKind::Sqlite, _) => "",
            (_, true) => " FOR UPDATE",
            // As a foreign key does by itself.
            (EngineKind::Postgres, false) => " FOR KEY SHARE",
            (EngineKind::MariaDb | EngineKind::MariaDbNoReturning, false) => " LOCK IN SHARE MODE",
        }
    }
}

/// The second column of a row's key.
pub fn lot(id: u64) -> u64 {
    id % 5
}

//! What the purge and the writers race over: the tables, the policy, and the words that an engine has for a row's lock.

use crate::engines::EngineKind;
use crate::world::World;

/// Files are made before the race: one that is written while a run decides is kept as too new, which is another
/// matter.
pub const IMAGES: u64 = 9000;
pub const THUMBS: u64 = 6000;

/// What is done to eligible rows, and what stands between a writer and the purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Race {
    /// Rows are deleted, children with them; no foreign keys: whoever adds something to a row locks the row, or asks
    /// afterwards whether the row is still there.
    Locks,
    /// Rows are deleted, children with them; foreign keys stand between, and writers lock nothing by themselves.
    Keys,
    /// Rows are updated and their files go.
    Updates,
}

/// The tables of a race, in the words of its engine.
#[derive(Debug, Clone)]
pub struct Ground {
    pub kind: EngineKind,
    pub race: Race,
    /// SQL for an age that is eligible, and one that is not.
    pub old: String,
    pub young: String,
}

impl Ground {
    /// Makes tables, files and policy.
    pub fn lay(world: &mut World, race: Race) -> Self {
        let key = if race == Race::Keys { ", FOREIGN KEY (piece_id) REFERENCES piece (id)" } else { "" };
        let at = world.db.timestamp_type();
        world.db.execute(&format!(
            "CREATE TABLE piece (id INTEGER PRIMARY KEY, at {at} NOT NULL, state VARCHAR(10) NOT NULL, \
             times INTEGER NOT NULL, image VARCHAR(50) NOT NULL)"
        ));
        world.db.execute("CREATE INDEX piece_at ON piece (at)");
        for table in ["shield", "hold", "part"] {
            world.db.execute(&format!(
                "CREATE TABLE {table} (id INTEGER PRIMARY KEY, piece_id INTEGER NOT NULL, thumb VARCHAR(50){key})"
            ));
            world.db.execute(&format!("CREATE INDEX {table}_piece ON {table} (piece_id)"));
        }
        (1..=IMAGES).for_each(|id| world.put("images", &format!("{id}.png"), 3));
        let common = "[policies.race]\nkind = \"rows\"\nsource = \"app\"\ntable = \"piece\"\nbatch = 50\n\
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
            Race::Locks | Race::Keys => {
                (1..=THUMBS).for_each(|id| world.put("thumbs", &format!("{id}.jpg"), 2));
                world.declare(&format!(
                    "{common}age = \"at\"\nkeep = \"30d\"\nchildren = [{{ table = \"hold\", column = \"piece_id\", \
                     references = \"id\", on_delete = \"keep-parent\" }}, {{ table = \"part\", column = \"piece_id\", \
                     references = \"id\", on_delete = \"delete\", files = [{{ store = \"thumbs\", column = \"thumb\" }}] }}]"
                ));
                (world.days_ago(40.0), world.days_ago(0.0))
            }
        };
        Self { kind: world.db.kind(), race, old, young }
    }

    pub fn age(&self, is_old: bool) -> &str {
        if is_old { &self.old } else { &self.young }
    }

    pub fn insert(&self, id: u64, is_old: bool, image: u64) -> String {
        format!(
            "INSERT INTO piece (id, at, state, times, image) VALUES ({id}, {}, 'live', 0, '{image}.png')",
            self.age(is_old)
        )
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

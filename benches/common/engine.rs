//! The engines that a bench can be asked for by name.

use clap::ValueEnum;

use crate::engines::EngineKind;

#[derive(Clone, Copy, ValueEnum)]
pub enum Engine {
    Postgres,
    Mariadb,
    Sqlite,
}

impl Engine {
    /// What the tests' harness calls it.
    pub fn kind(self) -> EngineKind {
        match self {
            Engine::Postgres => EngineKind::Postgres,
            Engine::Mariadb => EngineKind::MariaDb,
            Engine::Sqlite => EngineKind::Sqlite,
        }
    }

    /// What a table of figures calls it.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Postgres => "PostgreSQL",
            Engine::Mariadb => "MariaDB",
            Engine::Sqlite => "SQLite",
        }
    }
}

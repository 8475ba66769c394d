//! Differences between engines: how each writes what all of them can say, and what only some of them do. The three
//! files beside this one have the same functions; nobody else asks which engine it is.
//!
//! Nothing here knows a connection or builds a statement: the answers are texts, some with holes (`@raw` is a column, `@value`
//! a bound value) that [`Sql::template`](crate::sources::Sql::template) fills.

mod mysql;
mod patterns;
mod postgres;
mod sqlite;
mod traits;
mod typed;

pub(crate) use patterns::ZERO_DATES;
pub(crate) use traits::{Around, Begins, Dialect, Traits, TreeOrder};
pub use typed::ColumnType;
pub(crate) use typed::Typed;

use crate::policy::Engine;

/// The words of an engine.
pub(crate) fn dialect(engine: Engine) -> &'static dyn Dialect {
    match engine {
        Engine::Postgres => &postgres::Postgres,
        Engine::MySql => &mysql::MySql,
        Engine::Sqlite => &sqlite::Sqlite,
    }
}

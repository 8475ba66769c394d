//! The one room that decides: facts, a policy and the time in, a verdict out. Everything that says whether a row, a file, a
//! directory or a whole policy may go, and why not, stands here; whoever gathers facts fills these structs and asks.
//! Pure: it looks at no database, no disk and no clock.

pub mod blocked;
pub mod choose;
pub mod clock;
pub mod facts;
pub mod file;
pub mod files;
pub mod growth;
pub mod guards;
pub mod pace;
pub mod pending;
pub mod policy;
pub mod references;
pub mod replica;
pub mod rows;
pub mod source;
pub mod store;

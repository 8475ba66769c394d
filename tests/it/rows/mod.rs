//! Rows policies, end to end, on every engine: who goes, who stays, by identity.

mod ages;
mod concurrent;
mod eligible;
mod failures;
pub mod files;
mod floors;
mod generated;
mod guards;
mod keyed;
mod keys;
mod parity;
mod pending;
mod racing;
mod recovery;
mod references;
mod related;
mod tables;
mod times;
mod zones;

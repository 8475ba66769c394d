//! Rows policies, end to end, on every engine: who goes, who stays, by identity.

mod ages;
mod bounded;
mod claims;
mod concurrent;
mod eligible;
mod failures;
pub mod files;
mod floors;
mod generated;
mod guards;
mod hijack;
mod keyed;
mod keys;
mod parity;
mod pending;
mod pooled;
mod presence;
mod racing;
mod read_only;
mod recovery;
mod references;
mod related;
mod slow;
mod tables;
mod times;
mod unmapped;
mod zones;

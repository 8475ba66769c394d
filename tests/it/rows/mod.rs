//! Rows policies, end to end, on every engine: who goes, who stays, by identity.

mod eligible;
mod failures;
mod files;
mod guards;
mod parity;
mod recovery;

//! Looks at what is in a store, or what stands in the way there. Changes nothing.

pub(super) mod access;
pub(super) mod lease;
pub(super) mod obstacle;
pub(super) mod open_files;
pub(super) mod space;
pub(super) mod stat;

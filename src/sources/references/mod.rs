//! Finds which files rows still name, and which rows name a file.

pub(super) mod holders;
pub(super) mod lookup;
pub(super) mod sample;
pub(super) mod scan;
pub(super) mod spelling;
pub(super) mod still_named;

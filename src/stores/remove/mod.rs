//! Removes what was decided about: one file, many at once, or a whole directory, by handles only.

pub(super) mod batch;
pub(super) mod context;
pub(super) mod directory;
pub(super) mod empty_dirs;
pub(super) mod exclusions;
pub(super) mod file;
pub(super) mod frame;
pub(super) mod hard_links;
pub(super) mod rename;

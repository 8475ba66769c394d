//! Files that go: those of a tree, those that no row names, those of rows that go.

mod family;
mod owned;
mod removal;
mod scan;
mod tree;
mod volume;

pub use family::family;
pub use owned::owned;
pub use removal::{large_removal, removal};
pub use scan::{beside_python, large_scan, scan};
pub use volume::mount_apart;

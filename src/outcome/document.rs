//! Documents that programs read: each says of which version it is.

use serde::Serialize;

/// Version of what programs are given: fields may be added in it, none changes its meaning or goes.
pub const FORMAT_VERSION: u32 = 1;

/// Something with fields, and its version.
#[derive(Debug, Serialize)]
pub struct Document<'a, T> {
    format_version: u32,
    #[serde(flatten)]
    of: &'a T,
}

impl<'a, T> Document<'a, T> {
    pub fn new(of: &'a T) -> Self {
        Self { format_version: FORMAT_VERSION, of }
    }
}

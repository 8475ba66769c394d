//! The line above a message.

use crate::outcome::Notice;
use crate::text::cut_at;

/// Bytes of a headline at most.
const HEADLINE_BYTES: usize = 250;

/// Machine and matter, as short as receivers want it.
pub(super) fn headline(notice: &Notice) -> String {
    cut_at(format!("{}: {}", notice.host, notice.title), HEADLINE_BYTES)
}

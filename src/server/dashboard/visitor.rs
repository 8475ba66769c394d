//! Whoever looks at a page: who they are, and what they may do.

use super::super::control::Caller;
use crate::policy::Name;

/// Whoever looks at a page.
pub(super) struct Visitor {
    pub(super) caller: Caller,
    /// Token of the log-in; none on the socket, where the kernel tells who it is.
    pub(super) token: Option<Name>,
    /// Word that each form has to have.
    pub(super) form_word: String,
    /// They may change and start things.
    pub(super) may_act: bool,
}

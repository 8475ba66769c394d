//! Parameters of policies that run on request: declared with a type, given by whoever asks, bound and never pasted.

use std::collections::BTreeMap;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamDeclaration {
    /// Lower-case letters, digits and `_`; never `now`, `cutoff` or `now_minus_…`.
    pub name: String,
    /// None: as the column of the same name has it, or text where the table has no such column.
    pub kind: Option<ParamKind>,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    Text,
    Integer,
    Boolean,
    /// An instant, RFC 3339.
    Timestamp,
    Date,
    Uuid,
}

/// Values by the names of their parameters.
pub type Params = BTreeMap<String, String>;

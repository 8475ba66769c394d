//! Builds statements: text, quoted names and bound values, the operator's own SQL, and what each engine writes differently.

pub(super) mod builder;
pub(super) mod condition;
pub(super) mod dialect;
pub(super) mod fragment;
pub(super) mod tokens;

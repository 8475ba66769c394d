//! Builds statements: text, quoted names and bound values, the operator's own SQL, and what each engine writes differently (`dialect`, which everything in
//! `sources` may use).

pub(super) mod condition;
pub(super) mod dialect;
pub(super) mod fragment;
pub(super) mod instants;
pub(super) mod keys;
pub(super) mod term;
pub(super) mod tokens;
pub(super) mod wall_clock;

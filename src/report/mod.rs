//! Renders results and states for people and for programs.

//! Compiles raw configuration into policy types; gathers every error before it gives up.

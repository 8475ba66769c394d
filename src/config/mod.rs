//! Loads TOML, environment and `--set` into raw values with their places; judges nothing.

//! The MESSAGE_ID of every operator-level event; `systemd/retaind.catalog` explains each. An id never changes its meaning.

/// The daemon is ready.
pub const READY: &str = "858ac76e3adb4fcdae9320e0f9450baa";
/// The daemon could not start.
pub const START_FAILED: &str = "73ec89332c3f45f1a51db571e8a37fc3";
/// A new configuration took effect.
pub const RELOAD_DONE: &str = "82babd25f198407ebe29a4849bdcfbce";
/// A new configuration was refused.
pub const RELOAD_FAILED: &str = "d4edf3e6b4fe4ac6ac1256180a470f61";
/// A run begins.
pub const RUN_BEGUN: &str = "45d874c1972842c683bfaf318ca1083c";
/// A run goes on for another minute.
pub const RUN_GOES_ON: &str = "4887c4ca10904601a01ef8014f943e93";
/// A run ended in which a policy was blocked or held.
pub const RUN_BLOCKED: &str = "c03df23d7cfe4b0d866eac52a96f34e0";
/// A run did all it was to do.
pub const RUN_FINISHED: &str = "e71310e69433424eb9a92bb9b07e6f5b";
/// A run ended with some rows, files or policies failed.
pub const RUN_WITH_ERRORS: &str = "63455d728e0d4421abc2e790b0dc755e";
/// A run could do nothing of what it was to do.
pub const RUN_FAILED: &str = "6ca2d624c85544f6b60f7b70d0f79f7e";
/// A run was stopped before its end.
pub const RUN_CANCELLED: &str = "b3c79fe0f2dd4ab98cee357ddce8c667";
/// A guard stopped a policy before it deleted anything.
pub const GUARD_BLOCKED: &str = "196a79477da34643a80d94e117a69a90";
/// A policy waits until somebody has looked at what it would take.
pub const POLICY_HELD: &str = "f734d3064ffe4d80baf4580a0157030e";
/// A hook of a task failed.
pub const HOOK_FAILED: &str = "a7525b4d056a47e8b6520ed7bb35040c";
/// A source can't be reached.
pub const SOURCE_DOWN: &str = "7bde5f7433e24438a858dc7c9068a331";
/// A source can be reached again.
pub const SOURCE_UP: &str = "5fe6836eac3d42349d414e61ae969556";
/// Files that a crash left pending were examined.
pub const RECOVERED: &str = "acf16e318d6243a7a124ed98b8506406";
/// A slot of the schedule passed without a run.
pub const SLOT_SKIPPED: &str = "77c7121cd3c946bcbc86e42be5d9f572";
/// The daemon was asked to stop.
pub const SHUTDOWN_BEGUN: &str = "388e397ab0234c139fed352b19f04441";
/// The daemon ends.
pub const SHUTDOWN_DONE: &str = "11aaeacd189948fcaac748ae7ec3fc58";
/// Log lines were lost because the journal did not take them in time.
pub const LINES_LOST: &str = "0968b63b4df74592aa93763a9ea167ab";

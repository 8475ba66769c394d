//! Outcome of a run as plain data: the result of a run and of each of its policies, their sums, and why a policy waits
//! for an approval. The ledger stores it, reports render it, events echo it; nothing here is computed from anything but itself.

mod cause;
mod cut;
mod day;
mod document;
mod heartbeat;
mod held;
mod notice;
mod operator;
mod pause;
mod pending;
mod references;
mod requested;
mod result;
mod running;
mod standing;
mod tally;
mod token;
mod wait;

pub use cause::Cause;
pub use day::{DaySums, RUNS_BY_DAY};
pub use document::{Document, FORMAT_VERSION};
pub use heartbeat::{Heartbeat, HeartbeatSign};
pub use held::{Held, HoldKind};
pub use notice::{Notice, NoticeCondition, NoticePolicy, NoticeState, NoticeSubject, SubjectKind};
pub use operator::{Operator, Remote};
pub use pause::{Pause, Subject};
pub use pending::{PendingChoice, PendingPath};
pub use references::{AlikeFile, MissingFile, OutsidePaths};
pub use requested::Requested;
pub use result::{
    EmptiedTrash, Failure, GuardReading, HookFailure, HookPoint, PolicyResult, RunMode, RunResult, RunTrigger,
    SHOWN_AT_MOST, Sample, Status,
};
pub use standing::{FoundOrphans, PolicyTotal, StoreLook, Survey, Trashed};
pub use tally::{Reported, StoreTally, Tally, Totals};
pub use token::{Role, Token};
pub use wait::Wait;

/// Data of a reason: what its sentence says, by name.
pub type Facts = std::collections::BTreeMap<String, serde_json::Value>;

/// Names a run: a UUID of version 7.
pub type RunId = uuid::Uuid;

/// True if a text may be a piece of a run's id: it has hexadecimal digits and hyphens only, and so nothing that means something
/// in a pattern or an address.
pub fn is_piece_of_run_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

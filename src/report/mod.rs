//! Renders results and states for people and for programs; gathers nothing and decides nothing.
//!
//! A page is text that carries its styles: the stream that prints it drops them where colour is not wanted.
//! Text that comes from a database or a file system is escaped before it is shown.

mod adoption;
mod approval;
mod audit;
mod configuration;
mod difference;
mod findings;
mod held;
mod matter;
mod monitor;
mod pending;
mod plan;
mod policies;
mod question;
mod restoration;
mod result;
mod runs;
mod stats;
mod status;
mod store_stats;
pub mod style;
mod table;
mod tested;
mod tokens;
mod why;
mod why_file;

pub use crate::outcome::{Notice, RunMode, RunResult, Status};
pub use adoption::{MarkerFound, ReferenceFound, StoreFound, render_found};
pub use approval::{
    Amounts, ClockToConfirm, ToApprove, amount_words, approval_question, lifted_words, render_approvals, render_clock,
    staying_words,
};
pub use audit::{AuditEntry, VerifiedAudit, audit_words, render_audit, render_verified};
pub use configuration::{Configuration, ConfiguredKey, KeyOrigin, render_configuration};
pub use difference::{AmountsChange, ComparedWith, Difference, WouldHold, render_difference, render_held};
pub use findings::{Finding, Findings, Level, render_findings};
pub use held::{HeldPolicy, held_words};
pub use matter::{Matter, MatterCode, Severity};
pub use monitor::{MonitorState, render_monitor, render_unknown};
pub use pending::{Forgotten, ForgottenRow, PendingFile, PendingFiles, Retried, render_pending, render_retried};
pub use plan::{guard_words, plan_summary, render_plan, verdict};
pub use policies::PolicyOverview;
pub use question::{plan_question, render_sums};
pub use restoration::{FileLeft, Restoration, StoreRestored, render_restoration};
pub use result::{remarks_of, render_run, summary};
pub use runs::{RunEntry, render_runs, short_id};
pub use stats::{LastPolicyRun, OldestRow, PolicyStats, Precision, Stats, render_stats};
pub use status::{DaemonState, LastRun, Overview, Paused, Pending, TaskOverview, render_status, schedule_words};
pub use store_stats::{StoreOrphans, StoreStats, StoreTrash};
pub use style::{plain, status_words};
pub use table::Layout;
pub use tested::TestedDestination;
pub use tokens::{NewToken, TokenEntry, render_tokens};
pub use why::{FileWhy, PolicyWhy, Reason, RowFate, RowName, RowWhy, render_why};
pub use why_file::{FileAnswer, FileFate, FoundAs, NamingRow, PolicyOnFile, WhyKept, render_why_file};

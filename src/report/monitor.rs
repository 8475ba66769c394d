//! The line of `status --check`, as monitoring plug-ins write it: a word for the state, sentences, numbers after a bar.

use super::matter::{Matter, MatterCode, Severity};
use super::status::Overview;
use crate::text::human::counted;
use crate::text::printable;

/// State in the sense of a monitoring plug-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorState {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl MonitorState {
    /// The worst of what needs attention.
    pub fn of(overview: &Overview) -> Self {
        match overview.attention.iter().map(|matter| matter.level).max() {
            None => Self::Ok,
            Some(Severity::Warning) => Self::Warning,
            Some(Severity::Critical) => Self::Critical,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The overview in one line.
pub fn render_monitor(overview: &Overview) -> String {
    let mut matters: Vec<&Matter> = overview.attention.iter().collect();
    matters.sort_by_key(|matter| std::cmp::Reverse(matter.level));
    let tasks = overview.tasks.iter().filter(|task| task.enabled && !task.policies.is_empty()).count();
    let said = match matters.as_slice() {
        [] if overview.daemon.running => format!("the daemon runs {}", counted(tasks as u64, "task")),
        [] => "nothing is scheduled".to_owned(),
        matters => matters.iter().map(|matter| matter.message.as_str()).collect::<Vec<_>>().join("; "),
    };
    let with = |codes: &[MatterCode]| matters.iter().filter(|matter| codes.contains(&matter.code)).count();
    let pending: u64 = overview.pending.iter().map(|pending| pending.files).sum();
    let numbers = format!(
        "tasks={tasks} overdue={} failed={} blocked={} held={} pending_files={pending} running={}",
        with(&[MatterCode::Overdue, MatterCode::NeverRan]),
        with(&[MatterCode::Failed]),
        with(&[MatterCode::Blocked]),
        overview.held.len(),
        overview.running.len()
    );
    format!("{}|{numbers}\n", head(MonitorState::of(overview), &said))
}

/// The line where nothing is known.
pub fn render_unknown(why: &str) -> String {
    head(MonitorState::Unknown, why).trim_end().to_owned() + "\n"
}

/// A line has one bar, before the numbers.
fn head(state: MonitorState, said: &str) -> String {
    let said = said.replace('|', "/").lines().collect::<Vec<_>>().join(" ");
    format!("RETAIND {} - {} ", state.word(), printable(&said))
}

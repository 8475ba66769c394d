//! The exit codes: every end that a command can come to.

use std::process::ExitCode;

use crate::report::{MonitorState, Status};

/// Exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    CompletedWithErrors = 3,
    Blocked = 4,
    Cancelled = 5,
    BadConfiguration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<Status> for Exit {
    fn from(status: Status) -> Self {
        match status {
            Status::Completed => Exit::Done,
            Status::CompletedWithErrors => Exit::CompletedWithErrors,
            Status::Failed => Exit::Failed,
            Status::Cancelled => Exit::Cancelled,
            Status::Blocked => Exit::Blocked,
        }
    }
}

impl From<MonitorState> for Exit {
    /// Plug-ins of monitors have codes of their own for the same numbers: 0 well, 1 warning, 2 critical, 3 unknown.
    fn from(state: MonitorState) -> Self {
        match state {
            MonitorState::Ok => Exit::Done,
            MonitorState::Warning => Exit::Failed,
            MonitorState::Critical => Exit::Usage,
            MonitorState::Unknown => Exit::CompletedWithErrors,
        }
    }
}

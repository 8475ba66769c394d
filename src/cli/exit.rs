//! The exit codes: every end that a command can come to.

use std::process::ExitCode;

use crate::report::Status;

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

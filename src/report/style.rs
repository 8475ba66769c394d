//! Styles of what stands out. Rendered text always carries its styles; the stream that prints it drops them where no
//! colour is wanted, and every page is written so that it reads the same without.

use anstyle::{AnsiColor, Style};

use crate::outcome::Status;

pub const PLAIN: Style = Style::new();
pub const STRONG: Style = Style::new().bold();
pub const FAINT: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default();
pub const CARE: Style = AnsiColor::Yellow.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// The text in a style.
pub fn paint(style: Style, text: &str) -> String {
    if style.is_plain() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// Rendered text without its styles.
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The style of a status.
pub fn of_status(status: Option<Status>) -> Style {
    match status {
        Some(Status::Completed) => GOOD,
        Some(Status::CompletedWithErrors | Status::Cancelled) | None => CARE,
        Some(Status::Failed | Status::Blocked) => BAD,
    }
}

/// A status in words; a run without one is still running.
pub fn status_words(status: Option<Status>) -> &'static str {
    match status {
        Some(Status::Completed) => "completed",
        Some(Status::CompletedWithErrors) => "completed with errors",
        Some(Status::Failed) => "failed",
        Some(Status::Cancelled) => "cancelled",
        Some(Status::Blocked) => "blocked",
        None => "running",
    }
}

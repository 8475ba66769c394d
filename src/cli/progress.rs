//! Progress of a run, on standard error: a bar on a terminal, a line every so often elsewhere. Counts nothing itself.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::output::say;
use crate::commands::execute::Progress;
use crate::text::human::{count, counted, duration, size};

/// Interval of lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Interval at which a bar is drawn, so that a fast run does not spend its time on drawing.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// A rate over less than this tells nothing.
const RATE_AFTER_SECS: f64 = 0.2;

/// Follows a run until its sender is dropped.
pub fn follow(progress: watch::Receiver<Progress>, bars: bool) -> JoinHandle<()> {
    if bars { tokio::spawn(draw(progress)) } else { tokio::spawn(write(progress)) }
}

async fn draw(mut progress: watch::Receiver<Progress>) {
    let bar = ProgressBar::new_spinner();
    let mut pace = Pace::default();
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        // A bar of no length counts as done, so it is drawn last.
        bar.set_length(now.rows_total.unwrap_or(0));
        bar.set_position(now.rows_done);
        bar.set_message(words(&now, pace.rate(&now, Instant::now())));
        bar.set_style(style(now.rows_total.is_some()));
        bar.tick();
        tokio::time::sleep(DRAW_EVERY).await;
    }
    bar.finish_and_clear();
}

fn style(has_end: bool) -> ProgressStyle {
    let template = if has_end { "{bar:20} {percent:>3} %  {wide_msg}" } else { "{spinner} {wide_msg}" };
    // The templates are ours and valid; should they not be, the default bar is shown.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}

async fn write(mut progress: watch::Receiver<Progress>) {
    let mut pace = Pace::default();
    let mut written = (Instant::now(), Progress::default());
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        let rate = pace.rate(&now, Instant::now());
        if written.0.elapsed() >= LINE_EVERY && written.1 != now {
            say(&words(&now, rate));
            written = (Instant::now(), now);
        }
    }
}

fn words(progress: &Progress, rate: Option<f64>) -> String {
    if let Some(hook) = progress.hook {
        return format!("the {} hook is running", hook.word());
    }
    let (position, of) = progress.position;
    let policy = progress.policy.as_ref().map(|policy| format!(" {policy}")).unwrap_or_default();
    let total = progress.rows_total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
    let left = match (progress.rows_total.and_then(|total| total.checked_sub(progress.rows_done)), rate) {
        (Some(left), Some(rate)) => format!(" {} left,", duration((left as f64 / rate * 1000.0) as u64)),
        (None, _) | (_, None) => String::new(),
    };
    // What matters most comes first: a narrow terminal cuts the end.
    let mut text = format!("[{position}/{of}]{policy}:{left} {}{total} rows", count(progress.rows_done));
    if let Some(rate) = rate {
        text.push_str(&format!(", {} rows/s", count(rate.round() as u64)));
    }
    if let Some(wait) = progress.waiting {
        text.push_str(&format!(", waits for {}", wait.thing()));
    }
    if progress.files_deleted > 0 {
        text.push_str(&format!(", {} ({})", counted(progress.files_deleted, "file"), size(progress.bytes_reclaimed)));
    }
    text
}

/// Rate at which a policy's rows go, from when its first row was still to come.
#[derive(Debug, Default)]
struct Pace {
    position: (usize, usize),
    began: Option<Instant>,
}

impl Pace {
    /// Rows per second; nothing before there is something to tell.
    fn rate(&mut self, progress: &Progress, now: Instant) -> Option<f64> {
        if self.position != progress.position || progress.rows_done == 0 {
            *self = Self { position: progress.position, began: Some(now) };
        }
        let secs = now.duration_since(self.began?).as_secs_f64();
        let rate = progress.rows_done as f64 / secs;
        (secs >= RATE_AFTER_SECS && rate >= 1.0).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Name;

    #[test]
    fn progress_says_rate_and_remaining_time_once_known() {
        let mut progress = Progress {
            policy: Name::parse("detections").ok(),
            position: (1, 3),
            rows_total: Some(10_000),
            ..Progress::default()
        };
        let mut pace = Pace::default();
        let begun = Instant::now();
        assert_eq!(words(&progress, pace.rate(&progress, begun)), "[1/3] detections: 0 of 10,000 rows");
        (progress.rows_done, progress.files_deleted, progress.bytes_reclaimed) = (5_000, 10, 2048);
        let rate = pace.rate(&progress, begun + Duration::from_secs(2));
        let expected = "[1/3] detections: 2.0 s left, 5,000 of 10,000 rows, 2,500 rows/s, 10 files (2.0 KiB)";
        assert_eq!(words(&progress, rate), expected);
        progress.position = (2, 3);
        assert_eq!(pace.rate(&progress, begun + Duration::from_secs(3)), None);
        progress.hook = Some(crate::outcome::HookPoint::After);
        assert_eq!(words(&progress, None), "the after hook is running");
    }
}

//! How far a run is, on standard error: a bar on a terminal, a line every so often elsewhere. Counts nothing itself.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::output::say;
use crate::app::oneshot::Progress;
use crate::report::human::{count, duration, size};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// How often a bar is looked at, so that a fast run does not spend its time on drawing.
const DRAW_EVERY: Duration = Duration::from_millis(100);
/// The rate is that of about the last few seconds, so that it follows what happens now.
const RATE_OVER_SECS: f64 = 5.0;

/// Follows a run until its sender is dropped.
pub fn follow(progress: watch::Receiver<Progress>, bars: bool) -> JoinHandle<()> {
    tokio::spawn(if bars {
        futures_util::future::Either::Left(draw(progress))
    } else {
        futures_util::future::Either::Right(write(progress))
    })
}

async fn draw(mut progress: watch::Receiver<Progress>) {
    let bar = ProgressBar::new_spinner();
    let mut pace = Pace::default();
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        bar.set_style(style(now.rows_total.is_some()));
        bar.set_length(now.rows_total.unwrap_or(0));
        bar.set_position(now.rows_done);
        bar.set_message(words(&now, &mut pace));
        bar.tick();
        tokio::time::sleep(DRAW_EVERY).await;
    }
    bar.finish_and_clear();
}

fn style(has_end: bool) -> ProgressStyle {
    let template = if has_end { "{bar:24} {percent:>3} %  {wide_msg}" } else { "{spinner} {wide_msg}" };
    // The templates are ours and valid; should they not be, the default bar is shown.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}

async fn write(mut progress: watch::Receiver<Progress>) {
    let mut pace = Pace::default();
    let mut next = Instant::now() + LINE_EVERY;
    while progress.changed().await.is_ok() {
        let now = progress.borrow_and_update().clone();
        let line = words(&now, &mut pace);
        if Instant::now() >= next {
            say(&line);
            next = Instant::now() + LINE_EVERY;
        }
    }
}

fn words(progress: &Progress, pace: &mut Pace) -> String {
    let (position, of) = progress.position;
    let policy = progress.policy.as_ref().map(|policy| format!(" {policy}")).unwrap_or_default();
    let total = progress.rows_total.map(|total| format!(" of {}", count(total))).unwrap_or_default();
    let mut text = format!("[{position}/{of}]{policy}: {}{total} rows", count(progress.rows_done));
    if progress.files_deleted > 0 {
        text.push_str(&format!(", {} files ({})", count(progress.files_deleted), size(progress.bytes_reclaimed)));
    }
    if let Some(rate) = pace.rate(progress, Instant::now()) {
        text.push_str(&format!(", {} rows/s", count(rate.round() as u64)));
        if let Some(left) = progress.rows_total.and_then(|total| total.checked_sub(progress.rows_done)) {
            text.push_str(&format!(", {} left", duration((left as f64 / rate * 1000.0) as u64)));
        }
    }
    text
}

/// How fast a policy's rows go: a moving average.
#[derive(Debug, Default)]
struct Pace {
    position: (usize, usize),
    last: Option<(Instant, u64)>,
    rate: Option<f64>,
}

impl Pace {
    /// Rows per second; nothing before there is something to tell.
    fn rate(&mut self, progress: &Progress, now: Instant) -> Option<f64> {
        if self.position != progress.position {
            *self = Self { position: progress.position, ..Self::default() };
        }
        match self.last {
            Some((at, rows)) if progress.rows_done > rows => {
                let secs = now.duration_since(at).as_secs_f64().max(0.001);
                let current = (progress.rows_done - rows) as f64 / secs;
                let weight = (secs / RATE_OVER_SECS).clamp(0.05, 1.0);
                self.rate = Some(self.rate.map_or(current, |rate| rate + (current - rate) * weight));
                self.last = Some((now, progress.rows_done));
            }
            Some(_) => {}
            None => self.last = Some((now, progress.rows_done)),
        }
        self.rate.filter(|rate| *rate >= 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Name;

    #[test]
    fn progress_says_rate_and_remaining_time_once_they_are_known() {
        let mut progress = Progress {
            policy: Name::parse("detections").ok(),
            position: (1, 3),
            rows_total: Some(10_000),
            ..Progress::default()
        };
        let mut pace = Pace::default();
        assert_eq!(words(&progress, &mut pace), "[1/3] detections: 0 of 10,000 rows");
        let begun = Instant::now();
        pace.last = Some((begun, 0));
        progress.rows_done = 5_000;
        let rate = pace.rate(&progress, begun + Duration::from_secs(1)).unwrap();
        assert!((rate - 5_000.0).abs() < 1.0, "{rate}");
        progress.position = (2, 3);
        assert_eq!(pace.rate(&progress, begun + Duration::from_secs(2)), None);
    }
}

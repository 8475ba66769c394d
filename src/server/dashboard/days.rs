//! The last 90 days, or fewer where there were very many runs, each with the sums of the runs that began in it: what the calendar and the charts draw, and a table of it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use maud::{Markup, html};

use super::super::endpoint::App;
use super::super::problem::Problem;
use super::words::{Tone, table};
use crate::outcome::{DaySums, RUNS_BY_DAY};
use crate::report::status_words;
use crate::text::human::{count, counted, size};

/// Days that are shown, today included.
const SHOWN: i64 = 90;

/// The last days, the oldest first.
pub(super) struct Days(pub(super) Vec<Day>);

/// A day, in UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) date: Date,
    pub(super) runs: u64,
    pub(super) rows: u64,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    /// Worst ending of its runs; none where there was no run.
    pub(super) worst: Option<Tone>,
    /// Number of runs by their endings, in words.
    pub(super) endings: String,
}

impl Days {
    /// The days that end with that of an instant.
    pub(super) async fn until(app: &App, now: Timestamp) -> Result<Self, Problem> {
        let today = now.to_zoned(TimeZone::UTC).date();
        // A calendar goes back further than that.
        let first = today.checked_sub(Span::new().days(SHOWN - 1)).unwrap_or(today);
        let since = first.to_zoned(TimeZone::UTC).map_or(now, |begin| begin.timestamp());
        Ok(Self::of(first, today, &app.control.days(since).await?))
    }

    /// Days of which all runs are known.
    fn of(first: Date, today: Date, sums: &[DaySums]) -> Self {
        let is_cut = sums.iter().map(|sums| sums.runs).sum::<u64>() >= RUNS_BY_DAY;
        let cut = sums.first().filter(|_| is_cut).and_then(|sums| sums.day.tomorrow().ok());
        let dates = cut.unwrap_or(first).series(Span::new().days(1)).take_while(|date| *date <= today);
        Self(dates.map(|date| Day::of(date, sums.iter().filter(|sums| sums.day == date))).collect())
    }

    /// The days with a run, the newest first.
    pub(super) fn table(&self) -> Markup {
        let with_runs = self.0.iter().rev().filter(|day| day.runs > 0);
        let rows = html! {
            @for day in with_runs {
                tr {
                    th scope="row" data-label="Day" { (day.date.to_string()) }
                    td data-label="Runs" { (day.endings) }
                    td data-label="Rows" { (count(day.rows)) }
                    td data-label="Files" { (count(day.files)) }
                    td data-label="Bytes" { (size(day.bytes)) }
                    td data-label="Errors" { (count(day.errors)) }
                }
            }
        };
        html! {
            details {
                summary { "The same as a table" }
                (table("wide", "Days with a run, the newest first", &["Day", "Runs", "Rows", "Files", "Bytes", "Errors"], rows))
            }
        }
    }
}

impl Day {
    fn of<'a>(date: Date, sums: impl Iterator<Item = &'a DaySums>) -> Self {
        let mut day = Self { date, ..Self::default() };
        let mut endings = Vec::new();
        for sums in sums {
            day.runs += sums.runs;
            day.rows += sums.rows;
            day.files += sums.files_deleted;
            day.bytes += sums.bytes_reclaimed;
            day.errors += sums.errors;
            day.worst = day.worst.max(Some(Tone::of(sums.status)));
            endings.push(format!("{} {}", count(sums.runs), status_words(sums.status)));
        }
        day.endings = endings.join(", ");
        day
    }

    /// The day in a sentence.
    pub(super) fn words(&self) -> String {
        let Self { date, rows, files, bytes, errors, endings, .. } = self;
        if self.runs == 0 {
            return format!("{date}: no run");
        }
        let mut words = format!("{date}: {endings}; {}, {}", counted(*rows, "row"), counted(*files, "file"));
        words.push_str(&format!(" ({})", size(*bytes)));
        if *errors > 0 {
            words.push_str(&format!(", {}", counted(*errors, "error")));
        }
        words
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::outcome::Status;

    /// Three days; in the middle one a run that completed and one that was blocked.
    pub fn days() -> Days {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let sums = |status, rows| DaySums {
            day: date("2026-03-01"),
            status: Some(status),
            runs: 1,
            rows,
            files_deleted: 0,
            bytes_reclaimed: 0,
            errors: 0,
        };
        let sums = [sums(Status::Blocked, 0), sums(Status::Completed, 1204)];
        Days::of(date("2026-02-28"), date("2026-03-02"), &sums)
    }

    #[test]
    fn days_that_are_not_known_are_left_out() {
        let date = |text: &str| text.parse::<Date>().unwrap();
        let sums = |day: &str, runs| DaySums {
            day: date(day),
            status: Some(Status::Completed),
            runs,
            rows: 0,
            files_deleted: 0,
            bytes_reclaimed: 0,
            errors: 0,
        };
        let known = |most| {
            let sums = [sums("2026-02-28", 10), sums("2026-03-01", most)];
            Days::of(date("2026-02-01"), date("2026-03-02"), &sums).0.len()
        };
        assert_eq!((known(RUNS_BY_DAY - 11), known(RUNS_BY_DAY - 10)), (30, 2));
    }

    #[test]
    fn every_day_is_there_with_its_worst_ending() {
        let Days(days) = days();
        assert_eq!(days.len(), 3);
        assert_eq!(days.iter().map(|day| day.worst).collect::<Vec<_>>(), [None, Some(Tone::Bad), None]);
        assert_eq!(days[1].words(), "2026-03-01: 1 blocked, 1 completed; 1,204 rows, 0 files (0 B)");
        assert_eq!(days[2].words(), "2026-03-02: no run");
    }
}

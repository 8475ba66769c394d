//! Words and signs of pages: tones with their icons, instants, amounts. A tone is never told by its colour alone.

use jiff::Timestamp;
use maud::{Markup, html};

use crate::outcome::{Held, Reported, RunId, RunMode, Sample, Status, Totals};
use crate::report::{RunEntry, short_id, status_words};
use crate::text::human::{between, count, counted, duration, size};
use crate::text::printable;

/// Rows of a sample, and files of each, that are shown.
pub(super) const SAMPLE_SHOWN: usize = 10;
pub(super) const FILES_SHOWN: usize = 3;

/// Tone of a thing: how much it wants to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Nothing is expected of it.
    Calm,
    Good,
    /// It goes on now.
    Busy,
    Care,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Tone::Calm => "calm",
            Tone::Good => "good",
            Tone::Busy => "busy",
            Tone::Care => "care",
            Tone::Bad => "bad",
        }
    }

    /// Tone of an ending.
    pub(super) fn of(status: Option<Status>) -> Self {
        match status {
            None => Tone::Busy,
            Some(Status::Completed) => Tone::Good,
            Some(Status::CompletedWithErrors | Status::Cancelled) => Tone::Care,
            Some(Status::Failed | Status::Blocked) => Tone::Bad,
        }
    }

    /// Outline of its icon: each has a shape of its own.
    fn outline(self) -> &'static str {
        match self {
            Tone::Calm => "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.5 7h7v2h-7z",
            Tone::Good => "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM4.2 8.3l1.3-1.4 1.7 1.7 3.4-3.7 1.4 1.3-4.8 5.2z",
            Tone::Busy => "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM6 4.5l6 3.5-6 3.5z",
            Tone::Care => "M8 1.2 15.4 14.5H.6zM7.1 6v4h1.8V6zM7.1 11.2v1.8h1.8v-1.8z",
            Tone::Bad => {
                "M4.9 1h6.2L15 4.9v6.2L11.1 15H4.9L1 11.1V4.9zM5.9 4.6 4.6 5.9 6.7 8l-2.1 2.1 1.3 1.3L8 9.3l2.1 2.1 \
                          1.3-1.3L9.3 8l2.1-2.1-1.3-1.3L8 6.7z"
            }
        }
    }
}

/// Icon of a tone, which says nothing that the words beside it do not.
pub(super) fn icon(tone: Tone) -> Markup {
    html! {
        svg class={ "icon " (tone.class()) } viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            path fill-rule="evenodd" d=(tone.outline()) {}
        }
    }
}

/// Word with its tone.
pub(super) fn badge(tone: Tone, words: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (icon(tone)) (words) } }
}

/// Ending of a run as a badge.
pub(super) fn ending(status: Option<Status>) -> Markup {
    badge(Tone::of(status), status_words(status))
}

/// An instant, and how far it is from now.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> Markup {
    let apart = match now.duration_since(at).as_secs() {
        -1..=1 => "just now".to_owned(),
        ..-1 => format!("in {}", between(now, at)),
        _ => format!("{} ago", between(at, now)),
    };
    html! { (instant(at)) " " span.apart { (apart) } }
}

/// An instant in UTC, to the minute; to the second for a program.
pub(super) fn instant(at: Timestamp) -> Markup {
    let exact = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    html! { time datetime=(exact) title=(exact) { (at.strftime("%Y-%m-%d %H:%M").to_string()) } }
}

/// Sentence in which what stands between backticks is a command.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (place, piece) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

/// Rows, files and bytes that a run took, or would have taken.
pub(super) fn amounts(totals: &Totals, reported: Option<&Reported>) -> String {
    let (rows, files) = (totals.rows_deleted + totals.rows_updated, totals.files_deleted);
    let mut words = match (reported, rows + files) {
        (Some(reported), 0) => {
            let (rows, files) = (counted(reported.rows_eligible, "row"), counted(reported.files_eligible, "file"));
            format!("nothing; {rows}, {files} match")
        }
        (None, 0) => "nothing".to_owned(),
        (_, _) => format!("{}, {} ({})", counted(rows, "row"), counted(files, "file"), size(totals.bytes_reclaimed)),
    };
    if totals.errors > 0 {
        words.push_str(&format!(", {}", counted(totals.errors, "error")));
    }
    words
}

/// Link to a run, by the end of its id.
pub(super) fn run_link(run: &RunId) -> Markup {
    html! { a href={ "/runs/" (run) } { (short_id(run)) } }
}

/// Table whose rows have a cell for each column, with its name as `data-label` where the table may be narrow.
pub(super) fn table(class: &str, caption: &str, columns: &[&str], rows: Markup) -> Markup {
    html! {
        table class=(class) {
            caption.unseen { (caption) }
            thead { tr { @for column in columns { th scope="col" { (column) } } } }
            tbody { (rows) }
        }
    }
}

/// First rows and files of a sample, as items of a list; `rest` says of each what follows.
pub(super) fn sample_items(sample: &[Sample], rest: impl Fn(&Sample) -> Markup) -> Markup {
    html! {
        @for sample in sample.iter().take(SAMPLE_SHOWN) {
            li {
                @if !sample.key.is_empty() { "row " code { (printable(&sample.key)) } " " }
                @for file in sample.files.iter().take(FILES_SHOWN) { code.path { (printable(file)) } " " }
                (rest(sample))
            }
        }
    }
}

/// Box of a policy that is held, with the reasons.
pub(super) fn held_notice(held: &Held, rest: Markup) -> Markup {
    let reasons = html! { ul { @for reason in &held.reasons { li { (printable(reason)) } } } (rest) };
    notice(Tone::Care, "Held until somebody has looked", reasons)
}

/// Box with a tone, an icon and a headline.
pub(super) fn notice(tone: Tone, headline: &str, rest: Markup) -> Markup {
    html! {
        section class={ "notice " (tone.class()) } {
            h2 { (icon(tone)) (headline) }
            (rest)
        }
    }
}

/// Runs as a table, in the order given.
pub(super) fn run_table(runs: &[RunEntry], caption: &str, now: Timestamp) -> Markup {
    if runs.is_empty() {
        return html! { p.faint { "No such run." } };
    }
    let rows = html! {
        @for run in runs {
            tr {
                th scope="row" data-label="Run" { (run_link(&run.run_id)) }
                td data-label="Ended" { (ending(run.status)) }
                td data-label="Of" { (of_what(run)) }
                td data-label="Began" { (moment(run.started_at, now)) }
                td data-label="Took" { (run.duration_ms.map(duration).unwrap_or_else(|| "–".to_owned())) }
                td data-label="Deleted" { (amounts(&run.totals, run.reported.as_ref())) }
            }
        }
    };
    table("wide", caption, &["Run", "Ended", "Of", "Began", "Took", "Deleted"], rows)
}

/// Task of a run, its mode where that is not the usual one, and who asked for it.
fn of_what(run: &RunEntry) -> Markup {
    html! {
        @match &run.task {
            Some(task) => a href={ "/tasks/" (task) } { (task) },
            None => "chosen policies",
        }
        @if run.mode == RunMode::Report { " (report)" }
        span.apart { " by " (run.trigger.word().replace('_', "-")) }
    }
}

/// A number, or that it is not known.
pub(super) fn number_or_unknown(number: Option<u64>) -> String {
    number.map_or_else(|| "unknown".to_owned(), count)
}

//! A policy in a run: its numbers, why a guard or a hold stopped it, what was kept, what failed.

use maud::{Markup, html};

use super::words::{
    FILES_SHOWN, SAMPLE_SHOWN, Tone, badge, ending, held_notice, instant, notice, prose, sample_items, table,
};
use crate::outcome::{Failure, GuardReading, PolicyResult, RunMode, Sample, Status};
use crate::report::{guard_words, plain, remarks_of, verdict};
use crate::text::human::{count, counted, duration, size};
use crate::text::printable;

/// Policies of a run, those first that want to be looked at most, and else in the order in which they ran.
pub(super) fn worst_first(policies: &[PolicyResult]) -> Vec<&PolicyResult> {
    let mut all: Vec<&PolicyResult> = policies.iter().collect();
    all.sort_by_key(|policy| std::cmp::Reverse(Tone::of(Some(policy.status))));
    all
}

pub(super) fn show(policy: &PolicyResult, is_plan: bool) -> Markup {
    html! {
        section.policy {
            h2 {
                a href={ "/policies/" (policy.policy) } { (policy.policy) } " "
                @if is_plan { (badge(tone_of_plan(policy), &plain(&verdict(policy)))) } @else { (ending(Some(policy.status))) }
                @if policy.mode == RunMode::Report { " " (badge(Tone::Calm, "report mode")) }
            }
            (stopped(policy))
            (numbers(policy, is_plan))
            (remarks(policy))
            (guards(policy))
            (errors(policy))
            (sample(policy))
        }
    }
}

fn tone_of_plan(policy: &PolicyResult) -> Tone {
    match policy.status {
        Status::Completed => Tone::Good,
        Status::CompletedWithErrors | Status::Cancelled => Tone::Care,
        Status::Failed => Tone::Bad,
        Status::Blocked if policy.held.is_some() => Tone::Care,
        Status::Blocked => Tone::Bad,
    }
}

/// Reason that it took nothing, where a guard or a hold has stopped it.
fn stopped(policy: &PolicyResult) -> Markup {
    html! {
        @if let Some(held) = &policy.held {
            (held_notice(held, html! {
                p { a href={ "/policies/" (policy.policy) "/approve" } { "Look at it, and approve it" } }
            }))
        } @else if let Some(why) = &policy.blocked_by {
            (notice(Tone::Bad, "Blocked by a guard: nothing was taken", html! { p { (prose(&printable(why))) } }))
        }
    }
}

fn numbers(policy: &PolicyResult, is_plan: bool) -> Markup {
    let tally = &policy.tally;
    let (deleted, files) =
        if is_plan { ("Would be deleted", "Files that would go") } else { ("Rows deleted", "Files deleted") };
    html! {
        dl.numbers {
            @if policy.is_about_rows() {
                div { dt { "Rows eligible" } dd { (count(eligible(policy, tally.rows_matched))) } }
                div { dt { (deleted) } dd { (count(tally.rows_deleted)) } }
                @if tally.rows_updated > 0 { div { dt { "Rows updated" } dd { (count(tally.rows_updated)) } } }
            } @else {
                div { dt { "Files eligible" } dd { (count(eligible(policy, tally.files_matched))) } }
            }
            div { dt { (files) } dd { (count(tally.files_deleted)) } }
            div { dt { "Bytes freed" } dd { (size(tally.bytes_reclaimed)) } }
            div { dt { "Errors" } dd { (count(policy.error_count)) } }
            div { dt { "Took" } dd { (duration(policy.duration_ms)) } }
            @if let Some(cutoff) = policy.cutoff { div { dt { "Cutoff" } dd { (instant(cutoff)) } } }
        }
    }
}

/// Number of what is eligible: where a guard stopped it, what that has counted.
fn eligible(policy: &PolicyResult, matched: u64) -> u64 {
    if policy.status == Status::Blocked { matched.max(policy.amount()) } else { matched }
}

/// Remarks but for what stopped it, which is said above.
fn remarks(policy: &PolicyResult) -> Markup {
    let stopped = usize::from(policy.held.is_some() || policy.blocked_by.is_some());
    let remarks: Vec<String> = remarks_of(policy).into_iter().skip(stopped).collect();
    html! {
        @if !remarks.is_empty() { ul.remarks { @for remark in &remarks { li { (prose(&plain(remark))) } } } }
    }
}

/// Guards that say no, and the others to be unfolded.
fn guards(policy: &PolicyResult) -> Markup {
    let (exceeded, kept): (Vec<_>, Vec<_>) = policy.guards.iter().partition(|guard| guard.value > guard.limit);
    let list = |guards: Vec<&GuardReading>, class: Option<&str>| {
        html! { ul.remarks { @for guard in guards { li class=[class] { (plain(&guard_words(guard))) } } } }
    };
    html! {
        @if !exceeded.is_empty() { (list(exceeded, Some("bad"))) }
        @if !kept.is_empty() { details { summary { "Guards that do not stop it" } (list(kept, None)) } }
    }
}

fn errors(policy: &PolicyResult) -> Markup {
    let (shown, all) = (policy.errors.len() as u64, policy.error_count);
    let rows = html! {
        @for failure in &policy.errors { (error(failure)) }
    };
    html! {
        @if shown > 0 {
            h3 { (counted(all, "error")) @if all > shown { ", the first " (count(shown)) " of them" } }
            (table("wide errors", &format!("Errors of policy {}", policy.policy), &["Row", "File", "Error"], rows))
        }
    }
}

fn error(failure: &Failure) -> Markup {
    let or_none = |text: &Option<String>| text.as_deref().map_or("–".to_owned(), |text| printable(text).into_owned());
    html! {
        tr {
            td data-label="Row" { (or_none(&failure.key)) }
            td.long data-label="File" { (or_none(&failure.path)) }
            td.long data-label="Error" { (printable(&failure.error)) }
        }
    }
}

fn more_files(sample: &Sample) -> Markup {
    let more = sample.files.len().saturating_sub(FILES_SHOWN) as u64;
    html! { @if more > 0 { "and " (counted(more, "more file")) } }
}

/// The first rows and files that would go.
fn sample(policy: &PolicyResult) -> Markup {
    let matched = if policy.is_about_rows() { policy.tally.rows_matched } else { policy.tally.files_matched };
    let more = matched.saturating_sub(policy.sample.len().min(SAMPLE_SHOWN) as u64);
    html! {
        @if !policy.sample.is_empty() && policy.status != Status::Failed {
            h3 { "For instance" }
            ul.sample {
                (sample_items(&policy.sample, more_files))
                @if more > 0 { li.faint { "and " (count(more)) " more; all of them: " code { "retaind plan --list " (policy.policy) } } }
            }
        }
    }
}

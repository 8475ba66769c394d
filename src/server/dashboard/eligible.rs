//! Eligible rows of every policy now, counted within a second, as `retaind stats` has them.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::endpoint::App;
use super::frame::{Page, Place, order};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{Tone, badge, instant, moment, prose, table};
use crate::report::{PolicyStats, Precision, Stats};
use crate::text::human::{count, duration, size};
use crate::text::printable;

pub(super) async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, Trouble> {
    let stats = app.control.stats(Vec::new(), visitor.caller.clone()).await?;
    let body = html! {
        h1 { "What would go" }
        p.faint {
            "Rows that are eligible now, counted within a second in all. What is too much for that is an estimate (≈), or a \
             number that is at least as high (≥). Stores are not gone through for this: a dry run does that."
        }
        @if visitor.may_act {
            (order(&visitor, "/runs", "Dry run of all that is scheduled", "primary", &[("names", "all"), ("mode", "plan")]))
        }
        (policies(&stats))
        (remarks(&stats))
        h2 { "In all, since the ledger began" }
        (totals(&stats))
    };
    Ok(Page { title: "What would go".to_owned(), place: Place::Eligible, body }.show(&visitor))
}

fn policies(stats: &Stats) -> Markup {
    let rows = html! {
        @for policy in &stats.policies {
            tr {
                th scope="row" data-label="Policy" { a href={ "/policies/" (policy.policy) } { (policy.policy) } }
                td data-label="Table" { (printable(&format!("{}.{}", policy.source, policy.table))) }
                td data-label="Eligible" { (number(policy.rows_eligible, policy.precision)) }
                td data-label="Oldest" {
                    @match &policy.oldest { Some(oldest) => (moment(oldest.at, stats.at)), None => "–" }
                }
                td data-label="Backlog" { (backlog(policy)) }
                td data-label="Protected" { (number(policy.rows_protected, policy.protected_precision)) }
                td data-label="In scope" { (number(policy.rows_in_scope, policy.scope_precision)) }
            }
        }
    };
    table(
        "wide",
        "Eligible rows by policy",
        &["Policy", "Table", "Eligible", "Oldest", "Backlog", "Protected", "In scope"],
        rows,
    )
}

fn number(number: Option<u64>, precision: Option<Precision>) -> String {
    match (number, precision) {
        (None, _) | (_, None) => "unknown".to_owned(),
        (Some(number), Some(Precision::Exact)) => count(number),
        (Some(number), Some(Precision::Estimate)) => format!("≈ {}", count(number)),
        (Some(number), Some(Precision::AtLeast)) => format!("≥ {}", count(number)),
    }
}

/// For how long the oldest row has been eligible.
fn backlog(policy: &PolicyStats) -> Markup {
    html! {
        @match policy.overdue_secs {
            Some(secs) => (duration(secs.saturating_mul(1000))),
            None => "–",
        }
        @if policy.falling_behind { " " (badge(Tone::Care, "falling behind")) }
    }
}

fn remarks(stats: &Stats) -> Markup {
    html! {
        ul.remarks {
            @for policy in &stats.policies {
                @if let Some(error) = &policy.error { li.bad { (policy.policy) ": " (printable(error)) } }
                @for remark in &policy.remarks { li { (policy.policy) ": " (prose(&printable(remark))) } }
            }
            @for remark in &stats.remarks { li { (prose(&printable(remark))) } }
        }
    }
}

fn totals(stats: &Stats) -> Markup {
    let rows = html! {
        @for total in &stats.totals {
            tr {
                th scope="row" data-label="Policy" { (total.policy) }
                td data-label="Runs" { (count(total.runs)) }
                td data-label="Rows deleted" { (count(total.rows_deleted)) }
                td data-label="Rows updated" { (count(total.rows_updated)) }
                td data-label="Files" { (count(total.files_deleted)) }
                td data-label="Bytes" { (size(total.bytes_reclaimed)) }
                td data-label="Since" { (instant(total.since)) }
            }
        }
    };
    html! {
        @if stats.totals.is_empty() { p.faint { "Nothing has run so far." } } @else {
            (table("wide", "Sums of each policy", &["Policy", "Runs", "Rows deleted", "Rows updated", "Files", "Bytes", "Since"], rows))
        }
    }
}

//! A policy that waits for an approval: the configuration that was agreed to and the one in force, and what goes by each, side by
//! side. The form repeats what was shown, so that nothing else is approved.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::super::endpoint::App;
use super::super::extract::PathName;
use super::super::problem::Problem;
use super::frame::{Page, Place, order};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{Tone, held_notice, instant, notice, prose, sample_items, table};
use crate::report::{Amounts, ToApprove, amount_words, lifted_words, plain, staying_words};
use crate::text::human::{count, size};
use crate::text::printable;

pub(super) async fn page(
    State(app): State<App>,
    visitor: Visitor,
    name: Result<PathName, Problem>,
) -> Result<Response, Trouble> {
    let PathName(name) = name?;
    let shown = app.control.proposal(name.clone(), visitor.caller.clone()).await?;
    let body = html! {
        h1 { "Approve policy " a href={ "/policies/" (name) } { (name) } "?" }
        (why(&shown))
        (keys(&shown))
        (counts(&shown))
        (guards(&shown))
        (sample(&shown))
        (verdict(&visitor, &shown))
    };
    Ok(Page { title: format!("Approve {name}"), place: Place::Elsewhere, body }.show(&visitor))
}

/// Reason that it waits.
fn why(shown: &ToApprove) -> Markup {
    html! {
        @if let Some(held) = &shown.held {
            (held_notice(held, html! { p { "Since " (instant(held.since)) } }))
        } @else if !shown.is_needed {
            (notice(Tone::Good, "There is nothing to approve", html! { p { "It is not held, and no guard stops it." } }))
        }
    }
}

/// Keys that differ, as they were and as they are.
fn keys(shown: &ToApprove) -> Markup {
    let keys: BTreeSet<&String> = shown.old.keys().chain(shown.new.keys()).collect();
    let words = |of: &BTreeMap<String, String>, key: &String| {
        of.get(key).map_or("–".to_owned(), |words| printable(words).into_owned())
    };
    let rows = html! {
        @for key in &keys {
            tr {
                th scope="row" { code { (key) } }
                td { del { (words(&shown.old, key)) } }
                td { ins { (words(&shown.new, key)) } }
            }
        }
    };
    html! {
        @if !keys.is_empty() {
            h2 { "Configuration" }
            (table("beside", "Keys that differ", &["Key", "Agreed to", "In force now"], rows))
        }
    }
}

/// Amounts that would go by each.
fn counts(shown: &ToApprove) -> Markup {
    let (before, now) = (shown.before.map(amounts), amounts(shown.now));
    html! {
        h2 { "What would go" }
        table.beside {
            caption.unseen { "Amounts that would go" }
            thead { tr {
                th scope="col" { span.unseen { "Amount" } } th scope="col" { "Agreed to" } th scope="col" { "In force now" }
            } }
            tbody { @for (place, (name, amount)) in now.iter().enumerate() {
                @if shown.is_about_rows || place > 0 {
                    tr {
                        th scope="row" { (name) }
                        td { @match &before { Some(before) => (before[place].1), None => "–" } }
                        td { b { (amount) } }
                    }
                }
            } }
        }
        @if let Some(why) = &shown.before_unknown {
            p { "What would go by the one agreed to is not known: " (printable(why)) }
        }
        @if let Some(staying) = staying_words(shown) { p { "Stay: " (prose(&staying)) } }
        p.faint { "As of " (instant(shown.shown_at)) }
    }
}

/// Amounts with their names, rows first.
fn amounts(of: Amounts) -> [(&'static str, String); 3] {
    [("Rows", count(of.rows)), ("Files", count(of.files)), ("Bytes", size(of.size_bytes))]
}

fn guards(shown: &ToApprove) -> Markup {
    html! {
        @if !shown.guards.is_empty() {
            h2 { "Guards that would be lifted once" }
            ul.remarks { @for guard in &shown.guards { li.bad { (plain(&lifted_words(guard, shown))) } } }
        }
    }
}

fn sample(shown: &ToApprove) -> Markup {
    html! {
        @if !shown.sample.is_empty() {
            h2 { "For instance" }
            ul.sample { (sample_items(&shown.sample, |_| html! {})) }
        }
    }
}

fn verdict(visitor: &Visitor, shown: &ToApprove) -> Markup {
    let (path, amount) = (format!("/policies/{}/approve", shown.policy), shown.amount.to_string());
    html! {
        @if let Some(obstacle) = &shown.obstacle {
            (notice(Tone::Bad, "It would not run even if it were approved", html! { p { (prose(&printable(obstacle))) } }))
        }
        @if shown.can_be_approved() && visitor.may_act {
            section.confirm aria-label="Approve it" {
                p { "Its next run takes at most " b { (amount_words(shown)) } ". What went does not come back, but for a store with a trash." }
                p {
                    "An approval is of that number of " (if shown.is_about_rows { "rows" } else { "files" }) " under this \
                     configuration, not of these very ones: the run takes what is eligible when it begins."
                }
                (order(visitor, &path, &format!("Approve {}", amount_words(shown)), "danger", &[
                    ("fingerprint", &shown.fingerprint), ("amount", &amount),
                ]))
            }
        }
    }
}

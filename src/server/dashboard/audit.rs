//! Audit: the newest of what was asked for, and by whom.

use axum::extract::State;
use axum::response::Response;
use maud::html;

use super::super::endpoint::App;
use super::frame::{Page, Place};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{instant, table};
use crate::report::audit_words;
use crate::text::human::count;
use crate::text::printable;

/// Entries that the page shows.
const SHOWN: u32 = 200;

pub(super) async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, Trouble> {
    let entries = app.control.audit(SHOWN).await?;
    let rows = html! {
        @for entry in &entries {
            @let by = entry.by.as_ref().map_or_else(|| "retaind".to_owned(), ToString::to_string);
            tr {
                th scope="row" data-label="Number" { (count(entry.number)) }
                td data-label="At" { (instant(entry.at)) }
                td.long data-label="By" { (printable(&by)) }
                td data-label="Action" { (printable(&entry.action.replace('_', " "))) }
                td.long data-label="Of" { (printable(&entry.subject)) }
                td.long data-label="With" { (printable(&audit_words(&entry.detail).unwrap_or_else(|| "–".to_owned()))) }
            }
        }
    };
    let body = html! {
        h1 { "Audit" }
        p.faint {
            "What was asked for, and by whom: the newest " (count(u64::from(SHOWN))) " entries. "
            code { "retaind audit verify" } " shows that none was changed."
        }
        @if entries.is_empty() { p { "Nothing was asked for so far." } } @else {
            (table("wide", "Entries of the audit, the newest first", &["Number", "At", "By", "Action", "Of", "With"], rows))
        }
    };
    Ok(Page { title: "Audit".to_owned(), place: Place::Audit, body }.show(&visitor))
}

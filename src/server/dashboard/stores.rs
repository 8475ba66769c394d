//! Stores: what the last look saw, the room on their disks, and their trash. Nothing is gone through for it.

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::endpoint::App;
use super::frame::{Page, Place};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::{moment, number_or_unknown};
use crate::report::{StoreStats, StoreTrash};
use crate::text::human::{counted, share, size};
use crate::text::printable;

pub(super) async fn page(State(app): State<App>, visitor: Visitor) -> Result<Response, Trouble> {
    let (stores, now) = (app.control.stores().await?, app.control.status().await?.overview.at);
    let body = html! {
        h1 { "Stores" }
        @if stores.is_empty() { p.faint { "No policy is about a store." } }
        @for store in &stores { (show(store, now)) }
    };
    Ok(Page { title: "Stores".to_owned(), place: Place::Stores, body }.show(&visitor))
}

fn show(store: &StoreStats, now: Timestamp) -> Markup {
    html! {
        section.policy {
            h2 { (store.store) }
            @if let Some(error) = &store.error { p.bad { (printable(error)) } }
            (room(store))
            dl.facts {
                dt { "Files" } dd {
                    (number_or_unknown(store.files))
                    @if let Some(directories) = store.directories.filter(|directories| *directories > 0) {
                        " and " (counted(directories, "directory"))
                    }
                    @if let Some(at) = store.seen_at { ", seen " (moment(at, now)) } @else { ": no run has looked so far" }
                }
                dt { "Size" } dd { (size_of(store)) }
                dt { "Trash" } dd { (trash(store.trash.as_ref())) }
                @if let Some(orphans) = &store.orphans {
                    dt { "Orphans" } dd {
                        (counted(orphans.files, "file")) " (" (size(orphans.bytes)) "), seen " (moment(orphans.at, now))
                    }
                }
            }
        }
    }
}

/// Room on the disk, as a meter and in words.
fn room(store: &StoreStats) -> Markup {
    let (Some(free), Some(all)) = (store.available_bytes, store.total_bytes.filter(|all| *all > 0)) else {
        return html! { p { "The room on its disk is not known." } };
    };
    let used = all.saturating_sub(free);
    let part = used as f64 / all as f64;
    html! {
        meter min="0" max="100" high="90" optimum="0" value=((part * 100.0).round()) aria-label={ "Used of the disk of store " (store.store) } {}
        p { (size(free)) " free of " (size(all)) ", " (share(part)) " used" }
    }
}

fn size_of(store: &StoreStats) -> String {
    match store.bytes {
        None => "unknown".to_owned(),
        Some(bytes) if store.bytes_estimated => format!("≈ {}", size(bytes)),
        Some(bytes) => size(bytes),
    }
}

fn trash(trash: Option<&StoreTrash>) -> String {
    match trash {
        None => "none".to_owned(),
        Some(StoreTrash { runs: 0, .. }) => "empty".to_owned(),
        Some(StoreTrash { files: Some(files), bytes: Some(bytes), runs }) => {
            format!("{} ({}) of {}", counted(*files, "file"), size(*bytes), counted(*runs, "run"))
        }
        Some(StoreTrash { runs, .. }) => format!("of {}, size unknown", counted(*runs, "run")),
    }
}

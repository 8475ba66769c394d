//! Frame of every page: head, navigation, foot, and the headers by which a browser takes nothing from anywhere else.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::visitor::Visitor;
use crate::outcome::Role;

/// Everything comes from this daemon, no page is shown within another, and no script or style stands in a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Page as its handler has made it.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) place: Place,
    pub(super) body: Markup,
}

/// Place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Runs,
    Eligible,
    Stores,
    Audit,
    Elsewhere,
}

const PLACES: [(Place, &str, &str); 5] = [
    (Place::Overview, "/", "Overview"),
    (Place::Runs, "/runs", "Runs"),
    (Place::Eligible, "/eligible", "What would go"),
    (Place::Stores, "/stores", "Stores"),
    (Place::Audit, "/audit", "Audit"),
];

impl Page {
    /// The page, as an answer to a visitor.
    pub(super) fn show(self, visitor: &Visitor) -> Response {
        respond(StatusCode::OK, self.document(Some(visitor)))
    }

    /// The page as a document; `visitor`: none where nobody is known.
    pub(super) fn document(&self, visitor: Option<&Visitor>) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (self.title) " · retaind" }
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/assets/style.css";
                    script src="/assets/script.js" defer {}
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header.top { (self.navigation(visitor)) }
                    main #content tabindex="-1" { (self.body) }
                    footer { "retaind " (env!("CARGO_PKG_VERSION")) " · all times are UTC" }
                }
            }
        }
    }

    fn navigation(&self, visitor: Option<&Visitor>) -> Markup {
        html! {
            a.brand href="/" { "retaind" }
            nav aria-label="Pages" {
                @if visitor.is_some() {
                    @for (place, path, name) in PLACES {
                        a href=(path) aria-current=[(place == self.place).then_some("page")] { (name) }
                    }
                }
            }
            @if let Some(visitor) = visitor { (who(visitor)) }
        }
    }
}

/// Name of whoever looks, what they may do, and the way out.
fn who(visitor: &Visitor) -> Markup {
    let role = match (visitor.may_act, visitor.caller.role) {
        (true, _) => "operator",
        (false, Role::Viewer) => "viewer",
        (false, Role::Operator) => "read-only",
    };
    html! {
        div.who {
            @match &visitor.token {
                Some(token) => {
                    span { (token) " (" (role) ")" }
                    (order(visitor, "/logout", "Log out", "plain", &[]))
                }
                None => span { "local (" (role) ")" },
            }
        }
    }
}

/// Button that gives an order, as a form of its own.
pub(super) fn order(visitor: &Visitor, to: &str, words: &str, class: &str, fields: &[(&str, &str)]) -> Markup {
    html! {
        form.order method="post" action=(to) {
            (form_word(visitor))
            @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
            button class=(class) { (words) }
        }
    }
}

/// Field that every form has.
pub(super) fn form_word(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name="form_word" value=(visitor.form_word); }
}

/// A document or a part of one, as an answer.
pub(super) fn respond(status: StatusCode, markup: Markup) -> Response {
    let mut response = (status, markup.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(&mut response);
    response
}

/// Headers that each answer to a browser has.
pub(super) fn guard(response: &mut Response) {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Without any, a form would not say of which page it is.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

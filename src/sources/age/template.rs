//! A statement's text with `@holes`, so that a predicate that names its column many times can still be read.

use super::super::Sql;
use super::moment::Moments;
use crate::sources::sql::term::Term;
use crate::sources::sql::wall_clock::seconds;

/// Writes a template: `@raw` is the bare column; `@utc`, `@local`, `@date`, `@earlier` and `@later` are bound values of the cutoff,
/// `@localsecond` is `@local` without a fraction of zero, and `@utcsecond` and `@fraction` are `@utc` taken apart; `@floorutc` and so on are those of the floor. A template holds no other `@`.
pub(super) fn push(sql: &mut Sql, template: &str, term: &Term, cutoff: Option<&Moments>) {
    sql.template(template, |sql, hole| match hole {
        "raw" => term.push(sql),
        // NULL, with which nothing is older, for what a template has no cutoff for.
        hole => {
            sql.bind(cutoff.and_then(|cutoff| value(hole, cutoff)));
        }
    });
}

fn value(hole: &str, cutoff: &Moments) -> Option<String> {
    if hole == "floorlater" {
        return Some(cutoff.two_days_after_floor());
    }
    let (hole, utc, local) = match hole.strip_prefix("floor") {
        Some(hole) => (hole, cutoff.floor_utc, cutoff.floor_local),
        None => (hole, cutoff.utc, cutoff.local),
    };
    let utc = seconds(utc);
    let point = utc.find('.')?;
    match hole {
        "utc" => Some(utc),
        "utcsecond" => Some(utc[..point].to_owned()),
        "fraction" => Some(utc[point..].to_owned()),
        "local" => Some(seconds(local)),
        // A text of whole seconds is before it exactly when its time is.
        "localsecond" => Some(seconds(local).trim_end_matches(".000000").to_owned()),
        "date" => Some(local.date().to_string()),
        "earlier" => Some(cutoff.two_days_ago()),
        "later" => Some(cutoff.in_two_days()),
        _ => None,
    }
}

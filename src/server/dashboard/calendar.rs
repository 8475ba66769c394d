//! Calendar of the last days, a column for each week: how each went, by colour, by mark and in words.

use maud::{Markup, html};

use super::days::{Day, Days};
use super::words::Tone;
use crate::text::human::counted;

/// Distance from one day to the next.
const STEP: usize = 16;
/// Side of a day.
const SIDE: usize = 13;
/// Room for names of weekdays, and of months.
const LEFT: usize = 30;
const TOP: usize = 16;
/// Shades of days that went well, by how much went.
const SHADES: u64 = 4;

/// The days as a drawing, with a legend.
pub(super) fn draw(days: &Days) -> Markup {
    let Days(days) = days;
    let offset = days.first().map_or(0, weekday);
    let weeks = (days.len() + offset).div_ceil(7);
    let (width, height) = (LEFT + weeks * STEP, TOP + 7 * STEP);
    let most = days.iter().map(amount).max().unwrap_or(0);
    html! {
        svg.calendar viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img" aria-label=(summary(days)) {
            @for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri")] {
                text x="0" y=(TOP + row * STEP + 10) { (name) }
            }
            @for (place, day) in days.iter().enumerate() {
                @let (column, row) = ((place + offset) / 7, (place + offset) % 7);
                @let (x, y) = (LEFT + column * STEP, TOP + row * STEP);
                // Too near to the end there is no room for a name.
                @if day.date.day() <= 7 && row == 0 && column + 2 <= weeks {
                    text x=(x) y="10" { (day.date.strftime("%b").to_string()) }
                }
                g {
                    title { (day.words()) }
                    rect.day.(class(day, most)) x=(x) y=(y) width=(SIDE) height=(SIDE) rx="2" {}
                    (mark(day, x, y))
                }
            }
        }
        ul.legend aria-label="What the calendar shows" {
            li { span class="day none" {} "no run" }
            li {
                @for shade in 1..=SHADES { span class={ "day good" (shade) } {} }
                "well: little to much deleted"
            }
            li { span class="day care" { "–" } "with errors, or cut short" }
            li { span class="day bad" { "×" } "failed, or blocked" }
        }
    }
}

/// 0 for Monday.
fn weekday(day: &Day) -> usize {
    usize::try_from(day.date.weekday().to_monday_zero_offset()).unwrap_or(0)
}

fn amount(day: &Day) -> u64 {
    day.rows + day.files
}

fn class(day: &Day, most: u64) -> String {
    match day.worst {
        None | Some(Tone::Calm) => "none".to_owned(),
        Some(Tone::Bad) => "bad".to_owned(),
        Some(Tone::Care) => "care".to_owned(),
        Some(Tone::Busy) => "busy".to_owned(),
        Some(Tone::Good) => format!("good{}", shade(amount(day), most)),
    }
}

/// Shade of an amount: each one is for ten times as much as the one before it.
fn shade(amount: u64, most: u64) -> u64 {
    let magnitude = |number: u64| u64::from(number.checked_ilog10().map_or(0, |power| power + 1));
    (SHADES + magnitude(amount)).saturating_sub(magnitude(most)).clamp(1, SHADES)
}

/// Sign on a day of which somebody should know, also where no colour is seen.
fn mark(day: &Day, x: usize, y: usize) -> Markup {
    html! {
        @match day.worst {
            Some(Tone::Bad) => path.mark d={ "M" (x + 4) " " (y + 4) "l5 5m0-5l-5 5" } {},
            Some(Tone::Care) => path.mark d={ "M" (x + 4) " " (y + 6) "h5" } {},
            _ => "",
        }
    }
}

/// The drawing in a sentence.
fn summary(days: &[Day]) -> String {
    let with = |tone: Option<Tone>| days.iter().filter(|day| day.worst == tone).count() as u64;
    format!(
        "Calendar of {}: {} went well, {} had errors or were cut short, {} failed or were blocked, {} had no run",
        counted(days.len() as u64, "day"),
        with(Some(Tone::Good)),
        with(Some(Tone::Care)),
        with(Some(Tone::Bad)),
        with(None)
    )
}

#[cfg(test)]
mod tests {
    use super::super::days::tests::days;
    use super::*;

    #[test]
    fn a_blocked_day_has_a_mark_and_words() {
        let drawn = draw(&days()).into_string();
        assert_eq!((drawn.matches("class=\"mark\"").count(), drawn.matches("<title>").count()), (1, 3));
        assert!(drawn.contains("0 went well, 0 had errors or were cut short, 1 failed or were blocked, 2 had no run"));
        assert!(!drawn.contains("style="), "the policy of the pages refuses it");
    }

    #[test]
    fn shades_tell_magnitudes() {
        let shades = |most| [0, 1, 99, 100, 1_000, 99_999].map(|amount| shade(amount, most));
        assert_eq!(shades(99_999), [1, 1, 1, 2, 3, 4]);
        assert_eq!(shades(0), [4; 6], "where nothing ever went, nothing is as much as ever");
    }
}

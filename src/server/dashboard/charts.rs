//! Charts of the last days: rows, files and bytes, a bar for each day.

use maud::{Markup, html};

use super::days::{Day, Days};
use crate::text::human::{count, size};

/// Width of a day, and height of the highest bar.
const STEP: u64 = 6;
const HEIGHT: u64 = 80;

/// One chart below the other.
pub(super) fn draw(days: &Days) -> Markup {
    html! {
        div.charts {
            (chart("Rows", days, |day| day.rows, count))
            (chart("Files", days, |day| day.files, count))
            (chart("Bytes freed", days, |day| day.bytes, size))
        }
    }
}

fn chart(title: &str, Days(days): &Days, value: impl Fn(&Day) -> u64, words: impl Fn(u64) -> String) -> Markup {
    let (most, sum) = (days.iter().map(&value).max().unwrap_or(0), days.iter().map(&value).sum::<u64>());
    let width = days.len() as u64 * STEP;
    let label = format!("{title} by day: {} in all, {} on the busiest day", words(sum), words(most));
    html! {
        figure {
            figcaption { b { (title) } " " span.apart { (words(sum)) " in all, at most " (words(most)) " a day" } }
            svg.chart viewBox={ "0 0 " (width) " " (HEIGHT + 1) } preserveAspectRatio="none" role="img" aria-label=(label) {
                @for (place, day) in days.iter().enumerate() {
                    @let (value, x) = (value(day), place as u64 * STEP);
                    @let height = bar(value, most);
                    @if height > 0 {
                        rect x=(x) y=(HEIGHT - height) width=(STEP - 1) height=(height) {
                            title { (day.date.to_string()) ": " (words(value)) }
                        }
                    }
                }
                path.axis d={ "M0 " (HEIGHT) "h" (width) } {}
            }
        }
    }
}

/// Height of a bar; whatever is more than nothing can be seen.
fn bar(value: u64, most: u64) -> u64 {
    match value {
        0 => 0,
        value => u64::try_from(u128::from(value) * u128::from(HEIGHT) / u128::from(most.max(1)))
            .map_or(HEIGHT, |high| high.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::days::tests::days;
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share() {
        assert_eq!([0, 1, 500, 1000].map(|value| bar(value, 1000)), [0, 1, HEIGHT / 2, HEIGHT]);
        assert_eq!(bar(u64::MAX, u64::MAX), HEIGHT);
        let drawn = draw(&days()).into_string();
        assert_eq!(drawn.matches("<rect").count(), 1);
        assert!(drawn.contains("Rows by day: 1,204 in all, 1,204 on the busiest day"), "{drawn}");
    }
}

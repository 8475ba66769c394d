//! Wall-clock times: what a clock shows at an instant, and how statements write it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// `YYYY-MM-DD hh:mm:ss.ffffff`.
pub fn seconds(at: DateTime) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
}

/// The wall-clock time in `zone` before which every row is older than `cutoff`, also where the clock is set back
/// soon after and the same times come again.
pub fn earliest_local(cutoff: Timestamp, zone: &TimeZone) -> DateTime {
    let local = zone.to_datetime(cutoff);
    let again = zone.following(cutoff).next().map(|transition| zone.to_datetime(transition.timestamp()));
    // At the very moment of a change, the times that it skips are not over yet.
    let skipped = cutoff.checked_sub(1.nanosecond()).ok();
    let skipped = skipped.and_then(|before| zone.to_datetime(before).checked_add(1.nanosecond()).ok());
    [again, skipped].into_iter().flatten().fold(local, DateTime::min)
}

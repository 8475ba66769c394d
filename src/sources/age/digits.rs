//! Ages in texts that are numbers: units of time since 1970-01-01 UTC in decimal, perhaps with a fraction.

use super::number::read as read_number;
use super::value::Range;
use crate::decide::rows::AgeValue;
use crate::policy::AgeFormat;

/// Reads a text by the rules of the statements.
pub(super) fn read(format: AgeFormat, range: Range, raw: &str) -> AgeValue {
    let unsigned = raw.strip_prefix('-').unwrap_or(raw);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || fraction.len() > 9 || !is_digits(whole) || !is_digits(fraction) {
        return AgeValue::Unreadable;
    }
    read_number(format, range, raw)
}

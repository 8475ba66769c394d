//! Patterns of dates and numbers in texts, which the servers share.
//!
//! A cast that fails would end the statement, and with it the batch. So a pattern looks at each text first and lets only
//! those through that the cast is sure to take: the calendar with its leap years is in it. Both servers try the
//! branches of a CASE in their order.

/// A day of the calendar from the year 1000 on: only such a text is cast, for engines disagree about what came before.
pub(super) const DATE: &str = "([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
                    |02-(0[1-9]|1[0-9]|2[0-8]))\
                    |([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)";
/// A day of the calendar in any year of four digits.
pub(super) const ANY_DATE: &str = "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
                        |02-(0[1-9]|1[0-9]|2[0-8]))\
                        |([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?";
const ZONE: &str = "([Zz]|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))";

/// A number in decimal, perhaps with a fraction.
pub(super) const NUMBER: &str = "'^-?[0-9]{1,20}([.][0-9]{0,9})?$'";
/// A text longer than any that [`NUMBER`] takes.
pub(super) const LONGEST_NUMBER: usize = 31;

/// Zero dates, as MySQL writes them: not a day of the calendar, and no time. Each may stand in single quotes.
pub(crate) const ZERO_DATES: [&str; 5] =
    ["0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "0000-00-00T00:00:00Z", "0000-00-00 00:00:00.000000"];

/// The zero dates, quoted and parted by commas.
pub(super) fn zero_dates() -> String {
    ZERO_DATES.map(|text| format!("'{text}'")).join(", ")
}

/// A date, perhaps with a time and a zone.
pub(super) fn instant(date: &str) -> String {
    format!("'^{date}([Tt ]{TIME}{ZONE}?)?$'")
}

//! Ages in texts of PostgreSQL and MySQL: RFC 3339, the same without a zone, or a date alone.
//!
//! A cast that fails would end the statement, and with it the batch. So a pattern looks at each text first and lets only
//! those through that the cast is sure to take: the calendar with its leap years is in it. Both engines try the
//! branches of a CASE in their order.

use super::super::Sql;
use super::moment::Moments;
use super::template;
use crate::policy::Engine;
use crate::sources::sql::dialect::Term;

/// A day of the calendar from the year 1000 on: only such a text is cast, for engines disagree about what came before.
const DATE: &str = "([1-9][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
                    |02-(0[1-9]|1[0-9]|2[0-8]))\
                    |([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)-02-29)";
/// The same in any year of four digits.
const ANY_DATE: &str = "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)\
                        |02-(0[1-9]|1[0-9]|2[0-8]))\
                        |([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)";
const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?";
const ZONE: &str = "([Zz]|[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00))";

/// The column as a text that is compared byte by byte; the cast takes the padding off a `character(n)`.
pub(super) const POSTGRES_AGE: &str = "((@raw)::text COLLATE \"C\")";
pub(super) const MYSQL_AGE: &str = "(CONVERT(@raw USING utf8mb4) COLLATE utf8mb4_bin)";

/// A text that MySQL may not even convert, or whose last byte is the line break that its `$` passes over: too long for
/// a date in four bytes a character, or with a byte that no date has. Zero is the rest of a character in UTF-16 and
/// UTF-32.
const MYSQL_ODD: &str = "WHEN OCTET_LENGTH(@raw) > 140 THEN @odd \
    WHEN HEX(@raw) NOT REGEXP '^(00|2[0BDE]|3[0-9A]|[57][4A])+$' THEN @odd";

/// The same as branches of a CASE, which end it with a value.
pub(super) fn mysql_odd(value: &str) -> String {
    MYSQL_ODD.replace("@odd", value)
}

/// Zero dates, as MySQL writes them: not a day of the calendar, and no time. Each may stand in single quotes.
pub(super) const ZERO_DATES: [&str; 5] =
    ["0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00", "0000-00-00T00:00:00Z", "0000-00-00 00:00:00.000000"];

/// The zero dates, quoted and parted by commas.
pub(super) fn zero_dates() -> String {
    ZERO_DATES.map(|text| format!("'{text}'")).join(", ")
}

/// Writes "the text is an instant from the floor on and before the cutoff"; NULL for NULL. For the servers only.
pub(super) fn push_older(sql: &mut Sql, term: &Term, cutoff: &Moments) {
    let template = match sql.engine() {
        Engine::MySql => mysql_older(),
        Engine::Postgres | Engine::Sqlite => postgres_older(),
    };
    template::push(sql, &template, term, Some(cutoff));
}

/// Writes "there is a text, and it is no instant".
pub(super) fn push_unreadable(sql: &mut Sql, term: &Term) {
    let (pattern, zero) = (pattern(ANY_DATE), zero_dates());
    let template = match sql.engine() {
        Engine::MySql => {
            let (age, odd) = (MYSQL_AGE, mysql_odd("TRUE"));
            format!(
                "CASE WHEN @raw IS NULL THEN FALSE WHEN OCTET_LENGTH(@raw) = 0 THEN FALSE {odd} \
                 ELSE {age} NOT REGEXP {pattern} AND {age} NOT IN ({zero}) END"
            )
        }
        Engine::Postgres | Engine::Sqlite => {
            let age = POSTGRES_AGE;
            format!(
                "CASE WHEN @raw IS NULL THEN FALSE WHEN octet_length({age}) = 0 THEN FALSE \
                 WHEN octet_length({age}) > 35 THEN TRUE ELSE {age} !~ {pattern} AND {age} NOT IN ({zero}) END"
            )
        }
    };
    template::push(sql, &template, term, None);
}

fn pattern(date: &str) -> String {
    format!("'^{date}([Tt ]{TIME}{ZONE}?)?$'")
}

/// Texts longer than any date are told apart before they are looked at: the server need not even fetch them. Young
/// ones come next, by their first letters, as most rows are young; hardly a date is so near to the floor or to the cutoff
/// that it must be cast.
fn postgres_older() -> String {
    let (age, pattern) = (POSTGRES_AGE, pattern(DATE));
    let between = |wall: &str, from: &str, to: &str| format!("{wall} >= {from} AND {wall} < {to}");
    let date = between(age, "@floordate", "@date");
    let zulu = between(&format!("left(left({age}, -1), 26)::timestamp"), "@floorutc::timestamp", "@utc::timestamp");
    let zone = format!("right({age}, 6)::interval");
    let offset = between(
        &format!("left(left({age}, -6), 26)::timestamp"),
        &format!("@floorutc::timestamp + {zone}"),
        &format!("@utc::timestamp + {zone}"),
    );
    let plain = between(&format!("left({age}, 26)::timestamp"), "@floorlocal::timestamp", "@local::timestamp");
    format!(
        "CASE WHEN octet_length({age}) > 35 THEN FALSE WHEN {age} >= @later THEN FALSE \
         WHEN {age} !~ {pattern} THEN FALSE WHEN {age} >= @floorlater AND {age} < @earlier THEN TRUE \
         WHEN octet_length({age}) = 10 THEN {date} \
         WHEN right({age}, 1) IN ('Z', 'z') THEN {zulu} \
         WHEN left(right({age}, 6), 1) IN ('+', '-') THEN {offset} ELSE {plain} END"
    )
}

fn mysql_older() -> String {
    let (age, odd, pattern) = (MYSQL_AGE, mysql_odd("FALSE"), pattern(DATE));
    // Date, blank, and time to the microsecond, of a text whose zone takes so many letters.
    let wall = |zone: u8| {
        let rest = format!("SUBSTRING({age}, 12, LEAST(15, CHAR_LENGTH({age}) - {}))", 11 + zone);
        format!("CAST(CONCAT(LEFT({age}, 10), ' ', {rest}) AS DATETIME(6))")
    };
    let between = |wall: String, zone: &str, after: &str| {
        let bound = |hole: &str| format!("CAST(@{hole}{zone} AS DATETIME(6)){after}");
        format!("{wall} >= {} AND {wall} < {}", bound("floor"), bound(""))
    };
    let shift = format!(" + INTERVAL RIGHT({age}, 6) HOUR_MINUTE");
    let (plain, zulu, offset) =
        (between(wall(0), "local", ""), between(wall(1), "utc", ""), between(wall(6), "utc", &shift));
    format!(
        "CASE {odd} WHEN {age} >= @later THEN FALSE WHEN {age} NOT REGEXP {pattern} THEN FALSE \
         WHEN {age} >= @floorlater AND {age} < @earlier THEN TRUE \
         WHEN CHAR_LENGTH({age}) = 10 THEN {age} >= @floordate AND {age} < @date \
         WHEN RIGHT({age}, 1) IN ('Z', 'z') THEN {zulu} \
         WHEN LEFT(RIGHT({age}, 6), 1) IN ('+', '-') THEN {offset} ELSE {plain} END"
    )
}

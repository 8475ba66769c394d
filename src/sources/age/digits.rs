//! Ages in texts that are numbers: units of time since 1970-01-01 UTC in decimal, perhaps with a fraction.
//!
//! A pattern looks at each text before it is cast, so that no text makes a statement fail. No index on the column is in
//! their order.

use super::super::Sql;
use super::number::{first_from, read as read_number};
use super::template;
use super::text::{MYSQL_AGE, POSTGRES_AGE, mysql_odd};
use super::value::Range;
use crate::decide::rows::AgeValue;
use crate::policy::{AgeFormat, Engine};
use crate::sources::sql::dialect::Term;

const PATTERN: &str = "'^-?[0-9]{1,20}([.][0-9]{0,9})?$'";
/// A text longer than any that the pattern takes.
const LONGEST: usize = 31;

/// Whether SQLite's text is such a number, as 1 or 0.
const SQLITE_READABLE: &str = "(typeof(@raw) = 'text' AND length(@raw) <= 31 AND instr(@raw, char(0)) = 0 \
    AND substr(@raw, 1 + (substr(@raw, 1, 1) = '-')) GLOB '[0-9]*' \
    AND substr(@raw, 1 + (substr(@raw, 1, 1) = '-')) NOT GLOB '*[^0-9.]*' AND @raw NOT GLOB '*.*.*')";

/// Writes "the text is a number within the range"; NULL or false for NULL.
pub(super) fn push_within(sql: &mut Sql, term: &Term, format: AgeFormat, range: Range) {
    let (from, to) = (first_from(format, range.from), format.whole(range.to));
    let template = match sql.engine() {
        Engine::Postgres => {
            let age = POSTGRES_AGE;
            format!(
                "CASE WHEN octet_length({age}) > {LONGEST} THEN FALSE WHEN {age} !~ {PATTERN} THEN FALSE \
                 ELSE {age}::numeric >= {from} AND {age}::numeric < {to} END"
            )
        }
        Engine::MySql => {
            let (age, odd) = (MYSQL_AGE, mysql_odd("FALSE"));
            let number = format!("CAST({age} AS DECIMAL(40, 9))");
            format!(
                "CASE {odd} WHEN {age} NOT REGEXP {PATTERN} THEN FALSE \
                 ELSE {number} >= {from} AND {number} < {to} END"
            )
        }
        Engine::Sqlite => {
            let number = "CAST(@raw AS NUMERIC)";
            format!(
                "CASE WHEN {SQLITE_READABLE} THEN {number} >= CAST('{from}' AS NUMERIC) \
                 AND {number} < CAST('{to}' AS NUMERIC) ELSE 0 END"
            )
        }
    };
    template::push(sql, &template, term, None);
}

/// Writes "there is a text, and it is not a number".
pub(super) fn push_unreadable(sql: &mut Sql, term: &Term) {
    let template = match sql.engine() {
        Engine::Postgres => {
            let age = POSTGRES_AGE;
            format!(
                "CASE WHEN @raw IS NULL THEN FALSE WHEN octet_length({age}) = 0 THEN FALSE \
                 WHEN octet_length({age}) > {LONGEST} THEN TRUE ELSE {age} !~ {PATTERN} END"
            )
        }
        Engine::MySql => {
            let (age, odd) = (MYSQL_AGE, mysql_odd("TRUE"));
            format!(
                "CASE WHEN @raw IS NULL THEN FALSE WHEN OCTET_LENGTH(@raw) = 0 THEN FALSE {odd} \
                 ELSE {age} NOT REGEXP {PATTERN} END"
            )
        }
        Engine::Sqlite => {
            format!("(@raw IS NOT NULL AND @raw IS NOT '' COLLATE BINARY AND NOT {SQLITE_READABLE})")
        }
    };
    template::push(sql, &template, term, None);
}

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

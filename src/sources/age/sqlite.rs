//! Ages in texts of SQLite, by the same rules as on the servers. SQLite has no patterns to speak of, so its own reading
//! of dates judges them, and what it takes too lightly is refused: February the 30th, hour 24, blanks, times alone, bare
//! numbers. A value that is no text is no date.

use super::super::Sql;
use super::moment::Moments;
use super::template;
use super::text::zero_dates;
use crate::sources::sql::dialect::Term;

/// Whether the text is what SQLite itself writes for an instant: looked at first, for it costs the least. Without a
/// modifier `datetime` gives hour 24 back as it was written.
const CANONICAL: &str = "@raw IS datetime(@raw, '+0 days') COLLATE BINARY AND @raw GLOB '[1-9]*'";

/// Whether the text is one to the second or finer, as programs write them, perhaps in UTC: one reading of its first
/// letters says that they are a date and a time. Looked at next, for it costs half of what all others do.
const USUAL: &str = "substr(@raw, 1, 19) \
    IS replace(datetime(substr(@raw, 1, 19), '+0 days'), ' ', substr(@raw, 11, 1)) COLLATE BINARY \
    AND @raw GLOB '[1-9]?????????[T ]*' AND length(@raw) <= 29 AND (substr(@raw, 20) IN ('', 'Z') \
    OR (substr(@raw, 20) GLOB '.[0-9]*' AND ltrim(substr(@raw, 21), '0123456789') IN ('', 'Z')))";

/// Whether any other text can be read, as 1 or 0; one of a year before 1000 is none of them.
const READABLE: &str = "CASE WHEN typeof(@raw) <> 'text' THEN 0 \
    WHEN length(@raw) > 35 OR instr(@raw, char(0)) > 0 THEN 0 \
    WHEN @raw NOT GLOB '[1-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*' THEN 0 \
    WHEN date(substr(@raw, 1, 10), '+0 days') IS NOT substr(@raw, 1, 10) THEN 0 \
    WHEN length(@raw) = 10 THEN 1 \
    WHEN @raw NOT GLOB '??????????[Tt ][0-2][0-9]:[0-5][0-9]*' OR substr(@raw, 12) GLOB '*[^0-9:.Zz+-]*' THEN 0 \
    WHEN substr(@raw, 12, 2) >= '24' OR julianday('2000-01-01' || upper(substr(@raw, 11))) IS NULL THEN 0 \
    WHEN @raw GLOB '*[Zz]' THEN length(@raw) <= 30 \
    WHEN substr(@raw, -6, 1) IN ('+', '-') THEN substr(@raw, -5) <= '14:00' \
    ELSE length(@raw) <= 29 END";

/// Whether a text can be read, whatever its year.
fn readable_ever() -> String {
    format!("{} OR @raw COLLATE BINARY IN ({})", READABLE.replacen("'[1-9][0-9]", "'[0-9][0-9]", 1), zero_dates())
}

/// Writes "the text is an instant from the floor on and before the cutoff"; false for NULL.
pub(super) fn push_older(sql: &mut Sql, term: &Term, cutoff: &Moments) {
    // Date, blank, and time to the microsecond, of a text whose zone takes so many letters.
    let wall = |zone: u8| {
        let length = format!("min(15, length(@raw) - {})", 11 + zone);
        format!("substr(@raw, 1, 10) || ' ' || substr(@raw, 12, {length}) || substr('00:00:00.000000', {length} + 1)")
    };
    let (plain, zulu, offset) = (wall(0), wall(1), wall(6));
    let shifted = |hole: &str| format!("datetime(@{hole}utcsecond, substr(@raw, -6)) || @{hole}fraction");
    let (from, to) = (shifted("floor"), shifted(""));
    // Hardly a text is so near to the floor or to the cutoff that it must be taken apart.
    let template = format!(
        "CASE WHEN {CANONICAL} THEN @raw || '.000000' >= @floorlocal AND @raw || '.000000' < @local \
         WHEN NOT ({USUAL} OR {READABLE}) THEN 0 \
         WHEN @raw COLLATE BINARY >= @floorlater AND @raw COLLATE BINARY < @earlier THEN 1 \
         WHEN length(@raw) = 10 THEN substr(@raw, 1) >= @floordate AND substr(@raw, 1) < @date \
         WHEN @raw GLOB '*[Zz]' THEN {zulu} >= @floorutc AND {zulu} < @utc \
         WHEN substr(@raw, -6, 1) IN ('+', '-') THEN {offset} >= {from} AND {offset} < {to} \
         ELSE {plain} >= @floorlocal AND {plain} < @local END"
    );
    template::push(sql, &template, term, Some(cutoff));
}

/// Writes "there is a value other than an empty text, and it is no instant".
pub(super) fn push_unreadable(sql: &mut Sql, term: &Term) {
    let readable = readable_ever();
    let template = format!(
        "(@raw IS NOT NULL AND @raw IS NOT '' COLLATE BINARY \
         AND NOT ({CANONICAL}) AND NOT ({USUAL}) AND NOT ({readable}))"
    );
    template::push(sql, &template, term, None);
}

/// Writes a lower bound of the texts of rows that are not before the floor.
pub(super) fn push_floor(sql: &mut Sql, term: &Term, cutoff: &Moments) {
    term.push(sql);
    sql.push(" >= ");
    term.push_value(sql, &cutoff.two_days_before());
}

/// Writes an upper bound of the texts of older rows.
pub(super) fn push_ceiling(sql: &mut Sql, term: &Term, cutoff: &Moments) {
    term.push(sql);
    sql.push(" < ");
    term.push_value(sql, &cutoff.in_two_days());
}

/// The first letters of a text, each written anew: SQLite lets bytes pass for text that are none.
const LETTERS: &str = "(WITH RECURSIVE shown(shown_place) AS (SELECT 1 UNION ALL SELECT shown_place + 1 FROM shown \
    WHERE shown_place < 64) SELECT group_concat(char(unicode(substr(@raw, shown_place, 1))), '') FROM shown \
    WHERE shown_place <= length(@raw))";

/// Writes the value as a person reads it; bytes as SQL writes them, so that they never pass for a date.
pub(super) fn push_shown(sql: &mut Sql, term: &Term) {
    let template = format!(
        "CASE WHEN typeof(@raw) = 'blob' OR instr(@raw, char(0)) > 0 \
         THEN 'x''' || hex(substr(CAST(@raw AS BLOB), 1, 64)) || '''' \
         WHEN typeof(@raw) = 'real' THEN printf('%!.17g', @raw) WHEN @raw GLOB '*[^ -~]*' THEN {LETTERS} ELSE substr(CAST(@raw AS TEXT), 1, 64) END"
    );
    template::push(sql, &template, term, None);
}

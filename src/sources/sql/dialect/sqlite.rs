//! The words of SQLite.
//!
//! It has no patterns to speak of, so that its own reading of dates judges texts, by the same rules as on the servers; what
//! it takes too lightly is refused: February the 30th, hour 24, blanks, times alone, bare numbers. A value that is no text is
//! no date.

use super::patterns::zero_dates;
use super::{Around, Begins, ColumnType, Dialect, Traits, TreeOrder, Typed};
use crate::sources::ErrorKind;

/// The words of SQLite.
pub(super) struct Sqlite;

const INTEGER: Around = ("CAST(", " AS INTEGER)");

const TRAITS: Traits = Traits {
    phrases: &[
        ("is locked", ErrorKind::Busy),
        ("attempt to write a readonly database", ErrorKind::ReadOnly),
        // Its journal cannot be made beside it.
        ("unable to open database file", ErrorKind::ReadOnly),
        ("interrupted", ErrorKind::Cancelled),
    ],
    begin: "BEGIN IMMEDIATE",
    snapshot: &["BEGIN DEFERRED"],
    // A reader in the way, or a deferred foreign key: the transaction is still open.
    refusals: &[ErrorKind::Busy, ErrorKind::Constraint],
    commits_at_once: false,
    others: "SELECT CAST(data_version AS TEXT) FROM pragma_data_version",
    others_are_counted: false,
    has_many_writers: false,
    mark: None,
    outcome: "",
    time: "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    version: "SELECT sqlite_version()",
    tls: "",
    takes_changes: "",
    is_read_only: "",
    has_grants: false,
    locking_needs_update: false,
    locks_rows: false,
    scan_stops_at_locks: false,
    may_ask_itself: true,
    has_silent_vetoes: true,
    share_lock: "",
    tree_order: TreeOrder::ByGeneration,
    join_in_order: "CROSS JOIN",
    compiles_deletions: true,
    stores_anything: true,
    folds_names: false,
    double_quotes_texts: false,
    compares_texts_with_times: true,
    converts_values: false,
    compares_rows_by_index: true,
    has_places: false,
    orders_enums_by_number: false,
    clusters_by_key: false,
    same_age_is_unordered: false,
    enters_by_window: true,
    left_collation_counts: true,
    binds_as_referenced: true,
    quote: '`',
    placeholder: "?",
    literal: ("CAST(X'", "' AS TEXT)"),
    mistakes_names: true,
    types_null: false,
    flags: ["0", "1"],
    parameters: [("", ""), INTEGER, INTEGER, ("", ""), ("", ""), ("", "")],
    instants: [("", ""); 2],
    whole_seconds: true,
    numbers: [("CAST(", " AS NUMERIC)"); 3],
    no_number: Some("(typeof(@raw) IN ('text', 'blob') AND @raw IS NOT '' COLLATE BINARY)"),
    escapes_bytes: false,
    counts_bytes: false,
    knows_collations: false,
    exact_collations: &["`binary`"],
    vetoes: "SELECT 'trigger', name FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = @table COLLATE NOCASE \
             AND sql LIKE '%RAISE%' AND sql LIKE '%@event%' ORDER BY name",
    create_index: "CREATE INDEX @name ON ",
    index_has_schema: true,
    indexes_beginnings: false,
    logins: &[],
    grants_to_hosts: false,
    table_lock: "",
    table_unlock: "",
    count: "CAST(count(*) AS TEXT)",
    one: "CAST(1 AS text)",
    beginning: ("substr(", ", 1, "),
    // Bytes as SQL writes them, so that they never pass for a date; letters each written anew, for bytes pass for text that
    // are none.
    shown_age: "CASE WHEN typeof(@raw) = 'blob' OR instr(@raw, char(0)) > 0 \
                THEN 'x''' || hex(substr(CAST(@raw AS BLOB), 1, 64)) || '''' \
                WHEN typeof(@raw) = 'real' THEN printf('%!.17g', @raw) WHEN @raw GLOB '*[^ -~]*' THEN \
                (WITH RECURSIVE shown(shown_place) AS (SELECT 1 UNION ALL SELECT shown_place + 1 FROM shown \
                WHERE shown_place < 64) SELECT group_concat(char(unicode(substr(@raw, shown_place, 1))), '') FROM shown \
                WHERE shown_place <= length(@raw)) ELSE substr(CAST(@raw AS TEXT), 1, 64) END",
    among_rows: ") IN (VALUES ",
    concat: ("(", " || "),
    json_array: ("json_array(", ")"),
    integer: INTEGER,
    utc: "",
    first_instant: None,
    casts_each_row: false,
    orders_texts_by_time: true,
    // No index is used for an operand with a sign.
    bare_number: "+",
    path_text: "CAST(@raw AS TEXT)",
    path_value: "@value",
    // No last slash is found: the length of what is left without the characters that follow it is its place.
    last_segment: "substr(rtrim(@path, '/'), length(rtrim(rtrim(@path, '/'), replace(@path, '/', ''))) + 1)",
    explain: None,
    class: "typeof(@raw) <> 'text' THEN typeof(@raw) WHEN @raw NOT GLOB '*[^0-9.]*' THEN 'digits' \
            WHEN @raw GLOB '[0-9][0-9][0-9][0-9]-*' AND (@raw < '1980-01-02' OR @raw >= '9000-') THEN 'never' \
            ELSE 'text' END || ' '",
    bound_as: ["an integer", "a text such as '2026-01-31 12:00:00'"],
};

/// Condition: the text is what SQLite itself writes for an instant. Looked at first, for it costs the least. `datetime`
/// alone gives hour 24 and the 30th of February back as they were written; without a sign a column of dates, which has
/// the affinity of numbers, has each text read as one.
const CANONICAL: &str = "+@raw IS datetime(unixepoch(@raw), 'unixepoch') COLLATE BINARY";

/// Condition: the text is an instant to the second or finer, as programs write them, perhaps in UTC; one reading of its
/// first letters says that they are a date and a time. Looked at next, for it costs half of what all others do.
const USUAL: &str = "substr(@raw, 1, 19) \
    IS replace(datetime(substr(@raw, 1, 19), '+0 days'), ' ', substr(@raw, 11, 1)) COLLATE BINARY \
    AND @raw GLOB '[1-9]?????????[T ]*' AND length(@raw) <= 29 AND (substr(@raw, 20) IN ('', 'Z') \
    OR (substr(@raw, 20) GLOB '.[0-9]*' AND ltrim(substr(@raw, 21), '0123456789') IN ('', 'Z')))";

/// 1 if any other text can be read, else 0; one of a year before 1000 cannot.
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

/// 1 if the text is a number in decimal, else 0.
const NUMBER: &str = "(typeof(@raw) = 'text' AND length(@raw) <= 31 AND instr(@raw, char(0)) = 0 \
    AND substr(@raw, 1 + (substr(@raw, 1, 1) = '-')) GLOB '[0-9]*' \
    AND substr(@raw, 1 + (substr(@raw, 1, 1) = '-')) NOT GLOB '*[^0-9.]*' AND @raw NOT GLOB '*.*.*')";

impl Dialect for Sqlite {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn text(&self, of: &Typed) -> &'static str {
        match of.kind {
            // A fraction may be stored there as well, and a cast would round it to another value.
            ColumnType::Integer | ColumnType::Real | ColumnType::SqliteDateTime => {
                "CASE typeof(@raw) WHEN 'real' THEN printf('%!.17g', @raw) ELSE CAST(@raw AS TEXT) END"
            }
            ColumnType::Binary => "hex(@raw)",
            _ => "CAST(@raw AS TEXT)",
        }
    }

    fn value(&self, of: &Typed, value: &str) -> (String, String) {
        let (before, behind) = match of.kind {
            ColumnType::Binary => ("unhex(", ")"),
            // A column of numbers may hold a text as well, which is no number in any case.
            ColumnType::Integer | ColumnType::Real if value.parse::<f64>().is_ok() => ("CAST(", " AS NUMERIC)"),
            _ => ("", ""),
        };
        (before.to_owned(), behind.to_owned())
    }

    fn old_text(&self) -> String {
        // Date, blank, and time to the microsecond, of a text whose zone takes so many letters.
        let wall = |zone: u8| {
            let length = format!("min(15, length(@raw) - {})", 11 + zone);
            format!(
                "substr(@raw, 1, 10) || ' ' || substr(@raw, 12, {length}) || substr('00:00:00.000000', {length} + 1)"
            )
        };
        let (plain, zulu, offset) = (wall(0), wall(1), wall(6));
        let shifted = |hole: &str| format!("datetime(@{hole}utcsecond, substr(@raw, -6)) || @{hole}fraction");
        let (from, to) = (shifted("floor"), shifted(""));
        // Hardly a text is so near to the floor or to the cutoff that it must be taken apart.
        format!(
            "CASE WHEN @raw IS NULL THEN 0 WHEN {CANONICAL} THEN +@raw COLLATE BINARY >= @floorlocalsecond AND +@raw COLLATE BINARY < @localsecond \
             WHEN NOT ({USUAL} OR {READABLE}) THEN 0 \
             WHEN @raw COLLATE BINARY >= @floorlater AND @raw COLLATE BINARY < @earlier THEN 1 \
             WHEN length(@raw) = 10 THEN substr(@raw, 1) >= @floordate AND substr(@raw, 1) < @date \
             WHEN @raw GLOB '*[Zz]' THEN {zulu} >= @floorutc AND {zulu} < @utc \
             WHEN substr(@raw, -6, 1) IN ('+', '-') THEN {offset} >= {from} AND {offset} < {to} \
             ELSE {plain} >= @floorlocal AND {plain} < @local END"
        )
    }

    fn unreadable_text(&self) -> String {
        let of_any_year = READABLE.replacen("'[1-9][0-9]", "'[0-9][0-9]", 1);
        format!(
            "(@raw IS NOT NULL AND @raw IS NOT '' COLLATE BINARY AND NOT ({CANONICAL} AND @raw GLOB '[1-9]*') \
             AND NOT ({USUAL}) AND NOT ({of_any_year} OR @raw COLLATE BINARY IN ({})))",
            zero_dates()
        )
    }

    fn digits_within(&self, from: i128, to: i128) -> String {
        let number = "CAST(@raw AS NUMERIC)";
        format!(
            "CASE WHEN {NUMBER} THEN {number} >= CAST('{from}' AS NUMERIC) \
             AND {number} < CAST('{to}' AS NUMERIC) ELSE 0 END"
        )
    }

    fn unreadable_digits(&self) -> String {
        format!("(@raw IS NOT NULL AND @raw IS NOT '' COLLATE BINARY AND NOT {NUMBER})")
    }

    /// A value has the type that it was stored with, whatever its column says.
    fn held(&self, of: &Typed) -> String {
        let is_either = matches!(of.kind, ColumnType::Text | ColumnType::Binary);
        if is_either { "@value, CAST(@value AS BLOB)" } else { "@value" }.to_owned()
    }

    /// Its planner rather reads a whole table than many ranges of an index, unless ranges are rows that come first.
    fn begins(&self, of: &Typed) -> Option<Begins> {
        let begins = Begins {
            around: (
                "@raw IN (SELECT found.@raw FROM (VALUES ",
                ") AS beginning CROSS JOIN @table AS found WHERE found.@raw COLLATE BINARY >= beginning.column1 \
                 AND found.@raw COLLATE BINARY < beginning.column2)",
            ),
            each: "(@from, @to), (CAST(@from AS BLOB), CAST(@to AS BLOB))",
            between: ", ",
        };
        matches!(of.kind, ColumnType::Text | ColumnType::Binary).then_some(begins)
    }

    fn compared_as(&self, parent: &Typed) -> (String, String) {
        let collation = parent.collation.as_deref().unwrap_or("BINARY");
        ("(CAST(".to_owned(), format!(" AS TEXT) COLLATE {collation})"))
    }
}

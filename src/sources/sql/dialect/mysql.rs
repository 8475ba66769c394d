//! The words of MySQL and MariaDB.

use super::patterns::{ANY_DATE, DATE, NUMBER, instant, zero_dates};
use super::{Around, Begins, ColumnType, Dialect, Traits, TreeOrder, Typed};
use crate::sources::ErrorKind;

/// The words of MySQL and MariaDB.
pub(super) struct MySql;

const SIGNED: Around = ("CAST(", " AS SIGNED)");
const DATETIME: Around = ("CAST(", " AS DATETIME(6))");

const TRAITS: Traits = Traits {
    phrases: &[
        ("Lock wait timeout exceeded", ErrorKind::Busy),
        ("NOWAIT is set", ErrorKind::Busy),
        ("Deadlock found", ErrorKind::Busy),
        ("Record has changed since last read", ErrorKind::Busy),
        ("max_statement_time exceeded", ErrorKind::Timeout),
        ("maximum statement execution time exceeded", ErrorKind::Timeout),
        ("Query execution was interrupted", ErrorKind::Cancelled),
        ("Connection was killed", ErrorKind::Lost),
        ("Server shutdown in progress", ErrorKind::Lost),
        // How the driver words what is not the server's answer.
        ("Input/output error:", ErrorKind::Lost),
        ("Driver error:", ErrorKind::Lost),
        ("Other error:", ErrorKind::Lost),
        ("command denied to user", ErrorKind::Permission),
        ("Access denied", ErrorKind::Permission),
        // MySQL's and MariaDB's options of that name, and MySQL's --super-read-only.
        ("read-only option", ErrorKind::ReadOnly),
        ("READ ONLY transaction", ErrorKind::ReadOnly),
    ],
    // The isolation level is the session's.
    begin: "START TRANSACTION READ WRITE",
    snapshot: &[
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ],
    // A cluster that found a conflict; an interrupted COMMIT may have been written.
    refusals: &[ErrorKind::Busy],
    commits_at_once: false,
    // The connection, which tells only that the transaction is over.
    others: "SHOW GLOBAL STATUS LIKE 'Threads_running'",
    others_are_counted: true,
    has_many_writers: true,
    mark: Some("SELECT CAST(CONNECTION_ID() AS CHAR)"),
    outcome: "SELECT 'in progress' FROM information_schema.processlist WHERE id = CAST(@number AS UNSIGNED)",
    time: "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')",
    version: "SELECT VERSION()",
    tls: "SHOW SESSION STATUS LIKE 'Ssl_version'",
    takes_changes: "SELECT '0', CAST(@@global.read_only AS CHAR)",
    is_read_only: "is read-only (read_only is on), a replica perhaps: write the primary into its url",
    has_grants: true,
    locking_needs_update: false,
    locks_rows: true,
    scan_stops_at_locks: true,
    may_ask_itself: false,
    has_silent_vetoes: false,
    share_lock: " LOCK IN SHARE MODE",
    tree_order: TreeOrder::InOrder(250),
    join_in_order: "STRAIGHT_JOIN",
    compiles_deletions: false,
    stores_anything: false,
    folds_names: false,
    double_quotes_texts: true,
    compares_texts_with_times: true,
    converts_values: true,
    compares_rows_by_index: false,
    has_places: false,
    orders_enums_by_number: true,
    clusters_by_key: true,
    same_age_is_unordered: false,
    enters_by_window: false,
    left_collation_counts: false,
    binds_as_referenced: false,
    quote: '`',
    placeholder: "?",
    literal: ("_utf8mb4 X'", "'"),
    mistakes_names: false,
    types_null: false,
    flags: ["0", "1"],
    parameters: [("", ""), SIGNED, SIGNED, DATETIME, ("CAST(", " AS DATE)"), ("", "")],
    instants: [DATETIME; 2],
    whole_seconds: false,
    numbers: [SIGNED, ("CAST(", " AS DECIMAL(40, 0))"), ("CAST(", " AS DECIMAL(40, 0))")],
    no_number: None,
    escapes_bytes: false,
    counts_bytes: true,
    knows_collations: true,
    exact_collations: &["_bin", "binary"],
    vetoes: "SELECT 'trigger', trigger_name FROM information_schema.triggers WHERE action_timing = 'BEFORE' AND \
             event_manipulation = '@event' AND event_object_table = @table AND event_object_schema = @schema ORDER BY trigger_name",
    create_index: "CREATE INDEX @name ON ",
    index_has_schema: false,
    indexes_beginnings: true,
    logins: &[("Access denied for user '@user'@", "CREATE USER IF NOT EXISTS @login IDENTIFIED BY @password;")],
    grants_to_hosts: true,
    table_lock: "SELECT CAST(GET_LOCK('retaind.@hex', 0) AS CHAR)",
    table_unlock: "DO RELEASE_LOCK('retaind.@hex')",
    count: "CAST(count(*) AS CHAR)",
    one: "CAST(1 AS CHAR)",
    beginning: ("left(", ", "),
    shown_age: "left(@text, 64)",
    among_rows: ") IN (",
    concat: ("CONCAT(", ", "),
    json_array: ("CAST(JSON_ARRAY(", ") AS CHAR)"),
    integer: SIGNED,
    utc: "",
    // A TIMESTAMP cannot be compared with a date before 1970, and holds none but zero dates, which sort before every other.
    first_instant: Some("1970-01-02 00:00:00.000000"),
    casts_each_row: false,
    orders_texts_by_time: false,
    bare_number: "",
    path_text: "TRIM(TRAILING 0x00 FROM @raw)",
    path_value: "CAST(@value AS BINARY)",
    last_segment: "SUBSTRING_INDEX(TRIM(TRAILING '/' FROM @path), '/', -1)",
    explain: Some("EXPLAIN FORMAT=JSON "),
    class: "@raw IS NULL THEN 'null ' \
            WHEN @raw REGEXP '^([0-9]{1,7}|[0-9]{9,13}|[0-9]{15,})([.][0-9]*)?$' THEN 'digits ' \
            WHEN @raw REGEXP '^[0-9]{4}-' AND (@raw < '1980-01-02' OR @raw >= '9000') THEN 'never ' ELSE 'text ' END",
    bound_as: ["a BIGINT", "a DATETIME"],
};

/// The column as a text that is compared byte by byte.
const AGE: &str = "(CONVERT(@raw USING utf8mb4) COLLATE utf8mb4_bin)";

/// Branches of a CASE, which end it with a value for a text that may not even be converted, or whose last byte is the line
/// break that a `$` passes over: too long for a date in four bytes a character, or with a byte that no date has. Zero is the
/// rest of a character in UTF-16 and UTF-32.
fn odd(value: &str) -> String {
    format!(
        "WHEN OCTET_LENGTH(@raw) > 140 THEN {value} \
         WHEN HEX(@raw) NOT REGEXP '^(00|2[0BDE]|3[0-9A]|[57][4A])+$' THEN {value}"
    )
}

/// In which characters a column of texts is written.
fn charset(of: &Typed) -> Option<&str> {
    of.collation.as_deref()?.split('_').next()
}

impl Dialect for MySql {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn text(&self, of: &Typed) -> &'static str {
        match of.kind {
            // A FLOAT is written with six digits, of whatever it holds; as a DOUBLE with as many as there are.
            ColumnType::Real if of.declared.to_ascii_lowercase().starts_with("float") => {
                "CAST((@raw + 0E0) AS CHAR CHARACTER SET utf8mb4)"
            }
            ColumnType::Binary => "hex(@raw)",
            _ => "CAST(@raw AS CHAR CHARACTER SET utf8mb4)",
        }
    }

    fn value(&self, of: &Typed, _value: &str) -> (String, String) {
        let declared = of.declared.to_ascii_lowercase();
        let cast = match of.kind {
            ColumnType::Binary => return ("unhex(".to_owned(), ")".to_owned()),
            ColumnType::Integer if declared.contains("unsigned") => "UNSIGNED",
            ColumnType::Integer => "SIGNED",
            ColumnType::TimestampTz | ColumnType::Timestamp => "DATETIME(6)",
            ColumnType::Date => "DATE",
            _ if declared.starts_with("decimal") => &declared.replace(" unsigned", "").replace(" zerofill", ""),
            _ => return (String::new(), String::new()),
        };
        ("CAST(".to_owned(), format!(" AS {cast})"))
    }

    fn old_text(&self) -> String {
        let (odd, pattern) = (odd("FALSE"), instant(DATE));
        // Date, blank, and time to the microsecond, of a text whose zone takes so many letters.
        let wall = |zone: u8| {
            let rest = format!("SUBSTRING({AGE}, 12, LEAST(15, CHAR_LENGTH({AGE}) - {}))", 11 + zone);
            format!("CAST(CONCAT(LEFT({AGE}, 10), ' ', {rest}) AS DATETIME(6))")
        };
        let between = |wall: String, zone: &str, after: &str| {
            let bound = |hole: &str| format!("CAST(@{hole}{zone} AS DATETIME(6)){after}");
            format!("{wall} >= {} AND {wall} < {}", bound("floor"), bound(""))
        };
        let shift = format!(" + INTERVAL RIGHT({AGE}, 6) HOUR_MINUTE");
        let (plain, zulu, offset) =
            (between(wall(0), "local", ""), between(wall(1), "utc", ""), between(wall(6), "utc", &shift));
        format!(
            "CASE {odd} WHEN {AGE} >= @later THEN FALSE WHEN {AGE} NOT REGEXP {pattern} THEN FALSE \
             WHEN {AGE} >= @floorlater AND {AGE} < @earlier THEN TRUE \
             WHEN CHAR_LENGTH({AGE}) = 10 THEN {AGE} >= @floordate AND {AGE} < @date \
             WHEN RIGHT({AGE}, 1) IN ('Z', 'z') THEN {zulu} \
             WHEN LEFT(RIGHT({AGE}, 6), 1) IN ('+', '-') THEN {offset} ELSE {plain} END"
        )
    }

    fn unreadable_text(&self) -> String {
        let (odd, pattern, zero) = (odd("TRUE"), instant(ANY_DATE), zero_dates());
        format!(
            "CASE WHEN @raw IS NULL THEN FALSE WHEN OCTET_LENGTH(@raw) = 0 THEN FALSE {odd} \
             ELSE {AGE} NOT REGEXP {pattern} AND {AGE} NOT IN ({zero}) END"
        )
    }

    fn digits_within(&self, from: i128, to: i128) -> String {
        let (odd, number) = (odd("FALSE"), format!("CAST({AGE} AS DECIMAL(40, 9))"));
        format!(
            "CASE {odd} WHEN {AGE} NOT REGEXP {NUMBER} THEN FALSE \
             ELSE {number} >= {from} AND {number} < {to} END"
        )
    }

    fn unreadable_digits(&self) -> String {
        format!(
            "CASE WHEN @raw IS NULL THEN FALSE WHEN OCTET_LENGTH(@raw) = 0 THEN FALSE {} ELSE {AGE} NOT REGEXP {NUMBER} END",
            odd("TRUE")
        )
    }

    fn held(&self, of: &Typed) -> String {
        let declared = of.declared.to_ascii_uppercase();
        match of.kind {
            // The type that pads with zeros as the column does.
            ColumnType::Binary if declared.starts_with("BINARY(") => format!("CAST(@value AS {declared})"),
            ColumnType::Binary => "CAST(@value AS BINARY)".to_owned(),
            // A character that the column cannot hold becomes a question mark; as it is, it would be an error.
            ColumnType::Text => match charset(of).filter(|charset| *charset != "utf8mb4") {
                Some(charset) => format!("CONVERT(@value USING {charset})"),
                None => "@value".to_owned(),
            },
            _ => "@value".to_owned(),
        }
    }

    /// LIKE by an index overlooks characters beyond U+FFFF, and other collations order as they please. Texts are compared as
    /// if blanks followed them, and control characters come before a blank.
    fn begins(&self, of: &Typed) -> Option<Begins> {
        let collation = of.collation.as_deref().unwrap_or_default();
        let each = match of.kind {
            ColumnType::Binary => "(@raw >= CAST(@from AS BINARY) AND @raw < CAST(@to AS BINARY))",
            ColumnType::Text if collation == "utf8mb4_bin" => "(@raw >= @above AND @raw < @to)",
            ColumnType::Text if collation == "utf8mb4_nopad_bin" => "(@raw >= @from AND @raw < @to)",
            _ => return None,
        };
        Some(Begins::any(each))
    }

    fn compared_as(&self, parent: &Typed) -> (String, String) {
        let Some(collation) = &parent.collation else { return ("(".to_owned(), ")".to_owned()) };
        let charset = charset(parent).unwrap_or("utf8mb4");
        ("(CONVERT(".to_owned(), format!(" USING {charset}) COLLATE {collation})"))
    }
}

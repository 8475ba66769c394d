//! The words of PostgreSQL.

use super::patterns::{ANY_DATE, DATE, LONGEST_NUMBER, NUMBER, instant, zero_dates};
use super::{Begins, ColumnType, Dialect, Traits, TreeOrder, Typed};
use crate::sources::ErrorKind;

/// The words of PostgreSQL.
pub(super) struct Postgres;

/// Bits of tgtype: 1 for each row, 2 before, 8 on delete, 16 on update. Of ev_type: 2 update, 4 delete.
const VETOES: &str = "SELECT found.kind, found.name FROM (SELECT t.tgrelid AS relation, 'trigger' AS kind, \
    t.tgname::text AS name FROM pg_trigger t WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgtype & 3 = 3 \
    AND t.tgtype & CASE '@event' WHEN 'DELETE' THEN 8 ELSE 16 END <> 0 \
    UNION ALL SELECT r.ev_class, 'rule', r.rulename::text FROM pg_rewrite r \
    WHERE r.ev_type = CASE '@event' WHEN 'DELETE' THEN '4' ELSE '2' END AND r.is_instead AND r.ev_enabled IN ('O', 'A')) \
    AS found JOIN pg_class c ON c.oid = found.relation JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relname = @table AND n.nspname = @schema ORDER BY found.kind, found.name";

// Of `mark` and `outcome`: the reset of the statistics tells one incarnation of a server from the next, for they start anew
// after a crash, and are a standby's own. An id that had not reached the disk before a crash is given to another transaction
// after it, whose status would be taken for ours. The status of an id that was not given out yet is an error, hence the
// comparison first.
const TRAITS: Traits = Traits {
    phrases: &[
        ("canceling statement due to lock timeout", ErrorKind::Busy),
        ("canceling statement due to conflict with recovery", ErrorKind::Busy),
        ("could not obtain lock", ErrorKind::Busy),
        ("deadlock detected", ErrorKind::Busy),
        ("canceling statement due to statement timeout", ErrorKind::Timeout),
        ("canceling statement due to user request", ErrorKind::Cancelled),
        ("read-only transaction", ErrorKind::ReadOnly),
        ("during recovery", ErrorKind::ReadOnly),
        ("terminating connection", ErrorKind::Lost),
        ("the database system is", ErrorKind::Lost),
        ("permission denied", ErrorKind::Permission),
        ("must be owner of", ErrorKind::Permission),
        ("affected by row-level security", ErrorKind::Permission),
    ],
    // READ WRITE is left out: a database that an administrator made read-only stays so.
    begin: "BEGIN ISOLATION LEVEL READ COMMITTED",
    snapshot: &["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"],
    // A deferred constraint or trigger, before the commit is written.
    refusals: &[ErrorKind::Constraint, ErrorKind::Busy, ErrorKind::Timeout, ErrorKind::Cancelled],
    commits_at_once: true,
    mark: Some(
        "SELECT txid_current()::text || '@' || coalesce(extract(epoch FROM stats_reset)::text, 'never') FROM pg_stat_bgwriter",
    ),
    outcome: "SELECT CASE WHEN coalesce(extract(epoch FROM stats_reset)::text, 'never') = @incarnation \
              AND @number::bigint < txid_current() THEN txid_status(@number::bigint) END FROM pg_stat_bgwriter",
    others: "SELECT l.virtualtransaction FROM pg_lock_status() l WHERE l.locktype = 'virtualxid' AND l.granted \
             AND l.pid <> pg_backend_pid() AND NOT EXISTS (SELECT FROM pg_stat_get_activity(l.pid) a \
             WHERE a.application_name = 'retaind' OR a.backend_type <> 'client backend')",
    others_are_counted: false,
    has_many_writers: true,
    time: "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    version: "SELECT current_setting('server_version')",
    tls: "SELECT 'tls', CASE WHEN ssl THEN version ELSE '' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    takes_changes: "SELECT pg_is_in_recovery()::int::text, \
                    (current_setting('default_transaction_read_only') = 'on')::int::text",
    is_read_only: "is read-only (default_transaction_read_only is on for this database or login)",
    has_grants: true,
    locking_needs_update: true,
    locks_rows: true,
    scan_stops_at_locks: false,
    may_ask_itself: true,
    has_silent_vetoes: true,
    share_lock: "",
    tree_order: TreeOrder::AtTheEnd,
    join_in_order: "JOIN",
    compiles_deletions: false,
    stores_anything: false,
    folds_names: true,
    double_quotes_texts: false,
    compares_texts_with_times: false,
    converts_values: false,
    compares_rows_by_index: true,
    has_places: true,
    orders_enums_by_number: false,
    clusters_by_key: false,
    same_age_is_unordered: true,
    enters_by_window: false,
    left_collation_counts: false,
    binds_as_referenced: false,
    quote: '"',
    placeholder: "$@number::text",
    literal: ("convert_from(decode('", "', 'hex'), 'UTF8')"),
    mistakes_names: false,
    types_null: true,
    flags: ["false", "true"],
    parameters: [("", ""), ("", "::bigint"), ("", "::boolean"), ("", "::timestamptz"), ("", "::date"), ("", "::uuid")],
    instants: [("", "::timestamptz"), ("", "::timestamp")],
    whole_seconds: false,
    numbers: [("(", ")::bigint"), ("(", ")::numeric"), ("(", ")::double precision")],
    no_number: Some("(@raw IS NOT NULL AND @raw = 'NaN')"),
    escapes_bytes: true,
    counts_bytes: true,
    knows_collations: true,
    exact_collations: &[],
    vetoes: VETOES,
    create_index: "CREATE INDEX CONCURRENTLY ON ",
    index_has_schema: false,
    indexes_beginnings: false,
    logins: &[
        ("role \"@user\" does not exist", "CREATE ROLE @login LOGIN;"),
        // Whether there is such a role, it does not say.
        (
            "authentication failed for user \"@user\"",
            "DO $retaind$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = @text) THEN CREATE ROLE @login LOGIN \
             PASSWORD @password; END IF; END $retaind$;",
        ),
    ],
    grants_to_hosts: false,
    table_lock: "SELECT pg_catalog.pg_try_advisory_xact_lock(@signed)::int::text",
    table_unlock: "",
    count: "count(*)::text",
    one: "CAST(1 AS text)",
    beginning: ("left(", ", "),
    shown_age: "left(@text, 64)",
    among_rows: ") IN (",
    concat: ("(", " || "),
    json_array: ("pg_catalog.json_build_array(", ")::text"),
    integer: ("(", ")::bigint"),
    utc: "+00",
    first_instant: None,
    casts_each_row: true,
    orders_texts_by_time: false,
    bare_number: "",
    path_text: "encode(@raw, 'escape')",
    path_value: "@value",
    last_segment: "substring(rtrim(@path, '/') from '[^/]*$')",
    explain: Some("EXPLAIN (FORMAT JSON) "),
    class: "",
    bound_as: ["a bigint", "a timestamp"],
};

/// The column as a text that is compared byte by byte; the cast takes the padding off a `character(n)`.
const AGE: &str = "((@raw)::text COLLATE \"C\")";

impl Dialect for Postgres {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn text(&self, of: &Typed) -> &'static str {
        if of.kind == ColumnType::Binary { "encode(@raw, 'hex')" } else { "(@raw)::text" }
    }

    fn value(&self, of: &Typed, _value: &str) -> (String, String) {
        match of.kind {
            ColumnType::Binary => ("decode(".to_owned(), ", 'hex')".to_owned()),
            _ => ("(".to_owned(), format!(")::{}", of.declared)),
        }
    }

    /// Texts longer than any date are told apart before they are looked at: the server need not even fetch them. Young
    /// ones come next, by their first letters, as most rows are young; hardly a date is so near to the floor or to the cutoff
    /// that it must be cast.
    fn old_text(&self) -> String {
        let pattern = instant(DATE);
        let between = |wall: &str, from: &str, to: &str| format!("{wall} >= {from} AND {wall} < {to}");
        let date = between(AGE, "@floordate", "@date");
        let zulu = between(&format!("left(left({AGE}, -1), 26)::timestamp"), "@floorutc::timestamp", "@utc::timestamp");
        let zone = format!("right({AGE}, 6)::interval");
        let offset = between(
            &format!("left(left({AGE}, -6), 26)::timestamp"),
            &format!("@floorutc::timestamp + {zone}"),
            &format!("@utc::timestamp + {zone}"),
        );
        let plain = between(&format!("left({AGE}, 26)::timestamp"), "@floorlocal::timestamp", "@local::timestamp");
        format!(
            "CASE WHEN octet_length({AGE}) > 35 THEN FALSE WHEN {AGE} >= @later THEN FALSE \
             WHEN {AGE} !~ {pattern} THEN FALSE WHEN {AGE} >= @floorlater AND {AGE} < @earlier THEN TRUE \
             WHEN octet_length({AGE}) = 10 THEN {date} \
             WHEN right({AGE}, 1) IN ('Z', 'z') THEN {zulu} \
             WHEN left(right({AGE}, 6), 1) IN ('+', '-') THEN {offset} ELSE {plain} END"
        )
    }

    fn unreadable_text(&self) -> String {
        let (pattern, zero) = (instant(ANY_DATE), zero_dates());
        format!(
            "CASE WHEN @raw IS NULL THEN FALSE WHEN octet_length({AGE}) = 0 THEN FALSE \
             WHEN octet_length({AGE}) > 35 THEN TRUE ELSE {AGE} !~ {pattern} AND {AGE} NOT IN ({zero}) END"
        )
    }

    fn digits_within(&self, from: i128, to: i128) -> String {
        format!(
            "CASE WHEN octet_length({AGE}) > {LONGEST_NUMBER} THEN FALSE WHEN {AGE} !~ {NUMBER} THEN FALSE \
             ELSE {AGE}::numeric >= {from} AND {AGE}::numeric < {to} END"
        )
    }

    fn unreadable_digits(&self) -> String {
        format!(
            "CASE WHEN @raw IS NULL THEN FALSE WHEN octet_length({AGE}) = 0 THEN FALSE \
             WHEN octet_length({AGE}) > {LONGEST_NUMBER} THEN TRUE ELSE {AGE} !~ {NUMBER} END"
        )
    }

    fn held(&self, of: &Typed) -> String {
        if of.kind == ColumnType::Binary { "convert_to(@value, 'UTF8')" } else { "@value" }.to_owned()
    }

    /// The server makes a range of LIKE where the index is in the order of bytes.
    fn begins(&self, of: &Typed) -> Option<Begins> {
        let each = match of.kind {
            ColumnType::Binary => "(@raw >= convert_to(@from, 'UTF8') AND @raw < convert_to(@to, 'UTF8'))",
            ColumnType::Text if of.collation.is_none() && !of.is_citext() => "@raw LIKE @pattern ESCAPE '!'",
            _ => return None,
        };
        Some(Begins::any(each))
    }

    fn compared_as(&self, parent: &Typed) -> (String, String) {
        let behind = match &parent.collation {
            Some(collation) => format!(")::text COLLATE {collation})"),
            None if parent.is_citext() => format!(")::{})", parent.declared),
            None => ")::text COLLATE \"C\")".to_owned(),
        };
        ("((".to_owned(), behind)
    }
}

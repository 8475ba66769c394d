//! `[policies.NAME]` and what is in it.

use super::super::declare::keys;
use super::super::form::Named;
use super::super::values::{Count, KeepSpan, Names, OrTable, Patterns, PlainName, Scalar, Share, SizeText, WaitSpan};
use super::super::words::{ActionWord, AgeFormat, KindWord, Mode, OnDelete, OpenFiles, Outside, ParamKind, Per};
use super::RawPace;

keys! {
    /// `[policies.NAME]`
    pub struct RawPolicy {
        /// Required: `rows`, `files` or `orphans`.
        kind: KindWord;
        /// The task that runs it. Without one it runs on request only: `retaind run NAME`.
        task: String;
        /// `false`: no task runs it.
        enabled: bool = true;
        /// `report`: decide and record everything, delete nothing. It is the default of `orphans`.
        mode: Mode, default "`enforce`";
        /// Time for which a row or file is kept. Of rows, it may also be a table: a time for [each value of a
        /// column](#a-time-for-each-value).
        keep: OrTable<KeepSpan, RawKeepByValue>;
        /// Guard: if more than this share of the table's rows, or of the matching files, would go, the run is blocked
        /// and deletes nothing. Of `orphans`: 0.5, if left out.
        max_fraction: Share;
        /// Its purpose, in a sentence. Notifications have it.
        description: String;
        /// Person or team to ask about it. Notifications have it.
        owner: String;
        /// Multiple of the largest of its recent runs that a scheduled run may take without an approval.
        max_growth: Count = 10;
        /// Required: a source.
        source: String, of [Rows];
        /// Required: the table whose rows may go.
        table: String, of [Rows];
        /// Column that says how old a row is; see [Time](#time). Needs `keep`.
        age: String, of [Rows];
        /// Column that says when a row expires. Stands instead of `age` and `keep`.
        expires: String, of [Rows];
        /// Time for which a row is kept after it has expired; none, if left out.
        grace: KeepSpan, of [Rows];
        /// Unit of a column of numbers, or of texts that are numbers, that count since 1970: `unix` (seconds),
        /// `unix_ms` (milliseconds), `unix_us` (microseconds) or `unix_ns` (nanoseconds).
        age_format: AgeFormat, of [Rows];
        /// The floor of dates: what is before it is [not a time](#time). A date, in UTC, or an instant.
        earliest: String, default "`1980-01-02`", of [Rows];
        /// A condition in [SQL](#sql).
        r#where: String, of [Rows];
        /// [Parameters](#parameters) that whoever asks for a run must give.
        params: Vec<OrTable<PlainName, RawParam>> = [], of [Rows];
        /// Rows of other tables that [keep a row](#what-keeps-a-row).
        protected_by: Vec<RawProtection> = [], of [Rows];
        /// Question whether the [work of a row](#what-keeps-a-row) is still going on.
        alive: RawAlive, of [Rows];
        /// `true`: SQL with a time in it that [says the same at every time](#times-in-sql) is meant so.
        allow_time_independent: bool = false, of [Rows];
        /// `update`: rows are not deleted but [updated](#updating-instead-of-deleting).
        action: ActionWord = "delete", of [Rows];
        /// With `action = "update"`: the columns and what they are set to.
        set: Named<OrTable<Scalar, RawSetSql>>, each "What this column is set to.", of [Rows];
        /// [Files](#files) that go with a row.
        files: Vec<RawFile> = [], of [Rows];
        /// [Rows of other tables](#children) that belong to a row.
        children: Vec<RawChild> = [], of [Rows];
        /// Columns and [other details](#details) that the result shows for each row, for the first 100.
        details: Vec<OrTable<String, RawDetail>> = [], of [Rows];
        /// Rows per transaction, up to 100000.
        batch: Count<100_000> = 10000, of [Rows];
        /// Speed at which runs [take rows](#pace), where it is not as the source says.
        pace: RawPace = [], of [Rows];
        /// Batches at once, each over a connection of its own, up to 2; see [at once](#pace).
        parallel: Count<2> = 1, of [Rows];
        /// The most rows that one run takes; the next run takes the rest. Of `max_rows` all count that are eligible.
        at_most: Count, of [Rows];
        /// Guard: if more rows than this are eligible, the run is blocked and deletes nothing.
        max_rows: Count, of [Rows];
        /// Required: a store.
        store: String, of [Files, Orphans];
        /// Patterns of the files that it is about; all files, if left out. See [patterns](#patterns).
        r#match: Patterns, of [Files, Orphans];
        /// Files that stay although they match.
        exclude: Patterns, of [Files, Orphans];
        /// So many files, the newest, always stay. With nothing else, all others go.
        keep_last: Count, of [Files];
        /// While the matching files take more than this, the oldest go, even when they are younger than `keep`.
        max_total: SizeText, of [Files];
        /// Until the file system has this much free, the oldest go. Also as a percentage of its size: `"10%"`.
        min_free: SizeText, of [Files];
        /// Scope in which `keep_last` and `max_total` count: `directory` (each by itself, without those beneath it) or
        /// `store`. If left out, `keep_last` counts in each directory and `max_total` in the whole store.
        per: Per, of [Files];
        /// `true`: directories that are left empty are removed, too.
        prune_empty: bool = false, of [Files];
        /// Fate of a file that a process holds open: `skip` leaves it, `delete` takes it; its room is free once it is
        /// closed. Where it cannot be known, a file stays and is counted; `check` prints the drop-in with which the
        /// service knows. No file is ever truncated.
        open: OpenFiles = "skip", of [Files];
        /// `true`: what goes for `min_free` goes for good, in a store with a `trash`.
        bypass_trash: bool = false, of [Files];
        /// Guard: if more files than this would go, the run is blocked and deletes nothing. Of `orphans`, too.
        max_files: Count, of [Files, Orphans];
    }

    /// `keep` as a table.
    pub struct RawKeepByValue {
        /// Required: the column that decides.
        column: String;
        /// Required: the times, by value.
        values: Named<KeepSpan>, each "The time for rows that have this value.";
        /// The time for rows that have another value, or none. Without it such rows are kept.
        default: KeepSpan;
    }

    /// An entry of `params` as a table.
    pub struct RawParam {
        /// Required: lower-case letters, digits and `_`; begins with a letter.
        name: String;
        /// `text`, `integer`, `boolean`, `timestamp` (RFC 3339), `date` or `uuid`. Without it: the type of the table's
        /// column of the same name, or text where there is none.
        r#type: ParamKind;
        /// `true`: its value is in no record of a run and not in the audit.
        secret: bool = false;
    }

    /// An entry of `protected_by`.
    pub struct RawProtection {
        /// Required: the other table.
        table: String;
        /// Required: which of its rows belong to a row, in SQL.
        on: String;
        /// Condition under which one of these counts; all do, if left out.
        r#where: String;
    }

    /// `alive`
    pub struct RawAlive {
        /// A condition: a row for which it is true, or unknown, is kept.
        sql: String;
        /// The absolute path of a program, then its arguments; `{COLUMN}`, as a whole argument, is the value of a
        /// column. `{{` and `}}` stand for braces.
        command: Vec<String>;
        /// Longest time of one command.
        timeout: WaitSpan = "5s";
    }

    /// An entry of `set` as a table.
    pub struct RawSetSql {
        /// An expression in SQL: `{ sql = "NULL" }`.
        sql: String;
    }

    /// An entry of `details` as a table.
    pub struct RawDetail {
        /// Required: its name in the result.
        name: String;
        /// Required: an expression in [SQL](#sql), which reads and changes nothing.
        sql: String;
    }

    /// An entry of `files`.
    pub struct RawFile {
        /// Required: a store.
        store: String;
        /// The column that holds the file's path. Either this or `path`.
        column: String;
        /// A path beneath the root with columns in braces: `{id}/preview`. `{{` and `}}` stand for braces.
        path: String;
        /// `true`: the path is a directory, which goes with everything in it.
        directory: bool = false;
        /// Fate of a row whose path is not one of the store's: `keep` keeps it, `release` lets it go without its file.
        outside: Outside = "keep";
        /// `true`: that nearly all of these files are missing blocks nothing.
        may_be_missing: bool = false;
        /// `false`: these files stay.
        enabled: bool = true;
    }

    /// An entry of `children`.
    pub struct RawChild {
        /// Required: the child's table.
        table: String;
        /// Required: its column that names the parent, or a list where several do so together.
        column: Names;
        /// The parent's columns that it names, as many and in the same order. If left out: what the foreign key over
        /// `column` points to, else the primary key.
        references: Names;
        /// `delete`: they go before the parent. `set-null`: they stay, and `column` is set to NULL. `keep-parent`: the
        /// parent stays as long as it has such a child.
        on_delete: OnDelete = "delete";
        /// Files that go with a child; entries as in [`files`](#files).
        files: Vec<RawFile> = [];
        /// Children of a child; entries as here, at any depth.
        children: Vec<RawChild> = [];
    }
}

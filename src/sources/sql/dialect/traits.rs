//! Facts and fixed texts of an engine, plain data, one value of it for each; and the functions that each has.

use super::Typed;
use crate::sources::ErrorKind;

/// Text before and text behind something.
pub(crate) type Around = (&'static str, &'static str);

/// The words of an engine.
pub(crate) trait Dialect: Sync {
    /// Facts about the engine, and texts that depend on nothing.
    fn traits(&self) -> &'static Traits;
    /// A column as text.
    fn text(&self, of: &Typed) -> &'static str;
    /// Reads a bound text as the column's type, so that an index on the column serves.
    fn value(&self, of: &Typed, value: &str) -> (String, String);
    /// "The text is an instant from the floor on and before the cutoff".
    fn old_text(&self) -> String;
    /// "There is a text, and it is no instant".
    fn unreadable_text(&self) -> String;
    /// "The text is a number from `from` on and less than `to`"; NULL or false for NULL.
    fn digits_within(&self, from: i128, to: i128) -> String;
    /// "There is a text, and it is not a number".
    fn unreadable_digits(&self) -> String;
    /// A bound text `@value` among those that a column of texts or bytes is compared with.
    fn held(&self, of: &Typed) -> String;
    /// "The column begins with one of these", asked so that an index serves; none where an index of such columns is in an
    /// order by which one that begins so may be overlooked.
    fn begins(&self, of: &Typed) -> Option<Begins>;
    /// Has a text compared as the texts of a column are.
    fn compared_as(&self, parent: &Typed) -> (String, String);
}

/// Facts about an engine and its fixed texts.
pub(crate) struct Traits {
    /// Phrases of the server's messages, the first of which that a message has tells what to make of it.
    pub(crate) phrases: &'static [(&'static str, ErrorKind)],
    /// Begins a transaction that changes rows.
    pub(crate) begin: &'static str,
    /// Signs of other sessions at work, the last value of each row.
    pub(crate) others: &'static str,
    /// The sign is a number of sessions that are in a statement, and this one is one of them.
    pub(crate) others_are_counted: bool,
    /// Several connections may change rows at once.
    pub(crate) has_many_writers: bool,
    /// Begins a read-only view for paging; what comes before its last statement is sent by itself.
    pub(crate) snapshot: &'static [&'static str],
    /// Errors of COMMIT that mean for certain that nothing was committed.
    pub(crate) refusals: &'static [ErrorKind],
    /// A change by itself is sent with the COMMIT that ends its transaction.
    pub(crate) commits_at_once: bool,
    /// Asks what the server can later be asked about the transaction in progress; none where it ends with its process.
    pub(crate) mark: Option<&'static str>,
    /// Asks, over another session, what became of it.
    pub(crate) outcome: &'static str,
    /// Asks for the server's clock, in UTC.
    pub(crate) time: &'static str,
    /// Asks for the server's version.
    pub(crate) version: &'static str,
    /// Asks, in the second column, by which version of TLS the session came.
    pub(crate) tls: &'static str,
    /// Asks whether the database is a standby, and whether it is read-only.
    pub(crate) takes_changes: &'static str,
    /// Words of the refusal where it is read-only.
    pub(crate) is_read_only: &'static str,

    /// Privileges are granted; otherwise the permissions of a file decide.
    pub(crate) has_grants: bool,
    /// Whoever locks rows needs UPDATE.
    pub(crate) locking_needs_update: bool,
    /// Rows can be locked; otherwise there is one writer at a time, and what a statement of our transaction sees, nobody
    /// changes.
    pub(crate) locks_rows: bool,
    /// A scan of several keys may stop at a row that is locked; only the look-up of a single key never does.
    pub(crate) scan_stops_at_locks: bool,
    /// A statement that changes a table may ask about other rows of it, also without RETURNING.
    pub(crate) may_ask_itself: bool,
    /// A trigger or rule may keep a row without an error.
    pub(crate) has_silent_vetoes: bool,
    /// Locks what a question reads, so that it sees what others have committed by now.
    pub(crate) share_lock: &'static str,
    /// When foreign keys of a table to itself are judged.
    pub(crate) tree_order: TreeOrder,
    /// Joins from the left to the right.
    pub(crate) join_in_order: &'static str,
    /// Columns and functions that an index or trigger uses are looked up only where a deletion is compiled.
    pub(crate) compiles_deletions: bool,

    /// Any value may be in any column, whatever its type.
    pub(crate) stores_anything: bool,
    /// Names without quotes are read in lower case.
    pub(crate) folds_names: bool,
    /// A word in double quotes is a text, and no name.
    pub(crate) double_quotes_texts: bool,
    /// Times are compared with columns of texts as texts.
    pub(crate) compares_texts_with_times: bool,
    /// Numbers, texts and dates are converted into one another, by rules that depend on where a comparison stands.
    pub(crate) converts_values: bool,
    /// Several columns at once are compared by an index.
    pub(crate) compares_rows_by_index: bool,
    /// Rows of a table without a key are told apart by where they lie.
    pub(crate) has_places: bool,
    /// Enumerations are ordered by number, but compared as texts.
    pub(crate) orders_enums_by_number: bool,
    /// Rows lie in the order of the key.
    pub(crate) clusters_by_key: bool,
    /// An index on the age is not in the order of the key for rows of one age.
    pub(crate) same_age_is_unordered: bool,
    /// The bounds of a window are what an index is entered by, because the exact predicate on the age is not.
    pub(crate) enters_by_window: bool,
    /// The collation of the left side of a comparison counts.
    pub(crate) left_collation_counts: bool,
    /// Values of a column that points are bound as the column is that it points to.
    pub(crate) binds_as_referenced: bool,

    /// The mark around a quoted name, written twice within one.
    pub(crate) quote: char,
    /// A bound text; `@number`: which one of the statement.
    pub(crate) placeholder: &'static str,
    /// A text that is given as the hexadecimal digits of its bytes.
    pub(crate) literal: Around,
    /// A word in double quotes that is not known as a name is taken for a text.
    pub(crate) mistakes_names: bool,
    /// A NULL has a type.
    pub(crate) types_null: bool,
    /// False and true, as they are bound.
    pub(crate) flags: [&'static str; 2],
    /// A bound value of a declared parameter, in the order of `ParamKind`.
    pub(crate) parameters: [Around; 6],
    /// An instant as the operator's SQL compares it: in UTC, and beside what has no zone.
    pub(crate) instants: [Around; 2],
    /// Instants are compared as texts to the second, as `CURRENT_TIMESTAMP` has them.
    pub(crate) whole_seconds: bool,
    /// A bound number that is compared with a column of whole numbers, of exact ones with a fraction, and of others.
    pub(crate) numbers: [Around; 3],
    /// "There is a value, and it is not a number", of a column of numbers that may hold such a value; none where none can.
    pub(crate) no_number: Option<&'static str>,
    /// Bytes that are a path are compared as escaped text.
    pub(crate) escapes_bytes: bool,
    /// The length of bytes is counted in bytes.
    pub(crate) counts_bytes: bool,
    /// The collation of a column is known also without an index.
    pub(crate) knows_collations: bool,
    /// Ends of collations, in lower case, that tell any two different texts apart.
    pub(crate) exact_collations: &'static [&'static str],
    /// The question for the triggers and rules of `@table` in `@schema` that may keep a row from an `@event`: DELETE or UPDATE.
    pub(crate) vetoes: &'static str,
    /// The beginning of the statement that makes an index.
    pub(crate) create_index: &'static str,
    /// A schema stands before the name of an index, and not before that of its table.
    pub(crate) index_has_schema: bool,
    /// A long text is indexed only by its beginning.
    pub(crate) indexes_beginnings: bool,
    /// Messages of a server that refuses a login, `@user`, each with the statement that makes it: `@login` with its
    /// name as grants have it, `@text` with its name as a text, `@password` where one is to be written.
    pub(crate) logins: &'static [(&'static str, &'static str)],
    /// Whom privileges are granted to has a host behind an `@`.
    pub(crate) grants_to_hosts: bool,
    /// Asks for the lock of a table that has this number, `@signed` or in hexadecimal: '1' when it is had; empty: there is none.
    pub(crate) table_lock: &'static str,
    /// Gives it back; empty where it ends with the transaction.
    pub(crate) table_unlock: &'static str,
    /// The number of rows, as text.
    pub(crate) count: &'static str,
    /// Some value, as text.
    pub(crate) one: &'static str,
    /// The first characters of a text.
    pub(crate) beginning: Around,
    /// The beginning of a value of an age column, for people; `@text` is the column as text.
    pub(crate) shown_age: &'static str,
    /// Before several rows of values in parentheses.
    pub(crate) among_rows: &'static str,
    /// Joins texts: what is before the first and between them.
    pub(crate) concat: Around,
    /// Values of whatever type as a JSON array, as text.
    pub(crate) json_array: Around,
    /// A whole number that is bound.
    pub(crate) integer: Around,
    /// Text behind an instant in UTC.
    pub(crate) utc: &'static str,
    /// The earliest instant that a column of instants is compared with, where that is later than a floor may be. It ends long
    /// before any ceiling, too.
    pub(crate) first_instant: Option<&'static str>,
    /// A bound text that is cast to a date is cast anew for each row, as the session's zone may count.
    pub(crate) casts_each_row: bool,
    /// Texts of instants are nearly in the order of time, so that bounds on the bare column make a range of an index.
    pub(crate) orders_texts_by_time: bool,
    /// Keeps an index from serving a number.
    pub(crate) bare_number: &'static str,
    /// A column of bytes as a text in which paths are looked for.
    pub(crate) path_text: &'static str,
    /// A bound path that is compared with it.
    pub(crate) path_value: &'static str,
    /// The part of a path `@path` behind its last slash, slashes at its end left out.
    pub(crate) last_segment: &'static str,
    /// Explains a statement as JSON; none where the planner tells no numbers.
    pub(crate) explain: Option<&'static str>,
    /// WHEN and its THEN of a CASE: which kind of value a column has.
    pub(crate) class: &'static str,
    /// Types that a number of time and a date are bound as, in the operator's words.
    pub(crate) bound_as: [&'static str; 2],
}

impl Traits {
    /// Quotes a name.
    pub(crate) fn quoted(&self, name: &str) -> String {
        let mark = self.quote;
        format!("{mark}{}{mark}", name.replace(mark, &format!("{mark}{mark}")))
    }

    /// True if texts of a column that points are compared in another way than those of the column that it points to.
    pub(crate) fn compares_unlike(&self, own: &Typed, parent: &Typed) -> bool {
        let is_unknown = own.collation.is_none() && !self.knows_collations;
        is_unknown || own.collation != parent.collation || own.is_citext() != parent.is_citext()
    }

    /// True if a column tells any two different texts apart.
    pub(crate) fn is_exact(&self, of: &Typed) -> bool {
        match &of.collation {
            Some(collation) => {
                let collation = collation.to_ascii_lowercase();
                self.exact_collations.iter().any(|exact| collation.ends_with(exact))
            }
            None => !of.is_citext(),
        }
    }

    /// A path as bytes are compared with it.
    pub(crate) fn path_bytes(&self, path: &str) -> String {
        if !self.escapes_bytes {
            return path.to_owned();
        }
        let mut escaped = String::with_capacity(path.len());
        for byte in path.bytes() {
            match byte {
                b'\\' => escaped.push_str("\\\\"),
                0 | 0x80.. => escaped.push_str(&format!("\\{byte:03o}")),
                byte => escaped.push(char::from(byte)),
            }
        }
        escaped
    }

    /// Length of [`Traits::path_bytes`], as the engine counts.
    pub(crate) fn path_length(&self, path: &str) -> usize {
        let bytes = self.path_bytes(path);
        if self.counts_bytes { bytes.len() } else { bytes.chars().count() }
    }
}

/// "A column `@raw` of `@table` begins with one of these", which end with a slash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begins {
    /// Before the first of them and behind the last.
    pub(crate) around: Around,
    /// For each of them, `@from`. `@to` is the first text behind all that begin so, `@above` the first that goes on,
    /// `@pattern` one of LIKE that escapes with an exclamation mark.
    pub(crate) each: &'static str,
    pub(crate) between: &'static str,
}

impl Begins {
    /// A condition for each of them.
    pub(super) fn any(each: &'static str) -> Self {
        Self { around: ("", ""), each, between: " OR " }
    }
}

/// When foreign keys of a table to itself are judged.
pub(crate) enum TreeOrder {
    /// When a statement is over.
    AtTheEnd,
    /// Row by row, in no order: a statement for each generation.
    ByGeneration,
    /// Row by row, in the statement's order; so many rows to a statement.
    InOrder(usize),
}

#[cfg(test)]
mod tests {
    use crate::policy::Engine;

    #[test]
    fn f2_bytes_are_escaped_as_the_server_does() {
        let traits = super::super::dialect(Engine::Postgres).traits();
        assert_eq!(traits.path_bytes("a\\b\u{e9}.jpg"), "a\\\\b\\303\\251.jpg");
    }
}

//! The type of a column: what it means to us, and what the catalog says.

/// Meaning of a column's type to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// An instant: PostgreSQL timestamptz, MySQL TIMESTAMP.
    TimestampTz,
    /// Date and time without zone: PostgreSQL timestamp, MySQL DATETIME.
    Timestamp,
    Date,
    Integer,
    /// A number that may have a fraction, exact or not.
    Real,
    Text,
    Uuid,
    Binary,
    /// Several values in one: an array, JSON, a composite, a range. It cannot hold a path.
    Compound,
    Other,
    /// SQLite stores any value in any column; declared TIMESTAMP, DATETIME or DATE.
    SqliteDateTime,
}

/// The type of a column as statements go by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) kind: ColumnType,
    /// As the catalog writes it.
    pub(crate) declared: String,
    /// Collation of its texts, as the catalog has it of a column.
    pub(crate) collation: Option<String>,
}

impl Typed {
    /// True if it is of PostgreSQL's type that compares texts whatever their case.
    pub(super) fn is_citext(&self) -> bool {
        self.declared.rsplit('.').next() == Some("citext")
    }
}

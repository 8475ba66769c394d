//! A server's support for `DELETE … RETURNING`.

/// Support for `DELETE … RETURNING` (PostgreSQL, SQLite, MariaDB: yes; MySQL: no).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returning {
    Yes,
    No,
}

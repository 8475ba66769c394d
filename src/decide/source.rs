//! Facts about a source, or about what a policy compares in it, that block every run: a database that takes no changes, a
//! comparison that says the same at every time.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::policy::Name;

/// Source that takes no changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakesNoChanges {
    pub source: Name,
    #[serde(serialize_with = "word")]
    pub because: WhyNoChanges,
}

/// Reason that a source takes no changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyNoChanges {
    /// A file, or what SQLite needs beside it, cannot be written.
    NotWritable,
    Standby,
    /// A setting of the server, in words of its engine: "is read-only (…)".
    ReadOnly(&'static str),
}

fn word<S: Serializer>(because: &WhyNoChanges, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match because {
        WhyNoChanges::NotWritable => "not_writable",
        WhyNoChanges::Standby => "standby",
        WhyNoChanges::ReadOnly(_) => "read_only",
    })
}

/// Comparison of the operator's SQL that does not depend on the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeless {
    /// The key of the configuration, and the table where there are several.
    pub part: String,
    pub comparison: String,
    /// The parameter, as the SQL has it.
    pub param: String,
    pub bound_as: &'static str,
    /// Forms of the parameter that may be meant, each with what it is for: `:cutoff_unix` for seconds.
    pub forms: Vec<(String, &'static str)>,
    pub tried: usize,
}

impl fmt::Display for TakesNoChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, because } = self;
        match because {
            WhyNoChanges::NotWritable => write!(
                f,
                "source {source} cannot be written by this user: the file, its -wal and -shm files and its directory must be \
                 writable, because SQLite keeps its journal there"
            ),
            WhyNoChanges::Standby => write!(
                f,
                "source {source} is a standby (in recovery), which takes no changes: write the primary into its url"
            ),
            WhyNoChanges::ReadOnly(setting) => write!(f, "source {source} {setting}"),
        }
    }
}

impl fmt::Display for Timeless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, comparison, param, bound_as, forms, tried } = self;
        let rows = if *tried == 1 { "the row that was".to_owned() } else { format!("all {tried} rows that were") };
        write!(
            f,
            "the condition does not depend on the time: in {part}, {comparison:?} says the same of {rows} tried at 1980-01-02 \
             as at 9999-12-30; {param} is bound as {bound_as}; "
        )?;
        if forms.is_empty() {
            f.write_str("give it another type in params, or compare what it is compared with as a date")?;
        } else {
            let forms: Vec<_> = forms.iter().map(|(form, what)| format!("{form} for {what}")).collect();
            write!(f, "by what the column counts, write {}", forms.join(", "))?;
        }
        f.write_str("; if it is meant so, write allow_time_independent = true")
    }
}

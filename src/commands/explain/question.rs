//! Questions of `why` about rows: a table of a source, found or refused with a hint. Asks no database.

use crate::config::did_you_mean;
use crate::policy::{Child, Name, Policy, RowsPolicy, Settings, Source, TableName};
use crate::sources::is_named;

/// A row that is asked about, as the command line has it.
pub struct Question<'a> {
    /// `SOURCE.TABLE`.
    pub table: &'a str,
    pub key: &'a str,
    pub params: &'a [(String, String)],
}

/// A question that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhyError {
    #[error("{given:?} names no table; write SOURCE.TABLE")]
    NotTable { given: String },
    #[error("there is no source named {name:?}")]
    UnknownSource { name: String, suggestion: Option<String>, known: Vec<String> },
    #[error("no policy has a say in rows of {table} of source {source_name}")]
    NoPolicy { source_name: Name, table: String, suggestion: Option<String>, known: Vec<String> },
    #[error("no policy of source {source_name} takes the parameter {name:?}")]
    UnknownParam { source_name: Name, name: String, suggestion: Option<String> },
    #[error("{0}")]
    BadKey(String),
}

impl WhyError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match self {
            WhyError::NotTable { .. } => "such as nvr.detections, or nvr.public.detections".to_owned(),
            WhyError::UnknownSource { suggestion: Some(suggestion), .. }
            | WhyError::NoPolicy { suggestion: Some(suggestion), .. } => suggestion.clone(),
            WhyError::UnknownParam { suggestion, .. } => {
                suggestion.clone().unwrap_or_else(|| "leave --param out".to_owned())
            }
            WhyError::UnknownSource { known, .. } => format!("there are: {}", known.join(", ")),
            WhyError::NoPolicy { known, .. } if known.is_empty() => "the source has no policy".to_owned(),
            WhyError::NoPolicy { known, .. } => format!("policies govern: {}", known.join(", ")),
            WhyError::BadKey(_) => {
                "write it as `retaind plan --list` shows it, in single quotes for the shell".to_owned()
            }
        }
    }
}

pub(super) fn find_table<'s>(settings: &'s Settings, given: &str) -> Result<(&'s Source, TableName), WhyError> {
    let not_table = || WhyError::NotTable { given: given.to_owned() };
    let (source, table) = given.split_once('.').ok_or_else(not_table)?;
    let table = TableName::parse(table).map_err(|_| not_table())?;
    match settings.sources.iter().find(|known| known.name.as_str() == source) {
        Some(source) => Ok((source, table)),
        None => {
            let known: Vec<_> = settings.sources.iter().map(|source| source.name.to_string()).collect();
            let suggestion = did_you_mean(source, known.iter().map(String::as_str));
            Err(WhyError::UnknownSource { name: source.to_owned(), suggestion, known })
        }
    }
}

pub(super) fn unknown_table(settings: &Settings, source: &Source, named: &TableName) -> WhyError {
    let mut known: Vec<String> = policies_of(settings, source).map(|(_, rows)| rows.table.to_string()).collect();
    known.sort();
    known.dedup();
    let table = named.to_string();
    let suggestion = did_you_mean(&table, known.iter().map(String::as_str));
    WhyError::NoPolicy { source_name: source.name.clone(), table, suggestion, known }
}

pub(super) fn policies_of<'s>(
    settings: &'s Settings,
    source: &'s Source,
) -> impl Iterator<Item = (&'s Policy, &'s RowsPolicy)> {
    let rows = settings.policies.iter().filter_map(|policy| policy.kind.rows().map(|rows| (policy.as_ref(), rows)));
    rows.filter(|(_, rows)| rows.source == source.name)
}

/// True if a policy names the table: as its own, or as one whose rows go with its own.
pub(super) fn names(rows: &RowsPolicy, table: &TableName) -> bool {
    fn any(children: &[Child], table: &TableName) -> bool {
        children.iter().any(|child| is_named(table, &child.table) || any(&child.children, table))
    }
    is_named(table, &rows.table) || any(&rows.children, table)
}

/// A parameter that is given and that no policy of the source takes.
pub(super) fn unknown_param(settings: &Settings, source: &Source, given: &[(String, String)]) -> Option<WhyError> {
    let known: Vec<&str> = policies_of(settings, source)
        .flat_map(|(_, rows)| rows.params.iter().map(|declared| declared.name.as_str()))
        .collect();
    let (name, _) = given.iter().find(|(name, _)| !known.contains(&name.as_str()))?;
    let suggestion = did_you_mean(name, known.iter().copied());
    Some(WhyError::UnknownParam { source_name: source.name.clone(), name: name.clone(), suggestion })
}

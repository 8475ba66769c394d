//! Parameters of policies that run on request: declared with a type, given by whoever asks, bound and never pasted.

use std::collections::BTreeMap;

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamDeclaration {
    /// Lower-case letters, digits and `_`; never `now`, `cutoff` or `now_minus_…`.
    pub name: String,
    /// None: as the column of the same name has it, or text where the table has no such column.
    pub kind: Option<ParamKind>,
}

impl ParamDeclaration {
    /// Parses a name; the error says which are allowed.
    pub fn parse_name(text: &str) -> Result<String, String> {
        if matches!(text, "now" | "cutoff") || text.starts_with("now_minus_") {
            return Err(format!("the parameter :{text} is there already, with a meaning of its own"));
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 64 && text.chars().all(fits) {
            Ok(text.to_owned())
        } else {
            Err("the name of a parameter has lower-case letters, digits and '_', begins with a letter, and is at most \
                 64 characters long"
                .to_owned())
        }
    }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    Text,
    Integer,
    Boolean,
    /// An instant, RFC 3339.
    Timestamp,
    Date,
    Uuid,
}

impl ParamKind {
    /// Every type there is.
    pub const ALL: [ParamKind; 6] = [Self::Text, Self::Integer, Self::Boolean, Self::Timestamp, Self::Date, Self::Uuid];

    /// The word that the configuration uses.
    pub fn word(self) -> &'static str {
        match self {
            ParamKind::Text => "text",
            ParamKind::Integer => "integer",
            ParamKind::Boolean => "boolean",
            ParamKind::Timestamp => "timestamp",
            ParamKind::Date => "date",
            ParamKind::Uuid => "uuid",
        }
    }

    /// The type of that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// Values by the names of their parameters.
pub type Params = BTreeMap<String, String>;

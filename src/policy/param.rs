//! Parameters of policies that run on request: declared with a type, given by whoever asks, bound and never pasted.

use std::collections::BTreeMap;

use super::{ParamKind, TimeParam};

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamDeclaration {
    /// Lower-case letters, digits and `_`; never a time of the run, such as `now` or `cutoff_ms`.
    pub name: String,
    /// None: as the column of the same name has it, or text where the table has no such column.
    pub kind: Option<ParamKind>,
    /// Its value is not remembered.
    pub secret: bool,
}

impl ParamDeclaration {
    /// Parses a name; the error says which are allowed.
    pub fn parse_name(text: &str) -> Result<String, String> {
        if !matches!(TimeParam::parse(text), Ok(None)) {
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

impl ParamKind {
    /// True if a value is one of this type.
    pub fn accepts(self, value: &str) -> bool {
        match self {
            ParamKind::Text => true,
            ParamKind::Integer => value.parse::<i64>().is_ok(),
            ParamKind::Boolean => matches!(value, "true" | "false"),
            ParamKind::Timestamp => value.parse::<jiff::Timestamp>().is_ok(),
            ParamKind::Date => value.len() == "2026-01-31".len() && value.parse::<jiff::civil::Date>().is_ok(),
            // With its hyphens: a column of text would not equal it in another form.
            ParamKind::Uuid => value.len() == 36 && uuid::Uuid::try_parse(value).is_ok(),
        }
    }

    /// Description of the values that it takes.
    pub fn expected(self) -> &'static str {
        match self {
            ParamKind::Text => "a text",
            ParamKind::Integer => "a whole number",
            ParamKind::Boolean => "true or false",
            ParamKind::Timestamp => "an instant as RFC 3339 writes it",
            ParamKind::Date => "a date",
            ParamKind::Uuid => "a UUID with its hyphens",
        }
    }

    /// A value of this type.
    pub fn example(self) -> &'static str {
        match self {
            ParamKind::Text => "abc",
            ParamKind::Integer => "42",
            ParamKind::Boolean => "true",
            ParamKind::Timestamp => "2026-01-31T12:00:00Z",
            ParamKind::Date => "2026-01-31",
            ParamKind::Uuid => "0194b7c2-5f2e-7c3a-9d41-6f0a8e5b1c27",
        }
    }
}

/// Values by the names of their parameters.
pub type Params = BTreeMap<String, String>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_accepts_its_example_and_nothing_else() {
        for kind in ParamKind::ALL {
            assert!(kind.accepts(kind.example()), "{kind:?}");
        }
        for (kind, refused) in [
            (ParamKind::Integer, "1.5"),
            (ParamKind::Integer, "9223372036854775808"),
            (ParamKind::Integer, "1 OR 1 = 1"),
            (ParamKind::Boolean, "yes"),
            (ParamKind::Timestamp, "2026-01-31T12:00:00"),
            (ParamKind::Timestamp, "2026-01-31"),
            (ParamKind::Date, "2026-02-30"),
            (ParamKind::Date, "2026-01-31T12:00:00"),
            (ParamKind::Uuid, "0194b7c25f2e7c3a9d416f0a8e5b1c27"),
            (ParamKind::Uuid, "0194b7c2-5f2e-7c3a-9d41-6f0a8e5b1c2x"),
        ] {
            assert!(!kind.accepts(refused), "{kind:?} {refused}");
        }
    }

    #[test]
    fn a_name_is_plain_and_not_reserved() {
        for name in ["session_id", "a", "a1", "nowadays"] {
            assert_eq!(ParamDeclaration::parse_name(name).as_deref(), Ok(name));
        }
        for name in [
            "",
            "1a",
            "_a",
            "A",
            "session-id",
            "now",
            "cutoff",
            "now_minus_2m",
            "now_minus_x",
            "now_unix",
            "cutoff_ms",
            "é",
            &"a".repeat(65),
        ] {
            assert!(ParamDeclaration::parse_name(name).is_err(), "{name}");
        }
    }
}

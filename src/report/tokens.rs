//! Tokens: the page of `retaind token list`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, STRONG};
use super::table::{Align, Cell, Layout, Table};
use crate::ledger::FoundToken;
use crate::outcome::{Operator, Role, Token};
use crate::policy::Name;
use crate::text::human::instant;
use crate::text::printable;

/// A token that has just been made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NewToken {
    /// Its name, which the audit and the record of each run show.
    pub name: Name,
    /// Extent of what it allows.
    pub role: Role,
    /// The secret, which nobody can find out afterwards.
    pub token: String,
}

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TokenEntry {
    /// Its name, which the audit and the record of each run show.
    pub name: Name,
    /// Extent of what it allows. Null, as are time and person, where its file cannot be read.
    pub role: Option<Role>,
    /// Instant at which it was added.
    pub since: Option<Timestamp>,
    /// Person who added it.
    pub by: Option<Operator>,
    /// Reason that it lets nobody in.
    pub error: Option<String>,
}

impl From<FoundToken> for TokenEntry {
    fn from(FoundToken { name, token }: FoundToken) -> Self {
        match token {
            Ok(Token { role, since, by }) => {
                Self { name, role: Some(role), since: Some(since), by: Some(by), error: None }
            }
            Err(error) => Self { name, role: None, since: None, by: None, error: Some(error) },
        }
    }
}

/// Tokens as a table.
pub fn render_tokens(tokens: &[TokenEntry], layout: Layout) -> String {
    use Align::Left;
    if tokens.is_empty() {
        return "There is no token.\n".to_owned();
    }
    let mut table = Table::new(&[("NAME", Left), ("ROLE", Left), ("SINCE", Left), ("BY", Left)]);
    for TokenEntry { name, role, since, by, error } in tokens {
        table.push(vec![
            Cell::styled(name.to_string(), STRONG),
            Cell::new(role.map_or("-", Role::word)),
            Cell::new(since.map_or_else(|| "-".to_owned(), instant)),
            match error {
                Some(error) => Cell::styled(format!("lets nobody in: {}", printable(error)), BAD),
                None => {
                    Cell::new(by.as_ref().map_or_else(|| "-".to_owned(), |by| printable(&by.to_string()).into_owned()))
                }
            },
        ]);
    }
    table.render(layout)
}

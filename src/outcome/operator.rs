//! Person or program that asks for something that is remembered.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::Name;

/// Person or program that asks for a run, agrees to something, or pauses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operator {
    /// User id; 65534 where a sandbox hides it, and over TCP.
    pub uid: u32,
    /// The name behind it, where it is known.
    pub user: Option<String>,
    /// Who became that user by sudo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sudo_user: Option<String>,
    /// Who asked over TCP, in place of a user.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
}

/// Other end of a connection over TCP that has shown a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remote {
    /// Name of the token.
    pub token: Name,
    /// Address from which the connection comes.
    pub address: IpAddr,
}

impl Operator {
    /// User that stands for all whom a sandbox with users of its own hides.
    pub const NOBODY: u32 = 65534;
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Remote { token, address }) = &self.remote {
            return write!(f, "token {token} from {address}");
        }
        match (&self.sudo_user, &self.user) {
            (Some(person), Some(user)) => write!(f, "{person} as {user}"),
            (None, Some(user)) => f.write_str(user),
            (Some(person), None) => write!(f, "{person} as user {}", self.uid),
            (None, None) => write!(f, "user {}", self.uid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_read_as_it_was_written() {
        let local = Operator { uid: 7, user: Some("ada".to_owned()), sudo_user: None, remote: None };
        let text = serde_json::to_string(&local).unwrap();
        assert_eq!(text, r#"{"uid":7,"user":"ada"}"#);
        assert_eq!(serde_json::from_str::<Operator>(&text).unwrap(), local);
        let remote = Remote { token: Name::parse("grafana").unwrap(), address: "10.1.2.3".parse().unwrap() };
        let operator = Operator { uid: Operator::NOBODY, user: None, sudo_user: None, remote: Some(remote) };
        let text = serde_json::to_string(&operator).unwrap();
        assert_eq!(text, r#"{"uid":65534,"user":null,"token":"grafana","address":"10.1.2.3"}"#);
        assert_eq!(serde_json::from_str::<Operator>(&text).unwrap(), operator);
        assert_eq!(operator.to_string(), "token grafana from 10.1.2.3");
    }
}

//! Tokens, one file each in `tokens/` of the state directory, so that a lost ledger loses none. A file has the hash of a
//! token's secret, which is a random number of 256 bits and needs no slower hash. One that cannot be read lets nobody in.

use std::io::Error;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::small_files::SmallFiles;
use crate::outcome::{Role, Token};
use crate::policy::Name;
use crate::random::unguessable;
use crate::text::hex;

/// Beginning of each secret, by which scanners for leaked ones find it.
const PREFIX: &str = "retaind_";

/// The tokens of a state directory.
#[derive(Debug, Clone)]
pub struct Tokens(SmallFiles);

/// A token that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundToken {
    pub name: Name,
    /// As its file has it; an error in words where that cannot be read.
    pub token: Result<Token, String>,
}

/// The tokens could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("tokens in {}: {operation} failed", directory.display())]
pub struct TokenError {
    directory: PathBuf,
    operation: &'static str,
    #[source]
    cause: Error,
}

/// Name of a file, and its content.
type ReadToken = (Name, Result<Stored, String>);

/// Content of a file.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Of the secret, in hexadecimal.
    sha256: String,
    #[serde(flatten)]
    token: Token,
}

impl Tokens {
    /// Those of a state directory; their own is made by the first of them.
    pub fn of(state_dir: &Path) -> Self {
        Self(SmallFiles::of(state_dir, "tokens"))
    }

    /// All of them, in the order of their names.
    pub fn all(&self) -> Result<Vec<FoundToken>, TokenError> {
        let stored = self.stored()?.into_iter();
        Ok(stored.map(|(name, stored)| FoundToken { name, token: stored.map(|stored| stored.token) }).collect())
    }

    /// Adds a token, and returns its secret, which nobody can find out afterwards. None where there is one of that name.
    pub fn add(&self, name: &Name, token: Token) -> Result<Option<String>, TokenError> {
        let failed = |cause| self.error("adding one", cause);
        let secret = format!("{PREFIX}{}", hex(&unguessable().map_err(failed)?));
        let stored = Stored { sha256: hash(&secret), token };
        let text = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        let is_new = self.0.create(name.as_str(), &text).map_err(failed)?;
        Ok(is_new.then_some(secret))
    }

    /// Removes a token; false where there was none of that name.
    pub fn remove(&self, name: &Name) -> Result<bool, TokenError> {
        self.0.remove(name.as_str()).map_err(|cause| self.error("removing one", cause))
    }

    /// The token of a secret. How long that takes does not depend on the secret.
    pub fn find(&self, secret: &str) -> Result<Option<(Name, Role)>, TokenError> {
        let shown = hash(secret);
        let mut found = None;
        for (name, stored) in self.stored()? {
            let Ok(Stored { sha256, token }) = stored else { continue };
            if shown.as_bytes().ct_eq(sha256.as_bytes()).into() {
                found = Some((name, token.role));
            }
        }
        Ok(found)
    }

    fn stored(&self) -> Result<Vec<ReadToken>, TokenError> {
        let names = self.0.names().map_err(|cause| self.error("listing them", cause))?;
        let mut names: Vec<Name> = names.iter().filter_map(|name| Name::parse(name).ok()).collect();
        names.sort();
        let read = |name: Name| {
            // One that has just been removed is none.
            let text = self.0.read(name.as_str()).transpose()?;
            let stored = text.and_then(|text| serde_json::from_slice(&text).map_err(Error::from));
            Some((name, stored.map_err(|error| format!("its file cannot be read: {error}"))))
        };
        Ok(names.into_iter().filter_map(read).collect())
    }

    fn error(&self, operation: &'static str, cause: Error) -> TokenError {
        TokenError { directory: self.0.directory.clone(), operation, cause }
    }
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::outcome::Operator;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn token(role: Role) -> Token {
        let by = Operator { uid: 7, user: None, sudo_user: None, remote: None };
        Token { role, since: "2026-01-01T00:00:00Z".parse().unwrap(), by }
    }

    #[test]
    fn a_token_is_found_by_its_secret_alone() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(directory.path());
        assert_eq!((tokens.all().unwrap(), tokens.find("").unwrap()), (vec![], None));
        let ada = tokens.add(&name("ada"), token(Role::Operator)).unwrap().unwrap();
        let bob = tokens.add(&name("bob"), token(Role::Viewer)).unwrap().unwrap();
        assert_eq!(tokens.add(&name("bob"), token(Role::Operator)).unwrap(), None);
        assert_eq!((ada.len(), ada == bob), (PREFIX.len() + 64, false));
        assert_eq!(tokens.find(&ada).unwrap(), Some((name("ada"), Role::Operator)));
        assert_eq!(tokens.find(&bob).unwrap(), Some((name("bob"), Role::Viewer)));
        for wrong in ["", "ada", &ada[1..], &format!("{ada} "), &ada.to_uppercase()] {
            assert_eq!(tokens.find(wrong).unwrap(), None, "{wrong}");
        }
        let file = directory.path().join("tokens/ada");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&file).unwrap().contains(&ada[PREFIX.len()..]), "only its hash is kept");
        assert!(tokens.remove(&name("ada")).unwrap());
        assert!(!tokens.remove(&name("ada")).unwrap());
        assert_eq!(tokens.find(&ada).unwrap(), None);
        assert_eq!(tokens.all().unwrap(), [FoundToken { name: name("bob"), token: Ok(token(Role::Viewer)) }]);
    }

    #[test]
    fn g5_an_unreadable_file_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        let tokens = Tokens::of(directory.path());
        let secret = tokens.add(&name("a"), token(Role::Viewer)).unwrap().unwrap();
        for text in ["", "{", r#"{"sha256":""}"#, r#"{"sha256":"","role":"root"}"#] {
            std::fs::write(directory.path().join("tokens/a"), text).unwrap();
            assert_eq!((tokens.find(&secret).unwrap(), tokens.find("").unwrap()), (None, None));
            assert!(tokens.all().unwrap()[0].token.is_err(), "{text}");
        }
    }
}

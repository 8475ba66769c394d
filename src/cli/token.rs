//! `token`: tokens by which others ask the daemon over TCP.

use anyhow::anyhow;
use serde_json::json;

use super::exit::Exit;
use super::output::{Output, say};
use super::refusal::{NotThere, Refusal};
use super::runs::load;
use super::token_args::RoleFlag;
use crate::commands::token;
use crate::config::{Inputs, did_you_mean};
use crate::outcome::Role;
use crate::policy::Name;
use crate::report::{NewToken, render_tokens};

/// Makes a token, and prints it once.
pub async fn add(inputs: &Inputs, name: &str, role: RoleFlag, output: Output) -> Result<Exit, Refusal> {
    let name = Name::parse(name).map_err(|why| Refusal::Usage(anyhow!("{name:?} is not a name: {why}"), example()))?;
    let role = match role {
        RoleFlag::Viewer => Role::Viewer,
        RoleFlag::Operator => Role::Operator,
    };
    let known = load(inputs, output).await?;
    let Some(secret) = token::add(&known.settings, &name, role).await? else {
        let hint = format!("give it another name, or remove that one first: retaind token remove {name}");
        return Err(Refusal::Usage(anyhow!("there is a token named {name}"), hint));
    };
    let text = format!("Token {name}, of a {}: it is shown this once, and only its hash is kept", role.word());
    match output.json {
        true => output.value(&NewToken { name, role, token: secret })?,
        false => {
            output.plain(&secret)?;
            say(&text);
        }
    }
    Ok(Exit::Done)
}

/// Lists the tokens.
pub async fn list(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    let known = load(inputs, output).await?;
    output.show(&token::all(&known.settings)?, |all, layout| render_tokens(all, layout))?;
    Ok(Exit::Done)
}

/// Removes a token.
pub async fn remove(inputs: &Inputs, written: &str, output: Output) -> Result<Exit, Refusal> {
    let known = load(inputs, output).await?;
    let was_there = match Name::parse(written) {
        Ok(name) => token::remove(&known.settings, &name).await?,
        Err(_) => false,
    };
    let left = token::all(&known.settings)?;
    if !was_there {
        let hint = did_you_mean(written, left.iter().map(|entry| entry.name.as_str()));
        let hint = hint.unwrap_or_else(|| "`retaind token list` shows those that there are".to_owned());
        return Err(Refusal::Usage(NotThere::Token(written.to_owned()).into(), hint));
    }
    match output.json {
        true => output.value(&json!({ "name": written, "removed": true }))?,
        false => say(&format!("Removed token {written}: it lets nobody in any more")),
    }
    if left.is_empty() && known.settings.serving.tcp.is_some() {
        say("It was the last one: as long as [server] listen is set and there is none, the daemon does not start");
    }
    Ok(Exit::Done)
}

fn example() -> String {
    "such as: retaind token add nightly --role operator".to_owned()
}

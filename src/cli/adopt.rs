//! `adopt`: shows what is found in a store, asks, and has the marker written.

use std::sync::Arc;

use super::ask;
use super::exit::Exit;
use super::output::{Output, complain, say};
use super::refusal::Refusal;
use crate::commands::adopt::{self, UnknownStore};
use crate::policy::{Settings, Store};
use crate::report::{StoreFound, render_found};
use crate::text::printable;

/// Request of the command line.
pub struct AdoptArguments<'a> {
    pub store: &'a str,
    /// In place of a marker that is there.
    pub again: bool,
    /// Without a question.
    pub yes: bool,
}

impl From<UnknownStore> for Refusal {
    fn from(error: UnknownStore) -> Self {
        let hint = error.hint();
        Refusal::Usage(error.into(), hint)
    }
}

/// Adopts a store.
pub async fn adopt(settings: &Settings, wanted: AdoptArguments<'_>, output: Output) -> Result<Exit, Refusal> {
    let store = adopt::find(settings, wanted.store)?;
    let mut found = adopt::look(settings, store, &Default::default()).await?;
    // A person reads before the question; a program has one answer, at the end.
    if !output.json {
        output.show(&found, render_found)?;
    }
    let decided = decide(settings, store, &mut found, &wanted).await;
    if output.json {
        output.show(&found, render_found)?;
    }
    decided
}

async fn decide(
    settings: &Settings,
    store: &Arc<Store>,
    found: &mut StoreFound,
    wanted: &AdoptArguments<'_>,
) -> Result<Exit, Refusal> {
    let name = &store.name;
    if found.is_adopted() && !wanted.again {
        adopt::remember(settings, store, &Default::default()).await?;
        found.adopted = true;
        say(&format!("Store {name} is adopted already; --again gives it a new marker"));
        return Ok(Exit::Done);
    }
    if let Some(objection) = found.objection().filter(|_| !wanted.again) {
        let hint = format!("if this is the right directory: retaind adopt {name} --again");
        complain(&anyhow::anyhow!("store {name} is not adopted: {objection}"), Some(&hint));
        return Ok(Exit::Blocked);
    }
    if !wanted.yes && !is_agreed(found).await? {
        say("Nothing was written");
        return Ok(Exit::Cancelled);
    }
    adopt::adopt(settings, store, &Default::default()).await?;
    found.adopted = true;
    say(&format!("Store {name} is adopted: policies of files and orphans may remove files in {}", found.path));
    Ok(Exit::Done)
}

/// Asks whoever sits at the terminal.
async fn is_agreed(found: &StoreFound) -> Result<bool, Refusal> {
    if !ask::is_possible() {
        let error = anyhow::anyhow!("nobody can be asked whether to adopt store {}: there is no terminal", found.store);
        return Err(Refusal::Usage(error, "look at what was found, then add --yes".to_owned()));
    }
    Ok(ask::is_confirmed(&format!("Adopt store {} at {}?", found.store, printable(&found.path))).await?)
}

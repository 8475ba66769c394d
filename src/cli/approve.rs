//! `approve`: shows what waits, asks, and has it recorded that somebody agreed.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;

use super::ask;
use super::exit::Exit;
use super::output::{Output, complain, say};
use super::refusal::Refusal;
use crate::commands::approve::{self, Looked, Shown, Wanted, looked_at};
use crate::commands::operator::operator;
use crate::commands::params::check_params;
use crate::commands::selection::{Selection, select};
use crate::policy::{Name, Policy, Settings};
use crate::report::{ToApprove, approval_question, render_approvals, render_clock};

/// Loads the configuration once more; what is wrong with it is told.
pub type Reload<'a> = &'a dyn Fn() -> Result<Arc<Settings>, Refusal>;

/// Request of the command line.
pub struct ApproveArguments {
    pub names: Vec<String>,
    pub params: Vec<(String, String)>,
    /// Without a question.
    pub yes: bool,
    /// Everything that is held or never ran.
    pub all: bool,
}

/// Answer of whoever was asked.
enum Answer {
    Yes,
    No,
    /// Nobody could be asked.
    Nobody,
}

/// Approves policies.
pub async fn approve(
    settings: &Arc<Settings>,
    reload: Reload<'_>,
    asked: ApproveArguments,
    output: Output,
) -> Result<Exit, Refusal> {
    let selection = choose(settings, &asked).await?;
    if selection.policies.is_empty() {
        if output.json {
            output.value(&pages(&[]))?;
        }
        say("Nothing is held");
        return Ok(Exit::Done);
    }
    let params = check_params(&selection, &asked.params)?;
    let Some(mut shown) = approve::look(settings, &selection, &params).await? else { return Ok(cancelled()) };
    let decided = decide(settings, reload, &mut shown, (&asked, output)).await;
    if output.json {
        output.value(&pages(&shown))?;
    }
    decided
}

async fn decide(
    settings: &Settings,
    reload: Reload<'_>,
    shown: &mut [Shown],
    (asked, output): (&ApproveArguments, Output),
) -> Result<Exit, Refusal> {
    let page = render_approvals(&pages(shown), output.layout);
    if !output.json {
        output.page(&page)?;
    }
    let stuck: Vec<_> = shown.iter().map(|each| &each.page).filter(|page| page.obstacle.is_some()).collect();
    let stuck: Vec<_> = stuck.into_iter().map(|page| page.policy.to_string()).collect();
    let Some(question) = approval_question(&pages(shown)) else {
        return Ok(if stuck.is_empty() { Exit::Done } else { unapproved(&stuck) });
    };
    // What is found where nothing was named is approved by a person, or where it was asked for.
    let says_yes = asked.yes && (asked.all || !asked.names.is_empty());
    let asks = !says_yes && ask::is_possible();
    if asks && output.json {
        say(page.trim_end());
    }
    match answer(says_yes, &question).await? {
        Answer::Yes => {}
        Answer::No => return Ok(cancelled()),
        Answer::Nobody => {
            let error = anyhow!("nobody can be asked whether to approve this: there is no terminal");
            let hint = match asked.yes {
                true => "look at what would go, then name the policies, or add --all",
                false => "look at what would go, then add --yes to the names, or --all --yes",
            };
            return Err(Refusal::Usage(error, hint.to_owned()));
        }
    }
    record(settings, reload, shown).await?;
    for page in pages(shown).into_iter().filter(|page| page.approved) {
        say(&format!("Policy {} is approved: its next run takes what was shown", page.policy));
    }
    Ok(if stuck.is_empty() { Exit::Done } else { unapproved(&stuck) })
}

async fn answer(says_yes: bool, question: &str) -> Result<Answer, Refusal> {
    if says_yes {
        return Ok(Answer::Yes);
    }
    if !ask::is_possible() {
        return Ok(Answer::Nobody);
    }
    Ok(if ask::is_confirmed(question).await? { Answer::Yes } else { Answer::No })
}

/// Records approvals of the configuration that is written now, if that is the one that was shown.
async fn record(settings: &Settings, reload: Reload<'_>, shown: &mut [Shown]) -> Result<(), Refusal> {
    let written = reload()?;
    let changed = approve::approve(settings, shown, &written, &operator()).await?;
    changed.map_err(|error| Refusal::Failed(anyhow::Error::from(error).context("retaind approve shows it anew")))
}

/// Shows widened policies of a run and asks, or is told that it is agreed. What was agreed to is recorded, or, for a
/// temporary configuration, returned for the run alone. `None`: the answer was no.
pub async fn approve_widened(
    settings: &Arc<Settings>,
    (selection, params): (&Selection, &crate::policy::Params),
    (yes, is_temporary): (bool, bool),
    output: Output,
) -> Result<Option<BTreeMap<Name, Looked>>, Refusal> {
    let widened = approve::widened(settings, selection).await?;
    if widened.policies.is_empty() || !(yes || ask::is_possible()) {
        return Ok(Some(BTreeMap::new()));
    }
    let Some(mut shown) = approve::look(settings, &widened, params).await? else { return Ok(None) };
    say(render_approvals(&pages(&shown), output.layout).trim_end());
    if let Some(question) = approval_question(&pages(&shown)) {
        if let Answer::No | Answer::Nobody = answer(yes, &question).await? {
            return Ok(None);
        }
        if is_temporary {
            return Ok(Some(looked_at(&shown)));
        }
        // The run goes by this configuration, whatever is written meanwhile.
        approve::approve(settings, &mut shown, settings, &operator()).await?.map_err(anyhow::Error::from)?;
    }
    Ok(Some(BTreeMap::new()))
}

/// The policies that are named, or that wait.
async fn choose(settings: &Arc<Settings>, asked: &ApproveArguments) -> Result<Selection, Refusal> {
    if !asked.names.is_empty() {
        return Ok(select(settings, &asked.names)?);
    }
    let wanted = if asked.all { Wanted::All } else { Wanted::Held };
    let mut policies = approve::waiting(settings, wanted).await?;
    let takes_more = |policy: &Policy| {
        let declared = policy.kind.rows().map(|rows| rows.params.as_slice()).unwrap_or_default();
        declared.iter().any(|param| !asked.params.iter().any(|(name, _)| *name == param.name))
    };
    for policy in policies.iter().filter(|policy| takes_more(policy)) {
        say(&format!("Policy {} takes parameters: name it, and give them with --param, to approve it", policy.name));
    }
    policies.retain(|policy| !takes_more(policy));
    Ok(Selection { policies, task: None })
}

/// Confirms the machine's clock.
pub async fn confirm_clock(settings: &Settings, yes: bool, output: Output) -> Result<Exit, Refusal> {
    let clock = Default::default();
    let mut seen = approve::clock(settings, &clock).await?;
    if !output.json {
        output.page(&render_clock(&seen))?;
    }
    let exit = match answer(yes, "Is that right?").await? {
        Answer::Yes => {
            approve::confirm_clock(settings, &clock).await?;
            seen.confirmed = true;
            say("The clock is trusted until it leaps again");
            Exit::Done
        }
        Answer::No => cancelled(),
        Answer::Nobody => {
            let error = anyhow!("nobody can be asked whether the clock is right: there is no terminal");
            return Err(Refusal::Usage(error, "look at the time, then add --yes".to_owned()));
        }
    };
    if output.json {
        output.value(&seen)?;
    }
    Ok(exit)
}

fn pages(shown: &[Shown]) -> Vec<&ToApprove> {
    shown.iter().map(|each| &each.page).collect()
}

fn cancelled() -> Exit {
    say("Nothing was approved");
    Exit::Cancelled
}

fn unapproved(stuck: &[String]) -> Exit {
    let error = anyhow!("not approved: {}", stuck.join(", "));
    complain(&error, Some("see to what stands in the way, and approve it then"));
    Exit::Blocked
}

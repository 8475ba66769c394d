//! `cancel`, `pause` and `resume`: asked of the daemon; a pause works without one, too.

use anyhow::anyhow;
use serde::Deserialize;
use serde_json::json;

use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, say};
use super::refusal::Refusal;
use super::remote::{self, refused};
use crate::commands::pause;
use crate::commands::selection::names_in;
use crate::config::Inputs;
use crate::outcome::Subject;
use crate::policy::{Name, Settings};
use crate::report::short_id;
use crate::server::{Client, ClientError, LiveStatus, ProblemCode};

/// Stops a run of the daemon between two batches; without an id the only one.
pub async fn cancel(inputs: &Inputs, run: Option<String>, output: Output) -> Result<Exit, Refusal> {
    let settings = settings_of(inputs, output).await;
    let Some((mut client, reached)) = remote::daemon(settings.as_ref()).await else {
        let error = anyhow!("no daemon answers, so there is no run of one");
        return Err(Refusal::Usage(error, "a run of a command is stopped by Ctrl-C in its terminal".to_owned()));
    };
    let run = match run {
        Some(run) => run,
        None => only_run(&reached)?,
    };
    remote::cancel(&mut client, &run).await?;
    match output.json {
        true => output.value(&json!({ "run_id": run, "status": "stopping" }))?,
        false => say(&format!("Run {run} stops after the current batch: `retaind runs {run}` shows what it did")),
    }
    Ok(Exit::Done)
}

fn only_run(reached: &LiveStatus) -> Result<String, Refusal> {
    match reached.progress.as_slice() {
        [run] => Ok(run.run_id.to_string()),
        [] => Err(Refusal::Usage(anyhow!("no run is under way"), "`retaind runs` lists those that were".to_owned())),
        several => {
            let ids: Vec<String> = several.iter().map(|run| short_id(&run.run_id)).collect();
            let error = anyhow!("several runs are under way: {}", ids.join(", "));
            Err(Refusal::Usage(error, "name the one to cancel".to_owned()))
        }
    }
}

/// Pauses a task or policy until it is resumed.
pub async fn pause(inputs: &Inputs, name: &str, reason: Option<String>, output: Output) -> Result<Exit, Refusal> {
    let (subjects, settings) = (subjects(name)?, settings_of(inputs, output).await);
    if let Some((mut client, _)) = remote::daemon(settings.as_ref()).await {
        let (subject, answer) = ask(&mut client, &subjects, "pause", &json!({ "reason": reason })).await?;
        return done(output, &answer, &format!("Paused {subject}; `retaind resume {name}` lets it go on"));
    }
    let settings = needed(settings.as_ref())?;
    let subject = known(settings, subjects, name)?;
    let pause = pause::pause(settings, &subject, reason).await?;
    say("No daemon runs: the pause counts from its start, and for runs of commands at once");
    done(output, &json!({ "subject": subject, "pause": pause }), &format!("Paused {subject}"))
}

/// Lets a task or policy go on.
pub async fn resume(inputs: &Inputs, name: &str, output: Output) -> Result<Exit, Refusal> {
    #[derive(Deserialize)]
    struct Resumed {
        was_paused: bool,
    }
    let (subjects, settings) = (subjects(name)?, settings_of(inputs, output).await);
    let mut daemon = remote::daemon(settings.as_ref()).await;
    let mut resumed = None;
    for subject in subjects {
        let was_paused = match &mut daemon {
            Some((client, _)) => {
                let (_, answer) = ask(client, std::slice::from_ref(&subject), "resume", &json!({})).await?;
                serde_json::from_value::<Resumed>(answer).map_err(anyhow::Error::from)?.was_paused
            }
            None => pause::resume(needed(settings.as_ref())?, &subject).await?,
        };
        resumed = resumed.filter(|(_, before)| *before).or(Some((subject, was_paused)));
    }
    let Some((subject, was_paused)) = resumed else {
        return Err(Refusal::Failed(anyhow!("there is nothing named {name}")));
    };
    let text = if was_paused { format!("{subject} goes on") } else { format!("{name} was not paused") };
    done(output, &json!({ "subject": subject, "was_paused": was_paused }), &text)
}

fn done(output: Output, answer: &serde_json::Value, text: &str) -> Result<Exit, Refusal> {
    match output.json {
        true => output.value(answer)?,
        false => say(text),
    }
    Ok(Exit::Done)
}

/// The configuration, as far as it can be had: whoever may ask the daemon need not be able to read it.
async fn settings_of(inputs: &Inputs, output: Output) -> Option<Settings> {
    load_known(inputs, output).await.ok().map(|known| known.settings)
}

/// Subjects that a name may stand for. `task:NAME` and `policy:NAME` say which.
fn subjects(written: &str) -> Result<Vec<Subject>, Refusal> {
    let (task, policy) = names_in(written);
    let unknown =
        |_| Refusal::Usage(anyhow!("{written:?} names no task or policy"), "`retaind status` shows them".to_owned());
    let policy = policy.map(Name::parse).transpose().map_err(unknown)?.map(Subject::Policy);
    let task = task.map(Name::parse).transpose().map_err(unknown)?.map(Subject::Task);
    Ok(policy.into_iter().chain(task).collect())
}

/// Asks the daemon, which knows what the name stands for.
async fn ask(
    client: &mut Client,
    subjects: &[Subject],
    verb: &str,
    body: &serde_json::Value,
) -> Result<(Subject, serde_json::Value), Refusal> {
    let mut last = None;
    for subject in subjects {
        let kind = match subject {
            Subject::Task(_) => "tasks",
            Subject::Policy(_) => "policies",
        };
        match client.post(&format!("/api/v1/{kind}/{}/{verb}", subject.name()), body).await {
            Ok(answer) => return Ok((subject.clone(), answer)),
            Err(ClientError::Refused(problem)) if problem.code == ProblemCode::UnknownName => {
                last = Some(ClientError::Refused(problem));
            }
            Err(error) => return Err(refused(error)),
        }
    }
    Err(last.map_or_else(|| Refusal::Failed(anyhow!("nothing was asked")), refused))
}

fn needed(settings: Option<&Settings>) -> Result<&Settings, Refusal> {
    settings.ok_or_else(|| {
        let error = anyhow!("no daemon answers, and the configuration cannot be read");
        Refusal::Usage(error, "`retaind check --config-only` says what is wrong with it".to_owned())
    })
}

fn known(settings: &Settings, subjects: Vec<Subject>, written: &str) -> Result<Subject, Refusal> {
    subjects.into_iter().find(|subject| subject.is_in(settings)).ok_or_else(|| {
        let error = anyhow!("there is no task or policy named {written:?}");
        Refusal::Usage(error, "`retaind status` shows them".to_owned())
    })
}

//! `notify`: tries whether those who are notified can be reached.

use anyhow::anyhow;
use serde_json::json;

use super::exit::Exit;
use super::load::{load_from, load_known};
use super::output::{Output, say};
use super::refusal::Refusal;
use super::remote::{self, refused};
use crate::commands::known::Known;
use crate::commands::notify;
use crate::config::{Inputs, did_you_mean};
use crate::policy::{Name, Settings};
use crate::report::TestedDestination;
use crate::text::printable;

/// Sends a message that says that it is a test.
pub async fn test(inputs: &Inputs, written: &str, output: Output) -> Result<Exit, Refusal> {
    let known = load_known(inputs, output).await;
    if let Err(refusal @ (Refusal::Told(_) | Refusal::Usage(..))) = known {
        return Err(refusal);
    }
    let settings = known.as_ref().ok().map(|known: &Known| &known.settings);
    let name = Name::parse(written).map_err(|_| unknown(written, settings))?;
    let tested: TestedDestination = match remote::daemon(settings).await {
        Some((mut client, _)) => {
            client.post_and_wait(&format!("/api/v1/notify/{name}/test"), &json!({})).await.map_err(refused)?
        }
        None => {
            let settings = load_from(inputs, output)?;
            say("No daemon answers: this command does it by itself");
            let tested = notify::test(&settings, &name, &Default::default()).await;
            tested.ok_or_else(|| unknown(written, Some(&settings)))?
        }
    };
    let TestedDestination { destination, delivered, answer } = &tested;
    let took = if *delivered { "took it" } else { "did not take it" };
    match output.json {
        true => output.value(&tested)?,
        false => say(&format!("{destination} {took}: {}", printable(answer))),
    }
    Ok(if *delivered { Exit::Done } else { Exit::Failed })
}

fn unknown(written: &str, settings: Option<&Settings>) -> Refusal {
    let known = settings.map(|settings| settings.notify.as_slice()).unwrap_or_default();
    let hint = did_you_mean(written, known.iter().map(|destination| destination.name.as_str()));
    let hint = hint.unwrap_or_else(|| "[notify.NAME] of the configuration declares them".to_owned());
    Refusal::Usage(anyhow!("nobody named {written:?} is notified"), hint)
}

//! `status`: once, again and again on a terminal, or as one line for a monitor.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::exit::Exit;
use super::load::load_known;
use super::output::{Output, written};
use super::refusal::Refusal;
use super::remote;
use crate::commands::status::overview;
use crate::config::Inputs;
use crate::report::{MonitorState, Overview, render_monitor, render_status, render_unknown};
use crate::server::LiveStatus;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Moves to the upper left corner, and clears what is there.
const CLEAR: &[u8] = b"\x1b[H\x1b[J";

/// Shows tasks, their runs, and what is pending.
pub async fn status(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    match look(inputs, output).await? {
        Seen::Live(live) => output.show(&*live, |live, layout| render_status(&live.overview, layout))?,
        Seen::Kept(overview) => output.show(&*overview, render_status)?,
    }
    Ok(Exit::Done)
}

/// Shows the same again and again, until Ctrl-C ends the process.
pub async fn watch(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    if output.json || !std::io::stdout().is_terminal() {
        let error = anyhow::anyhow!("--watch draws on a terminal, and standard output is none or was to be JSON");
        return Err(Refusal::Usage(error, "leave --watch out, and call retaind status again and again".to_owned()));
    }
    loop {
        let page = render_status(look(inputs, output).await?.overview(), output.layout);
        // Not through what drops styles: it would drop this as well.
        written(std::io::stdout().lock().write_all(CLEAR))?;
        output.page(&page)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Answers a monitor: one line, or the overview as JSON, and the exit code of a plug-in.
pub async fn check(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    let seen = match look(inputs, output).await {
        Ok(seen) => seen,
        Err(Refusal::Failed(error)) => {
            output.page(&render_unknown(&format!("{error:#}")))?;
            return Ok(MonitorState::Unknown.into());
        }
        Err(refusal) => return Err(refusal),
    };
    output.show(seen.overview(), |overview, _| render_monitor(overview))?;
    Ok(MonitorState::of(seen.overview()).into())
}

/// Says whether the daemon answers.
pub async fn ready(inputs: &Inputs, output: Output) -> Result<Exit, Refusal> {
    let known = load_known(inputs, output).await;
    let answered = remote::is_alive(known.as_ref().ok().map(|known| &known.settings)).await;
    output.show(&Ready { ready: answered }, |ready, _| {
        if ready.ready { "the daemon answers\n".to_owned() } else { "no daemon answers\n".to_owned() }
    })?;
    Ok(if answered { Exit::Done } else { Exit::Failed })
}

/// Answer to a health check.
#[derive(serde::Serialize)]
struct Ready {
    ready: bool,
}

/// State as the daemon reports it, or as the state directory has it where none answers.
enum Seen {
    Live(Box<LiveStatus>),
    Kept(Box<Overview>),
}

impl Seen {
    fn overview(&self) -> &Overview {
        match self {
            Seen::Live(live) => &live.overview,
            Seen::Kept(overview) => overview,
        }
    }
}

async fn look(inputs: &Inputs, output: Output) -> Result<Seen, Refusal> {
    let known = load_known(inputs, output).await;
    if let Err(refusal @ (Refusal::Told(_) | Refusal::Usage(..))) = known {
        return Err(refusal);
    }
    let settings = known.as_ref().ok().map(|known| &known.settings);
    if let Some((_, live)) = remote::daemon(settings).await {
        return Ok(Seen::Live(Box::new(live)));
    }
    let known = known?;
    let overview = overview(&known.settings, known.objection(), &Default::default()).await?;
    Ok(Seen::Kept(Box::new(overview)))
}

//! The task that writes states into Redis: it alone waits for the server, and tries again until that answers.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisError, RedisResult};
use serde::Deserialize;

use super::job::{JobState, JobStatus};
use super::job_states::{JobStates, Over, Waiting};
use crate::outcome::RunId;
use crate::policy::{Host, PublishRedis};
use crate::text::chain;

/// Time that connecting and each answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time after which a connection that has nothing to do is given up.
const IDLE: Duration = Duration::from_secs(30);
/// Waits between tries begin with the first and double up to the second.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// A Redis that did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("{url} cannot be used")]
pub struct NotReached {
    url: String,
    #[source]
    cause: Box<RedisError>,
}

/// Connects, logs in and asks for an answer.
pub async fn ping(to: &PublishRedis) -> Result<(), NotReached> {
    let answered = async { redis::cmd("PING").exec_async(&mut connect(to).await?).await };
    answered.await.map_err(|error| NotReached { url: to.url(), cause: Box::new(error) })
}

impl JobStates {
    /// Writes states there from now on, and nowhere else.
    pub fn follow(&self, to: Option<&Arc<PublishRedis>>) {
        self.direct(to, |to| tokio::spawn(deliver(self.clone(), Arc::clone(to))).abort_handle());
    }
}

/// Writes what waits, until it is broken off.
async fn deliver(states: JobStates, to: Arc<PublishRedis>) {
    let mut connection = None;
    let mut wait = None;
    loop {
        let Some(next) = states.next() else {
            if connection.is_none() {
                states.woken().await;
            } else if tokio::time::timeout(IDLE, states.woken()).await.is_err() {
                connection = None;
            }
            continue;
        };
        match write(&mut connection, &to, &next).await {
            Ok(()) => {
                if wait.take().is_some() {
                    tracing::info!("Redis takes the states of runs again");
                }
                states.note_written(&next);
            }
            Err(error) => {
                if wait.is_none() {
                    report_down(&to, &error);
                }
                let now = wait.unwrap_or(WAITS.0);
                tokio::time::sleep(now).await;
                wait = Some((now * 2).min(WAITS.1));
            }
        }
    }
}

fn report_down(to: &PublishRedis, error: &(dyn Error + 'static)) {
    let (url, error) = (to.url(), chain(error));
    tracing::warn!(
        error,
        "The states of runs cannot be written into Redis at {url}: {error}. Runs go on; the last state of each is written \
         once it can be"
    );
}

/// Writes one state. The connection stays where all went well.
async fn write(connection: &mut Option<MultiplexedConnection>, to: &PublishRedis, next: &Waiting) -> RedisResult<()> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => connect(to).await?,
    };
    let key = to.key_of(&next.job.id);
    let reached = match next.over {
        Over::Anything => Some(0),
        Over::LeftRunning(run_id) => left_running_at(&mut open, &key, run_id).await?.flatten(),
        Over::LeftRunningOrNothing(run_id) => left_running_at(&mut open, &key, run_id).await?.unwrap_or(Some(0)),
    };
    // What ended long ago is no news: the key would be gone by now.
    let lasts = to.expire.saturating_sub(next.job.ended_for());
    if let Some(reached) = reached.filter(|_| !lasts.is_zero()) {
        let job = JobState { progress: next.job.progress.max(reached), ..(*next.job).clone() };
        // Plain data with text for keys: it always is JSON.
        let json = serde_json::to_string(&job).unwrap_or_default();
        let mut commands = redis::pipe();
        commands.cmd("SET").arg(key).arg(&json).arg("EX").arg(lasts.as_secs().max(1));
        if !to.channel.is_empty() {
            commands.cmd("PUBLISH").arg(&to.channel).arg(&json);
        }
        commands.query_async::<redis::Value>(&mut open).await?;
    }
    *connection = Some(open);
    Ok(())
}

/// Progress of that run, if a key has its state and the daemon that wrote it did not come to its end; none where there is no
/// key.
async fn left_running_at(
    open: &mut MultiplexedConnection,
    key: &str,
    run_id: RunId,
) -> RedisResult<Option<Option<u8>>> {
    #[derive(Deserialize)]
    struct Left {
        status: JobStatus,
        progress: u8,
        metadata: Of,
    }
    #[derive(Deserialize)]
    struct Of {
        run_id: RunId,
    }
    let json: Option<String> = redis::cmd("GET").arg(key).query_async(open).await?;
    let Some(json) = json else { return Ok(None) };
    let left = serde_json::from_str::<Left>(&json).ok();
    let is_left = |left: &Left| left.status == JobStatus::Running && left.metadata.run_id == run_id;
    Ok(Some(left.filter(is_left).map(|left| left.progress)))
}

async fn connect(to: &PublishRedis) -> RedisResult<MultiplexedConnection> {
    let address = match &to.host {
        Host::Tcp { name, port } => ConnectionAddr::Tcp(name.clone(), *port),
        Host::Unix { path, port: _ } => ConnectionAddr::Unix(path.clone()),
    };
    let info = address.into_connection_info()?;
    let mut login = info.redis_settings().clone().set_db(to.database);
    if let Some(user) = &to.user {
        login = login.set_username(user);
    }
    if let Some(password) = &to.password {
        login = login.set_password(password.expose());
    }
    let patience =
        AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
    Client::open(info.set_redis_settings(login))?.get_multiplexed_async_connection_with_config(&patience).await
}

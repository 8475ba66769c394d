//! A client of the daemon's socket, for commands. One connection, one request after another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::control::{RunProgress, RunUpdate};
use super::problem::Problem;
use super::socket::{ON_BEHALF_OF, USER_AGENT};
use crate::outcome::{Operator, RunResult};

/// Time in which a daemon that lives has to answer what it does not have to work for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time that a health check waits.
const HEALTH_PATIENCE: Duration = Duration::from_secs(5);

/// Failure between a command and the daemon.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No daemon answers there.
    #[error("no daemon answers on {}", path.display())]
    Absent {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    /// The daemon refused.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
    #[error("the daemon does not answer on {}: {why}", path.display())]
    Broken { path: PathBuf, why: String },
}

/// A connection to a daemon.
pub struct Client {
    path: PathBuf,
    sender: SendRequest<Full<Bytes>>,
    on_behalf_of: Option<String>,
}

impl Client {
    /// Connects to a socket, for a person.
    pub async fn connect(path: &Path, operator: &Operator) -> Result<Self, ClientError> {
        Self::open(path, operator.sudo_user.clone().or_else(|| operator.user.clone())).await
    }

    /// Another connection to the same daemon.
    pub async fn another(&self) -> Result<Self, ClientError> {
        Self::open(&self.path, self.on_behalf_of.clone()).await
    }

    async fn open(path: &Path, on_behalf_of: Option<String>) -> Result<Self, ClientError> {
        let absent = |cause| ClientError::Absent { path: path.to_owned(), cause };
        let stream = UnixStream::connect(path).await.map_err(absent)?;
        let broken = |error: hyper::Error| ClientError::Broken { path: path.to_owned(), why: error.to_string() };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // What ends it is told to whoever sends the next request.
        tokio::spawn(connection);
        Ok(Self { path: path.to_owned(), sender, on_behalf_of })
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, ClientError> {
        let response = self.send(Method::GET, path, Bytes::new(), Some(PATIENCE)).await?;
        self.read(response).await
    }

    /// Asks whether the daemon's main loop answers.
    pub async fn is_alive(&mut self) -> bool {
        let answer = self.send(Method::GET, "/readyz", Bytes::new(), Some(HEALTH_PATIENCE)).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks for a change.
    pub async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.broken(error.to_string()))?;
        let response = self.send(Method::POST, path, body.into(), Some(PATIENCE)).await?;
        self.read(response).await
    }

    /// Asks for work, and waits for its end, however long it takes.
    pub async fn post_and_wait<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.broken(error.to_string()))?;
        let response = self.send(Method::POST, path, body.into(), None).await?;
        self.read(response).await
    }

    /// Follows a run to its end, and hands over each progress.
    pub async fn follow(&mut self, run: &str, mut seen: impl FnMut(RunProgress)) -> Result<RunResult, ClientError> {
        let path = format!("/api/v1/runs/{run}/events");
        let mut response = self.send(Method::GET, &path, Bytes::new(), None).await?;
        if response.status() != StatusCode::OK {
            return self.read(response).await;
        }
        let mut buffer = String::new();
        while let Some(frame) = response.body_mut().frame().await {
            let frame = frame.map_err(|error| self.broken(error.to_string()))?;
            buffer.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| data)));
            while let Some((event, rest)) = buffer.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                buffer = rest;
                match self.parse(&event)? {
                    Some(RunUpdate::Progress(progress)) => seen(*progress),
                    Some(RunUpdate::End(result)) => return Ok(*result),
                    Some(RunUpdate::Failed(problem)) => return Err(ClientError::Refused(Box::new(problem))),
                    None => {}
                }
            }
        }
        Err(self.broken(format!("it ended before run {run} did")))
    }

    /// News in an event; none in a comment, or in what a later version sends.
    fn parse(&self, event: &str) -> Result<Option<RunUpdate>, ClientError> {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = field("data").unwrap_or_default();
        let update = match field("event") {
            Some("progress") => serde_json::from_str(data).map(RunUpdate::Progress),
            Some("end") => serde_json::from_str(data).map(RunUpdate::End),
            Some("error") => serde_json::from_str(data).map(RunUpdate::Failed),
            _ => return Ok(None),
        };
        update.map(Some).map_err(|error| self.broken(error.to_string()))
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        patience: Option<Duration>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "retaind")
            .header(header::USER_AGENT, USER_AGENT);
        if let Some(person) = &self.on_behalf_of {
            request = request.header(ON_BEHALF_OF, person);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body)).map_err(|error| self.broken(error.to_string()))?;
        let answer = async {
            // The answer before this may have been read a moment before the connection notices it.
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let answer = match patience {
            Some(patience) => tokio::time::timeout(patience, answer).await,
            None => Ok(answer.await),
        };
        let answer = answer.map_err(|_| self.broken("it took too long".to_owned()))?;
        answer.map_err(|error| self.broken(error.to_string()))
    }

    async fn read<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, ClientError> {
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| self.broken(error.to_string()))?.to_bytes();
        if !status.is_success() {
            return Err(match serde_json::from_slice(&body) {
                Ok(problem) => ClientError::Refused(Box::new(problem)),
                Err(_) => self.broken(format!("it answered with status {status}")),
            });
        }
        serde_json::from_slice(&body).map_err(|error| self.broken(format!("its answer is not understood: {error}")))
    }

    fn broken(&self, why: String) -> ClientError {
        ClientError::Broken { path: self.path.clone(), why }
    }
}

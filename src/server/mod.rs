//! Answers over HTTP: requests in, the daemon's [`Control`] asked, results out. Knows neither databases nor file trees, and
//! changes nothing itself.

mod client;
mod control;
mod endpoint;
mod events;
mod extract;
mod openapi;
mod problem;
mod routes;
mod socket;

pub use client::{Client, ClientError};
pub use control::{
    Answer, Caller, ConfigInForce, Control, LiveStatus, Reloaded, RunDocument, RunProgress, RunState, RunUpdate,
    RunWanted, RunsWanted, SeenProposal, SourceState,
};
pub use problem::{Problem, ProblemCode};
pub use socket::{ApiServer, BindError};

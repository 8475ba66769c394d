//! Answers over HTTP: requests in, the daemon's [`Control`] asked, results out. Knows neither databases nor file trees, and
//! changes nothing itself. The pages of the dashboard are answers, too.

mod client;
mod connections;
mod control;
mod dashboard;
mod door;
mod endpoint;
mod events;
mod extract;
mod gate;
mod openapi;
mod orders;
mod peers;
mod pending;
mod plans;
mod problem;
mod rate;
mod routes;
mod sessions;
mod socket;
mod tcp;

pub use client::{Client, ClientError};
pub use control::{
    Answer, Caller, ConfigInForce, Control, LiveStatus, Reloaded, RunDocument, RunProgress, RunState, RunUpdate,
    RunWanted, RunsWanted, SeenProposal, SourceState,
};
pub use problem::{Problem, ProblemCode};
pub use socket::{ApiServer, BindError};
pub use tcp::{ListenError, TcpServer};

//! Gathers what each command shows or does: plans and runs, pages, approvals. Prints nothing.

pub mod adopt;
pub mod approve;
mod attention;
pub mod audit;
pub mod check;
pub mod configured;
pub mod diff;
pub mod execute;
pub mod explain;
pub(crate) mod held;
pub mod known;
pub mod notify;
pub mod operator;
pub mod params;
pub mod pause;
pub mod pending;
mod planned;
pub mod policies;
pub mod restore;
mod sample;
pub mod selection;
pub mod sockets;
pub mod stats;
pub mod status;
pub mod task_times;
pub mod token;

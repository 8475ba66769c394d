//! The daemon as the server sees it: implements `Control` by asking the parts of the daemon.

mod changes;
mod controller;
mod on_disk;
mod requested;
mod requests;
mod state;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::outcome::{RunId, Subject};
use crate::policy::Name;
use crate::report::{Paused, PolicyOverview, RunEntry, Stats, ToApprove};
use crate::server::{
    Answer, Caller, Control, LiveStatus, Reloaded, RunDocument, RunUpdate, RunWanted, RunsWanted, SeenProposal,
};
pub use controller::{Controller, Order, Snapshot};
pub(super) use requests::Requests;

/// Calls a method of a clone, so that the answer borrows nothing.
macro_rules! answer {
    ($controller:ident.$method:ident($($argument:expr),*)) => {{
        let controller = $controller.clone();
        let answer: BoxFuture<'static, _> = Box::pin(async move { controller.$method($($argument),*).await });
        answer
    }};
}

impl Control for Controller {
    fn alive(&self) -> Answer<'_, ()> {
        answer!(self.answers())
    }

    fn status(&self) -> Answer<'_, LiveStatus> {
        answer!(self.live_status())
    }

    fn policies(&self) -> Answer<'_, Vec<PolicyOverview>> {
        answer!(self.all_policies())
    }

    fn stats(&self, names: Vec<String>) -> Answer<'_, Stats> {
        answer!(self.statistics(names))
    }

    fn runs(&self, wanted: RunsWanted) -> Answer<'_, Vec<RunEntry>> {
        answer!(self.list_runs(wanted))
    }

    fn run(&self, id: String) -> Answer<'_, RunDocument> {
        answer!(self.one_run(id))
    }

    fn follow(&self, id: String) -> Answer<'_, BoxStream<'static, RunUpdate>> {
        answer!(self.follow_run(id))
    }

    fn begin(&self, wanted: RunWanted, caller: Caller) -> Answer<'_, RunId> {
        answer!(self.begin_run(wanted, caller))
    }

    fn cancel(&self, id: String, caller: Caller) -> Answer<'_, RunId> {
        answer!(self.cancel_run(id, caller))
    }

    fn pause(&self, subject: Subject, reason: Option<String>, caller: Caller) -> Answer<'_, Paused> {
        answer!(self.pause_subject(subject, reason, caller))
    }

    fn resume(&self, subject: Subject, caller: Caller) -> Answer<'_, bool> {
        answer!(self.resume_subject(subject, caller))
    }

    fn proposal(&self, policy: Name) -> Answer<'_, ToApprove> {
        answer!(self.propose(policy))
    }

    fn approve(&self, policy: Name, seen: SeenProposal, caller: Caller) -> Answer<'_, ToApprove> {
        answer!(self.approve_policy(policy, seen, caller))
    }

    fn reload(&self, caller: Caller) -> Answer<'_, Reloaded> {
        answer!(self.reload_configuration(caller))
    }
}

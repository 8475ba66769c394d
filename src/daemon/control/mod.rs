//! The daemon as the server sees it: implements `Control` by asking the parts of the daemon.

mod asking;
mod changes;
mod controller;
mod looks;
mod on_disk;
mod overrides;
mod past;
mod pending;
mod requested;
mod requests;
mod state;

use std::sync::Arc;

use futures_util::stream::BoxStream;
use jiff::Timestamp;

use crate::outcome::{DaySums, PendingChoice, PendingPath, Role, RunId, Subject};
use crate::policy::{Name, Settings};
use crate::report::{
    AuditEntry, Forgotten, Paused, PendingFiles, PolicyOverview, Retried, RunEntry, Stats, StoreStats,
    TestedDestination, ToApprove,
};
use crate::server::{
    Answer, Caller, Control, LiveStatus, Reloaded, RunDocument, RunUpdate, RunWanted, RunsWanted, SeenProposal,
};
pub use controller::{Controller, Order, Snapshot};
pub(super) use requests::Requests;

impl Control for Controller {
    fn settings(&self) -> Arc<Settings> {
        Controller::settings(self)
    }

    fn token(&self, secret: &str) -> Option<(Name, Role)> {
        self.find_token(secret)
    }

    fn alive(&self) -> Answer<'_, ()> {
        Box::pin(self.answers())
    }

    fn status(&self) -> Answer<'_, LiveStatus> {
        Box::pin(self.live_status())
    }

    fn metrics(&self) -> Answer<'_, String> {
        Box::pin(self.numbers())
    }

    fn policies(&self) -> Answer<'_, Vec<PolicyOverview>> {
        Box::pin(self.all_policies())
    }

    fn stats(&self, names: Vec<String>, caller: Caller) -> Answer<'_, Stats> {
        Box::pin(self.statistics(names, caller))
    }

    fn runs(&self, wanted: RunsWanted) -> Answer<'_, Vec<RunEntry>> {
        Box::pin(self.list_runs(wanted))
    }

    fn run(&self, id: String) -> Answer<'_, RunDocument> {
        Box::pin(self.one_run(id))
    }

    fn follow(&self, id: String) -> Answer<'_, BoxStream<'static, RunUpdate>> {
        Box::pin(self.follow_run(id))
    }

    fn begin(&self, wanted: RunWanted, caller: Caller) -> Answer<'_, RunId> {
        Box::pin(self.begin_run(wanted, caller))
    }

    fn cancel(&self, id: String, caller: Caller) -> Answer<'_, RunId> {
        Box::pin(self.cancel_run(id, caller))
    }

    fn pause(&self, subject: Subject, reason: Option<String>, caller: Caller) -> Answer<'_, Paused> {
        Box::pin(self.pause_subject(subject, reason, caller))
    }

    fn resume(&self, subject: Subject, caller: Caller) -> Answer<'_, bool> {
        Box::pin(self.resume_subject(subject, caller))
    }

    fn proposal(&self, policy: Name, caller: Caller) -> Answer<'_, ToApprove> {
        Box::pin(self.propose(policy, caller))
    }

    fn approve(&self, policy: Name, seen: SeenProposal, caller: Caller) -> Answer<'_, ToApprove> {
        Box::pin(self.approve_policy(policy, seen, caller))
    }

    fn pending(&self, limit: u32) -> Answer<'_, PendingFiles> {
        Box::pin(self.list_pending(limit))
    }

    fn retry(&self, choice: PendingChoice, caller: Caller) -> Answer<'_, Retried> {
        Box::pin(self.retry_pending(choice, caller))
    }

    fn forget(&self, file: PendingPath, caller: Caller) -> Answer<'_, Forgotten> {
        Box::pin(self.forget_pending(file, caller))
    }

    fn days(&self, since: Timestamp) -> Answer<'_, Vec<DaySums>> {
        Box::pin(self.sums_by_day(since))
    }

    fn stores(&self) -> Answer<'_, Vec<StoreStats>> {
        Box::pin(self.known_stores())
    }

    fn audit(&self, limit: u32) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(self.newest_audit(limit))
    }

    fn test_destination(&self, name: Name, caller: Caller) -> Answer<'_, TestedDestination> {
        Box::pin(self.send_test(name, caller))
    }

    fn reload(&self, caller: Caller) -> Answer<'_, Reloaded> {
        Box::pin(self.reload_configuration(caller))
    }
}

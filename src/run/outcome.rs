//! Outcome of one policy in a run.

use jiff::Timestamp;

use super::account::Account;
use crate::decide::blocked::Blocked;
use crate::ledger::{Lease, Ledger};
use crate::outcome::{GuardReading, Held, Status};
use crate::text::chain;

/// End of a policy of a run, with what it read on the way.
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) account: Account,
    pub(super) guards: Vec<GuardReading>,
    pub(super) blocked: Option<Blocked>,
    /// Time at which the things were shown that an approval lets go, where it went by one.
    pub(super) as_of: Option<Timestamp>,
}

impl Outcome {
    pub(super) fn new(account: Account) -> Self {
        let status = if account.failure_count() > 0 { Status::CompletedWithErrors } else { Status::Completed };
        Self { status, account, guards: Vec::new(), blocked: None, as_of: None }
    }

    pub(super) fn failed(mut account: Account, errors: impl IntoIterator<Item = String>) -> Self {
        errors.into_iter().for_each(|error| account.fail(None, None, error));
        Self { status: Status::Failed, ..Self::new(account) }
    }

    pub(super) fn blocked(account: Account, by: Blocked) -> Self {
        Self { status: Status::Blocked, blocked: Some(by), ..Self::new(account) }
    }

    /// The hold that it waits for, where an approval is all that it needs.
    pub(super) fn held(&self) -> Option<&Held> {
        self.blocked.as_ref().and_then(Blocked::held)
    }

    pub(super) fn cancelled(account: Account) -> Self {
        Self { status: Status::Cancelled, ..Self::new(account) }
    }

    /// Gives the policy back; that this failed is told with the rest.
    pub(super) async fn release(mut self, ledger: &Ledger, lease: Lease) -> Self {
        if let Err(error) = ledger.release(lease).await {
            self.account.fail(None, None, chain(&error));
        }
        self
    }
}

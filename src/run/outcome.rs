//! How a policy of a run ended.

use jiff::Timestamp;

use super::account::Account;
use crate::ledger::{GuardReading, Held, Lease, Ledger, Status};
use crate::telemetry::chain;

/// How a policy of a run ended, with what it read on the way.
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) account: Account,
    pub(super) guards: Vec<GuardReading>,
    pub(super) blocked_by: Option<String>,
    /// What it waits for, where an approval is all that it needs.
    pub(super) held: Option<Held>,
    /// A guard on how much may go has blocked it: an approval lifts that.
    pub(super) by_amount: bool,
    /// When the things were shown that an approval lets go, where it went by one.
    pub(super) as_of: Option<Timestamp>,
}

impl Outcome {
    pub(super) fn new(account: Account) -> Self {
        let status = if account.failure_count > 0 { Status::CompletedWithErrors } else { Status::Completed };
        Self { status, account, guards: Vec::new(), blocked_by: None, held: None, by_amount: false, as_of: None }
    }

    pub(super) fn failed(mut account: Account, errors: impl IntoIterator<Item = String>) -> Self {
        errors.into_iter().for_each(|error| account.fail(None, None, error));
        Self { status: Status::Failed, ..Self::new(account) }
    }

    pub(super) fn blocked(account: Account, by: String) -> Self {
        Self { status: Status::Blocked, blocked_by: Some(by), ..Self::new(account) }
    }

    pub(super) fn held(account: Account, held: Held) -> Self {
        Self { held: Some(held.clone()), ..Self::blocked(account, held.sentence()) }
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

//! Approvals: what an operator has looked at and agreed to, by whom; and what past runs took, to tell much from usual.

use diesel::prelude::*;
use jiff::Timestamp;

use super::holds::{policy_enforced, set_baseline};
use super::schema::{approvals, holds, policy_results, runs};
use super::words::{instant, number, read_instant, read_word, word};
use super::{AuditAction, AuditNote, Ledger, LedgerError, audit};
use crate::decide::growth::PastRun;
use crate::outcome::{Operator, RunId, RunMode, RunTrigger, Status, Tally};
use crate::policy::{Name, Wording};

/// Consent to the configuration of a policy, and to what it would have taken at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Approval {
    pub policy: Name,
    pub wording: Wording,
    /// Rows, or files, that were shown.
    pub amount: u64,
    /// Instant of the plan: things that became eligible later were not shown.
    pub shown_at: Timestamp,
    pub approved_at: Timestamp,
    pub approver: Operator,
}

/// Entry of the audit about an approval.
fn note_of(approval: &Approval) -> AuditNote {
    let Approval { policy, wording, amount, shown_at, approved_at, approver } = approval;
    AuditNote {
        at: *approved_at,
        by: Some(approver.clone()),
        action: AuditAction::Approve,
        subject: format!("policy {policy}"),
        detail: serde_json::json!({ "fingerprint": wording.fingerprint(), "amount": amount, "shown_at": shown_at }),
    }
}

impl Ledger {
    /// Records an approval, in place of one that was not used, and takes the policy off hold.
    pub async fn approve(&self, approval: &Approval) -> Result<(), LedgerError> {
        let approval = approval.clone();
        self.call("recording an approval", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let policy = approval.policy.as_str();
                let unused = approvals::table.filter(approvals::policy.eq(policy).and(approvals::used_by.is_null()));
                diesel::update(unused).set(approvals::used_by.eq("replaced")).execute(connection)?;
                diesel::insert_into(approvals::table)
                    .values((
                        approvals::policy.eq(policy),
                        approvals::fingerprint.eq(approval.wording.fingerprint()),
                        approvals::wording.eq(serde_json::to_string(&approval.wording)?),
                        approvals::amount.eq(number(approval.amount)),
                        approvals::shown_at.eq(instant(approval.shown_at)),
                        approvals::approved_at.eq(instant(approval.approved_at)),
                        approvals::approver.eq(serde_json::to_string(&approval.approver)?),
                    ))
                    .execute(connection)?;
                diesel::delete(holds::table.find(policy)).execute(connection)?;
                audit::append(connection, &note_of(&approval))
            })
        })
        .await
    }

    /// Notes that a run has come to the end of a policy: what it ran by is the approved configuration, and an approval
    /// that it used covers nothing any more.
    pub async fn note_agreed(
        &self,
        policy: &Name,
        wording: &Wording,
        used: Option<(i64, RunId)>,
        (began_at, now): (Timestamp, Timestamp),
    ) -> Result<(), LedgerError> {
        let (policy, wording) = (policy.clone(), wording.clone());
        self.call("recording what was agreed to", move |connection, _| {
            connection.immediate_transaction(|connection| {
                set_baseline(connection, &policy, &wording, now)?;
                if let Some((id, run_id)) = used {
                    let used_by = approvals::used_by.eq(run_id.to_string());
                    diesel::update(approvals::table.find(id)).set(used_by).execute(connection)?;
                }
                // What a reload has held since is about another configuration than the run's.
                let older = holds::policy.eq(policy.as_str()).and(holds::since.le(instant(began_at)));
                diesel::delete(holds::table.filter(older)).execute(connection)?;
                Ok(())
            })
        })
        .await
    }

    /// Amounts that enforcing runs took for a policy that came to its end, newest first: those since an instant, and at least
    /// `fewest` where there are as many.
    pub async fn past_runs(&self, policy: &Name, since: Timestamp, fewest: usize) -> Result<Vec<PastRun>, LedgerError> {
        let policy = policy.to_string();
        self.call("reading what past runs took", move |connection, _| {
            let ended = [word(&Status::Completed)?, word(&Status::CompletedWithErrors)?];
            let found = policy_results::table
                .inner_join(runs::table.on(runs::run_id.eq(policy_results::run_id)))
                .filter(policy_results::policy.eq(&policy))
                .filter(policy_results::status.eq_any(&ended))
                .filter(runs::mode.eq(word(&RunMode::Enforce)?))
                .filter(policy_enforced())
                .order(policy_results::id.desc())
                .select((runs::started_at, runs::trigger, policy_results::tally));
            let mut past = Vec::new();
            for row in
                found.load_iter::<(String, String, String), diesel::connection::DefaultLoadingMode>(connection)?
            {
                let (started_at, trigger, tally) = row?;
                let started_at = read_instant(&started_at)?;
                if started_at < since && past.len() >= fewest {
                    break;
                }
                let scheduled = read_word::<RunTrigger>(&trigger)?.is_schedule();
                past.push(PastRun { started_at, amount: serde_json::from_str::<Tally>(&tally)?.taken(), scheduled });
            }
            Ok(past)
        })
        .await
    }
}

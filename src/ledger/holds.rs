//! Memory of what was agreed to: the approved configuration of each policy, and what waits until somebody has looked.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::SqliteConnection;
use jiff::Timestamp;

use super::schema::{baselines, facts, holds, policy_results, runs, stores};
use super::words::{instant, read_name, word};
use super::{Fault, Ledger, LedgerError};
use crate::outcome::{Held, RunMode, Status};
use crate::policy::{Name, Wording};

/// Fact that the ledger is from before it knew of approvals: policies that have run are agreed to.
const APPROVES_WHAT_RAN: &str = "approves_what_ran";
/// Fact that the ledger began beside stores that another one had adopted.
pub(super) const BEGAN_BESIDE: &str = "began_beside_adopted";

/// Approved configuration of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Empty where the ledger's words cannot be read.
    pub wording: Wording,
    pub fingerprint: String,
    pub since: Timestamp,
}

impl Ledger {
    /// Makes a configuration the approved one of a policy.
    pub async fn set_baseline(&self, policy: &Name, wording: &Wording, now: Timestamp) -> Result<(), LedgerError> {
        let (policy, wording) = (policy.clone(), wording.clone());
        self.call("recording an approved configuration", move |connection, _| {
            set_baseline(connection, &policy, &wording, now)
        })
        .await
    }

    /// Approves, once, the configurations of policies that ran to their end, enforcing, before the ledger knew of
    /// approvals. Returns how many these were.
    pub async fn approve_what_ran(&self, present: &[(Name, Wording)], now: Timestamp) -> Result<usize, LedgerError> {
        let present = present.to_vec();
        self.call("approving what has run before", move |connection, _| {
            connection.immediate_transaction(|connection| {
                if diesel::delete(facts::table.find(APPROVES_WHAT_RAN)).execute(connection)? == 0 {
                    return Ok(0);
                }
                let mut approved = 0;
                for (policy, wording) in &present {
                    let known = exists(baselines::table.find(policy.as_str()));
                    if !diesel::select(known).get_result::<bool>(connection)? && has_enforced(connection, policy)? {
                        set_baseline(connection, policy, wording, now)?;
                        approved += 1;
                    }
                }
                Ok(approved)
            })
        })
        .await
    }

    /// True if the ledger knows of no run, no adoption and no approval: it is new, or another one's place was taken.
    pub async fn remembers_nothing(&self) -> Result<bool, LedgerError> {
        self.call("looking whether the ledger is new", |connection, _| remembers_nothing(connection)).await
    }

    /// Notes that the ledger began beside stores that were adopted before it. Does nothing in one that remembers anything.
    pub async fn note_began_beside(&self, store: &Name) -> Result<(), LedgerError> {
        let store = store.to_string();
        self.call("noting that the ledger is new", move |connection, _| {
            connection.immediate_transaction(|connection| {
                if remembers_nothing(connection)? {
                    let fact = (facts::name.eq(BEGAN_BESIDE), facts::value.eq(&store));
                    diesel::insert_into(facts::table).values(fact).on_conflict_do_nothing().execute(connection)?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Forgets how the ledger began, once nothing waits for it.
    pub async fn forget_began_beside(&self) -> Result<(), LedgerError> {
        self.call("noting that nothing waits any more", |connection, _| {
            diesel::delete(facts::table.find(BEGAN_BESIDE)).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Puts a policy on hold, or keeps it there; since when it is, and whether that is new. What is held for the same
    /// reasons is held since it was first.
    pub async fn hold(&self, policy: &Name, held: &Held) -> Result<(Timestamp, bool), LedgerError> {
        let (policy, held) = (policy.to_string(), held.clone());
        self.call("recording that a policy is held", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let row: Option<String> =
                    holds::table.find(&policy).select(holds::hold).get_result(connection).optional()?;
                let known: Option<Held> = row.as_deref().and_then(read_hold);
                let same = known.filter(|known| known.kind == held.kind && known.is_about_same(&held));
                let since = same.as_ref().map_or(held.since, |known| known.since);
                let text = serde_json::to_string(&Held { since, ..held.clone() })?;
                let values = (holds::policy.eq(&policy), holds::since.eq(instant(since)), holds::hold.eq(text));
                diesel::replace_into(holds::table).values(values).execute(connection)?;
                Ok((since, same.is_none()))
            })
        })
        .await
    }

    /// Takes a policy off hold; whether it was on hold.
    pub async fn release_hold(&self, policy: &Name) -> Result<bool, LedgerError> {
        let policy = policy.to_string();
        self.call("recording that a policy is no longer held", move |connection, _| {
            Ok(diesel::delete(holds::table.find(&policy)).execute(connection)? > 0)
        })
        .await
    }

    /// Reason that a policy is held; none where it is not.
    pub async fn held_policy(&self, policy: &Name) -> Result<Option<Held>, LedgerError> {
        let policy = policy.to_string();
        self.call("reading what a policy is held for", move |connection, _| {
            let row: Option<String> =
                holds::table.find(&policy).select(holds::hold).get_result(connection).optional()?;
            Ok(row.as_deref().and_then(read_hold))
        })
        .await
    }

    /// Everything that is on hold, by policy.
    pub async fn held_policies(&self) -> Result<Vec<(Name, Held)>, LedgerError> {
        self.call("reading what is held", move |connection, _| held(connection)).await
    }
}

/// Everything that is on hold, by policy.
pub(super) fn held(connection: &mut SqliteConnection) -> Result<Vec<(Name, Held)>, Fault> {
    let rows: Vec<(String, String)> =
        holds::table.order(holds::policy).select((holds::policy, holds::hold)).load(connection)?;
    let readable = rows.iter().filter_map(|(policy, hold)| Some((policy, read_hold(hold)?)));
    readable.map(|(policy, held)| Ok((read_name(policy)?, held))).collect()
}

fn remembers_nothing(connection: &mut SqliteConnection) -> Result<bool, Fault> {
    let runs: i64 = runs::table.count().get_result(connection)?;
    let stores: i64 = stores::table.count().get_result(connection)?;
    let baselines: i64 = baselines::table.count().get_result(connection)?;
    Ok(runs + stores + baselines == 0)
}

/// A hold as it was noted; none where that cannot be read: each run finds out for itself what is held, and notes it anew.
fn read_hold(text: &str) -> Option<Held> {
    serde_json::from_str(text).ok()
}

pub(super) fn set_baseline(
    connection: &mut SqliteConnection,
    policy: &Name,
    wording: &Wording,
    now: Timestamp,
) -> Result<(), Fault> {
    let values = (
        baselines::policy.eq(policy.as_str()),
        baselines::wording.eq(serde_json::to_string(wording)?),
        baselines::fingerprint.eq(wording.fingerprint()),
        baselines::since.eq(instant(now)),
    );
    diesel::replace_into(baselines::table).values(values).execute(connection)?;
    Ok(())
}

/// Condition on a recorded result: the policy itself did not only report.
pub(super) fn policy_enforced() -> diesel::expression::SqlLiteral<Bool> {
    diesel::dsl::sql("json_extract(policy_results.account, '$.mode') = 'enforce'")
}

/// True if a run that enforces came to the end of the policy.
fn has_enforced(connection: &mut SqliteConnection, policy: &Name) -> Result<bool, Fault> {
    let ended = [word(&Status::Completed)?, word(&Status::CompletedWithErrors)?];
    let found = policy_results::table
        .inner_join(runs::table.on(runs::run_id.eq(policy_results::run_id)))
        .filter(policy_results::policy.eq(policy.as_str()))
        .filter(policy_results::status.eq_any(&ended))
        .filter(runs::mode.eq(word(&RunMode::Enforce)?))
        .filter(policy_enforced());
    Ok(diesel::select(exists(found)).get_result(connection)?)
}

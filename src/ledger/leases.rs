//! The right to run a policy: a lock file that the kernel frees when its holder dies, and a token that rises with each
//! lease, by which a holder that lost its lock file finds that it has lost its right.

use diesel::prelude::*;
use jiff::Timestamp;

use super::schema::leases;
use super::words::{instant, read_instant, read_run_id};
use super::{Fault, Lease, LeaseOutcome, Ledger, LedgerError, results};
use crate::outcome::RunId;
use crate::policy::Name;

/// A lease, as columns.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = leases, treat_none_as_null = true)]
struct LeaseRow {
    policy: String,
    token: i64,
    run_id: Option<String>,
    pid: i64,
    since: String,
}

impl Ledger {
    /// Takes the lease of a policy for a run, if nobody alive holds it, this process included. The policy counts as
    /// begun in that run.
    pub async fn acquire_lease(&self, policy: &Name, run: RunId, now: Timestamp) -> Result<LeaseOutcome, LedgerError> {
        let policy = policy.clone();
        self.call("taking the lease of a policy", move |connection, ledger| {
            // The lock is taken inside the transaction, so that a lock that is held always has its row written.
            connection.immediate_transaction(|connection| {
                let row: Option<LeaseRow> = leases::table
                    .find(policy.as_str())
                    .select(LeaseRow::as_select())
                    .get_result(connection)
                    .optional()?;
                let Some(lock) = ledger.locks.try_lock(&lock_file(&policy))? else {
                    return held(row);
                };
                let token = row.map_or(1, |row| row.token + 1);
                let row = LeaseRow {
                    policy: policy.to_string(),
                    token,
                    run_id: Some(run.to_string()),
                    pid: i64::from(std::process::id()),
                    since: instant(now),
                };
                diesel::insert_into(leases::table)
                    .values(&row)
                    .on_conflict(leases::policy)
                    .do_update()
                    .set(&row)
                    .execute(connection)?;
                results::begin(connection, &run.to_string(), policy.as_str())?;
                Ok(LeaseOutcome::Granted(Lease { policy: policy.clone(), token, _lock: lock }))
            })
        })
        .await
    }

    /// The run that has the lease of a policy now, in whatever process; none where nobody has it.
    pub async fn holder(&self, policy: &Name) -> Result<Option<RunId>, LedgerError> {
        let policy = policy.clone();
        self.call("looking up the lease of a policy", move |connection, ledger| {
            connection.immediate_transaction(|connection| {
                if ledger.locks.try_lock(&lock_file(&policy))?.is_some() {
                    return Ok(None);
                }
                let row: Option<LeaseRow> = leases::table
                    .find(policy.as_str())
                    .select(LeaseRow::as_select())
                    .get_result(connection)
                    .optional()?;
                match held(row)? {
                    LeaseOutcome::Held { run_id, .. } => Ok(Some(run_id)),
                    LeaseOutcome::Granted(_) => Ok(None),
                }
            })
        })
        .await
    }

    /// True if the lease is still ours: nobody has taken a later one.
    pub async fn holds(&self, lease: &Lease) -> Result<bool, LedgerError> {
        let (policy, token) = (lease.policy.to_string(), lease.token);
        self.call("checking the lease of a policy", move |connection, _| {
            let ours = leases::table.find(&policy).filter(leases::token.eq(token).and(leases::run_id.is_not_null()));
            Ok(diesel::select(diesel::dsl::exists(ours)).get_result(connection)?)
        })
        .await
    }

    /// Gives the lease back.
    pub async fn release(&self, lease: Lease) -> Result<(), LedgerError> {
        let (policy, token) = (lease.policy.clone(), lease.token);
        let mut lease = Some(lease);
        self.call("giving back the lease of a policy", move |connection, _| {
            connection.immediate_transaction(|connection| {
                diesel::update(leases::table.find(policy.as_str()).filter(leases::token.eq(token)))
                    .set(leases::run_id.eq(None::<String>))
                    .execute(connection)?;
                // Here, not after the transaction: a held lock always has a holder in its row.
                drop(lease.take());
                Ok(())
            })
        })
        .await
    }
}

fn lock_file(policy: &Name) -> String {
    format!("policy-{policy}.lock")
}

fn held(row: Option<LeaseRow>) -> Result<LeaseOutcome, Fault> {
    let row = row.ok_or("the lock file of the policy is held, and nobody has written down who holds it")?;
    let run_id = row.run_id.ok_or("the lock file of the policy is held by a process that is not retaind")?;
    Ok(LeaseOutcome::Held {
        run_id: read_run_id(&run_id)?,
        pid: u32::try_from(row.pid).unwrap_or(0),
        since: read_instant(&row.since)?,
    })
}

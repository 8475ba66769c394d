//! Agreements about all policies at once: their approved configurations, and approvals that no run has used.

use std::collections::BTreeMap;

use diesel::connection::DefaultLoadingMode;
use diesel::prelude::*;

use super::holds::{BEGAN_BESIDE, Baseline};
use super::schema::{approvals, baselines, facts};
use super::words::{read_instant, read_number};
use super::{Ledger, LedgerError};
use crate::decide::guards::Unused;
use crate::policy::Name;

/// The ledger's memory of what was agreed to, as of one instant.
#[derive(Debug, Clone, Default)]
pub struct Agreed {
    baselines: BTreeMap<String, Baseline>,
    /// By policy and fingerprint.
    approvals: BTreeMap<(String, String), Unused>,
    /// A store that was adopted before the ledger began, where it began beside one.
    pub began_beside: Option<String>,
}

impl Agreed {
    /// The approved configuration of a policy; none where it has neither run nor been approved.
    pub fn baseline(&self, policy: &Name) -> Option<&Baseline> {
        self.baselines.get(policy.as_str())
    }

    /// The approval of a configuration of a policy that no run has used.
    pub fn approval(&self, policy: &Name, fingerprint: &str) -> Option<Unused> {
        self.approvals.get(&(policy.to_string(), fingerprint.to_owned())).copied()
    }
}

impl Ledger {
    /// Reads what was agreed to.
    pub async fn agreed(&self) -> Result<Agreed, LedgerError> {
        self.call("reading what was agreed to", |connection, _| {
            connection.transaction(|connection| {
                let mut agreed = Agreed {
                    began_beside: facts::table
                        .find(BEGAN_BESIDE)
                        .select(facts::value)
                        .get_result(connection)
                        .optional()?,
                    ..Agreed::default()
                };
                let columns = (baselines::policy, baselines::wording, baselines::fingerprint, baselines::since);
                let rows: Vec<(String, String, String, String)> = baselines::table.select(columns).load(connection)?;
                for (policy, wording, fingerprint, since) in rows {
                    // One without words has no policy to compare with, and is held for that.
                    let wording = serde_json::from_str(&wording).unwrap_or_default();
                    let baseline = Baseline { wording, fingerprint, since: read_instant(&since)? };
                    agreed.baselines.insert(policy, baseline);
                }
                let unused = approvals::table.filter(approvals::used_by.is_null()).order(approvals::id);
                let configuration = (approvals::policy, approvals::fingerprint);
                let approval = (approvals::id, approvals::amount, approvals::shown_at);
                for row in unused.select((configuration, approval)).load_iter::<_, DefaultLoadingMode>(connection)? {
                    let (configuration, (id, amount, shown_at)): (_, (i64, i64, String)) = row?;
                    let shown_at = read_instant(&shown_at)?;
                    agreed.approvals.insert(configuration, Unused { id, amount: read_number(amount), shown_at });
                }
                Ok(agreed)
            })
        })
        .await
    }
}

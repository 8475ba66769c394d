//! Results of policies: sums that grow batch by batch, and the rest of the account once the policy has ended.

use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use diesel::sqlite::SqliteConnection;
use serde_json::Value;

use super::schema::{policy_results, runs};
use super::words::{number, read_name, read_number, word};
use super::{Fault, Ledger, LedgerError, totals};
use crate::outcome::{EmptiedTrash, HookFailure, PolicyResult, Reported, RunId, SHOWN_AT_MOST, Tally, Totals};
use crate::policy::Name;

diesel::define_sql_function! {
    /// A value in a document.
    fn json_extract(document: Nullable<Text>, path: Text) -> Nullable<Text>;
}

/// Fields of a result that are columns, beside its sums.
const COLUMNS: [&str; 3] = ["policy", "status", "error_count"];

/// A recorded result, as columns.
#[derive(Queryable, Selectable)]
#[diesel(table_name = policy_results)]
pub(super) struct ResultRow {
    policy: String,
    status: Option<String>,
    error_count: i64,
    account: Option<String>,
    tally: String,
}

impl Ledger {
    /// Adds what a batch without intents did to the sums of a policy in a run, finished or not.
    pub async fn add_tally(&self, run: RunId, policy: &Name, tally: &Tally) -> Result<(), LedgerError> {
        let (policy, tally) = (policy.clone(), tally.clone());
        self.call("adding up a batch", move |connection, _| {
            connection.immediate_transaction(|connection| {
                if add(connection, &run.to_string(), policy.as_str(), &tally)? {
                    Ok(())
                } else {
                    Err(LedgerError::UnknownRun { run_id: run }.into())
                }
            })
        })
        .await
    }

    /// Records a policy's result; sums in it replace the added-up ones. Errors and details beyond
    /// [`SHOWN_AT_MOST`] are left out, their count is not.
    pub async fn record_policy(&self, run: RunId, result: &PolicyResult) -> Result<(), LedgerError> {
        let result = result.clone();
        self.call("recording the result of a policy", move |connection, _| {
            connection.immediate_transaction(|connection| {
                let run_id = run.to_string();
                if !is_known(connection, &run_id)? {
                    return Err(LedgerError::UnknownRun { run_id: run }.into());
                }
                record(connection, &run_id, &result)?;
                refresh_totals(connection, &run_id)
            })
        })
        .await
    }

    /// The newest recorded result of a policy, for a reload that widens it.
    pub async fn last_result(&self, policy: &Name) -> Result<Option<PolicyResult>, LedgerError> {
        let policy = policy.to_string();
        self.call("reading the last result of a policy", move |connection, _| {
            let row: Option<ResultRow> = policy_results::table
                .filter(policy_results::policy.eq(&policy).and(policy_results::account.is_not_null()))
                .order(policy_results::id.desc())
                .select(ResultRow::as_select())
                .first(connection)
                .optional()?;
            row.map_or(Ok(None), ResultRow::read)
        })
        .await
    }
}

pub(super) fn is_known(connection: &mut SqliteConnection, run_id: &str) -> QueryResult<bool> {
    diesel::select(diesel::dsl::exists(runs::table.find(run_id))).get_result(connection)
}

/// Notes that a policy begins in a run; does nothing for a run that the ledger does not know.
pub(super) fn begin(connection: &mut SqliteConnection, run_id: &str, policy: &str) -> Result<(), Fault> {
    if is_known(connection, run_id)? {
        diesel::insert_into(policy_results::table)
            .values((policy_results::run_id.eq(run_id), policy_results::policy.eq(policy)))
            .on_conflict_do_nothing()
            .execute(connection)?;
    }
    Ok(())
}

/// Adds to the sums of a policy in a run; false where the ledger does not know the run.
pub(super) fn add(connection: &mut SqliteConnection, run_id: &str, policy: &str, tally: &Tally) -> Result<bool, Fault> {
    if !is_known(connection, run_id)? {
        return Ok(false);
    }
    begin(connection, run_id, policy)?;
    let place =
        policy_results::table.filter(policy_results::run_id.eq(run_id)).filter(policy_results::policy.eq(policy));
    let known: String = place.select(policy_results::tally).get_result(connection)?;
    let mut sum: Tally = serde_json::from_str(&known)?;
    sum.add(tally);
    diesel::update(place).set(policy_results::tally.eq(serde_json::to_string(&sum)?)).execute(connection)?;
    refresh_totals(connection, run_id)?;
    Ok(true)
}

/// Writes a whole result; the run's totals are left to [`refresh_totals`].
pub(super) fn record(connection: &mut SqliteConnection, run_id: &str, result: &PolicyResult) -> Result<(), Fault> {
    begin(connection, run_id, result.policy.as_str())?;
    let place = policy_results::table
        .filter(policy_results::run_id.eq(run_id))
        .filter(policy_results::policy.eq(result.policy.as_str()));
    let columns = (
        policy_results::status.eq(word(&result.status)?),
        policy_results::error_count.eq(number(result.error_count)),
        policy_results::account.eq(account_of(result)?),
        policy_results::tally.eq(serde_json::to_string(&result.tally)?),
    );
    diesel::update(place).set(columns).execute(connection)?;
    totals::remember_look(connection, result)
}

/// The policies of a run that have begun and have no result yet, with their sums.
pub(super) fn unrecorded(connection: &mut SqliteConnection, run_id: &str) -> Result<Vec<(Name, Tally)>, Fault> {
    let rows: Vec<(String, String)> = policy_results::table
        .filter(policy_results::run_id.eq(run_id).and(policy_results::account.is_null()))
        .order(policy_results::id)
        .select((policy_results::policy, policy_results::tally))
        .load(connection)?;
    rows.into_iter().map(|(policy, tally)| Ok((read_name(&policy)?, serde_json::from_str(&tally)?))).collect()
}

/// The kind that a policy was last recorded with.
pub(super) fn last_kind(connection: &mut SqliteConnection, policy: &Name) -> Result<Option<String>, Fault> {
    let account: Option<Option<String>> = policy_results::table
        .filter(policy_results::policy.eq(policy.as_str()).and(policy_results::account.is_not_null()))
        .order(policy_results::id.desc())
        .select(policy_results::account)
        .first(connection)
        .optional()?;
    match account.flatten() {
        Some(account) => Ok(serde_json::from_str::<Value>(&account)?["kind"].as_str().map(str::to_owned)),
        None => Ok(None),
    }
}

/// The recorded results of a run, in the order in which the policies began.
pub(super) fn of_run(connection: &mut SqliteConnection, run_id: &str) -> Result<Vec<PolicyResult>, Fault> {
    let rows: Vec<ResultRow> = policy_results::table
        .filter(policy_results::run_id.eq(run_id))
        .order(policy_results::id)
        .select(ResultRow::as_select())
        .load(connection)?;
    rows.into_iter().filter_map(|row| row.read().transpose()).collect()
}

/// Amounts of those policies of a run that only reported; none where no policy did.
pub(super) fn reported(connection: &mut SqliteConnection, run_id: &str) -> Result<Option<Reported>, Fault> {
    let tallies: Vec<String> = policy_results::table
        .filter(policy_results::run_id.eq(run_id).and(policy_results::account.is_not_null()))
        .filter(json_extract(policy_results::account, "$.mode").eq("report"))
        .select(policy_results::tally)
        .load(connection)?;
    let mut sum = None;
    for tally in tallies {
        sum.get_or_insert_with(Reported::default).add(&serde_json::from_str(&tally)?);
    }
    Ok(sum)
}

/// Sums up the policies of a run anew, unrecorded ones included, so that its totals are right whoever added last.
pub(super) fn refresh_totals(connection: &mut SqliteConnection, run_id: &str) -> Result<(), Fault> {
    let rows: Vec<(String, i64)> = policy_results::table
        .filter(policy_results::run_id.eq(run_id))
        .select((policy_results::tally, policy_results::error_count))
        .load(connection)?;
    let mut totals = Totals::default();
    for (tally, errors) in rows {
        totals.add(&serde_json::from_str(&tally)?, read_number(errors));
    }
    let (hook_errors, trash_emptied): (String, String) =
        runs::table.find(run_id).select((runs::hook_errors, runs::trash_emptied)).get_result(connection)?;
    totals.errors += serde_json::from_str::<Vec<HookFailure>>(&hook_errors)?.len() as u64;
    totals.add_emptied(&serde_json::from_str::<Vec<EmptiedTrash>>(&trash_emptied)?);
    diesel::update(runs::table.find(run_id))
        .set(runs::totals.eq(serde_json::to_string(&totals)?))
        .execute(connection)?;
    Ok(())
}

/// Everything of a result that has no column of its own, as JSON. Errors and details are cut to [`SHOWN_AT_MOST`].
fn account_of(result: &PolicyResult) -> Result<String, Fault> {
    let mut shown = result.clone();
    shown.details.truncate(SHOWN_AT_MOST);
    shown.errors.truncate(SHOWN_AT_MOST);
    let mut account = serde_json::to_value(&shown)?;
    let tally = serde_json::to_value(&result.tally)?;
    if let (Value::Object(account), Value::Object(tally)) = (&mut account, tally) {
        account.retain(|field, _| !COLUMNS.contains(&field.as_str()) && !tally.contains_key(field));
        // Versions that read results before 0.2 want them, empty or not.
        for list in ["sample", "notes"] {
            account.entry(list).or_insert_with(|| Vec::<Value>::new().into());
        }
    }
    Ok(account.to_string())
}

impl ResultRow {
    /// `None` for a policy that has begun and has no result yet.
    fn read(self) -> Result<Option<PolicyResult>, Fault> {
        let (Some(status), Some(account)) = (self.status, self.account) else {
            return Ok(None);
        };
        let mut result: serde_json::Map<String, Value> = serde_json::from_str(&account)?;
        result.extend(serde_json::from_str::<serde_json::Map<String, Value>>(&self.tally)?);
        let columns: [Value; 3] = [self.policy.into(), status.into(), read_number(self.error_count).into()];
        result.extend(COLUMNS.into_iter().map(str::to_owned).zip(columns));
        Ok(Some(serde_json::from_value(result.into())?))
    }
}

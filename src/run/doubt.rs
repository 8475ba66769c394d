//! What a policy leaves alone because it cannot be judged, told in its result: dates that cannot be read, values that
//! nobody foresaw.

use super::account::Account;
use super::gather::Facts;
use super::sessions::Sessions;
use super::stop::Stop;
use crate::ledger::SHOWN_AT_MOST;
use crate::policy::{Keep, RowsPolicy};
use crate::sources::{SourceError, Unreadable};

/// A value is shown no longer than this.
const SHOWN_CHARS: usize = 60;

/// Tells what was left alone. Each row whose age cannot be read is an error of its own (G5).
pub(super) async fn tell(
    policy: &RowsPolicy,
    facts: &Facts,
    sessions: &mut Sessions,
    stop: &Stop,
    account: &mut Account,
) -> Result<(), SourceError> {
    let target = &facts.target;
    let session = sessions.get(&target.source).await?;
    let canceller = session.canceller();
    let (count, rows) = stop.watch(canceller, target.unreadable(session, facts.at, SHOWN_AT_MOST)).await?;
    let column = target.age_column().unwrap_or_default();
    let shown = rows.len() as u64;
    for Unreadable { key, value } in rows {
        let value: String = value.chars().take(SHOWN_CHARS).collect();
        account.fail(Some(key), None, format!("kept: its {column} {value:?} cannot be read as a date"));
    }
    account.failure_count += count.saturating_sub(shown);
    if let Some(Keep::ByValue(by)) = &policy.keep {
        let session = sessions.get(&target.source).await?;
        let canceller = session.canceller();
        let values = stop.watch(canceller, target.unlisted_values(session, facts.at)).await?;
        if !values.is_empty() {
            let fate = if by.default.is_some() { "rows with them take the default" } else { "rows with them are kept" };
            account.notes.push(format!(
                "values of {} that keep does not list: {}; {fate}",
                by.column,
                values.join(", ")
            ));
        }
    }
    Ok(())
}

//! The ledger's memory, for the question why something stays.

use jiff::Timestamp;

use crate::commands::status;
use crate::commands::task_times::Schedules;
use crate::outcome::Status;
use crate::policy::{Name, Settings};

/// The ledger's memory of tasks and policies.
#[derive(Default)]
pub(super) struct Remembered {
    pub(super) schedules: Schedules,
    /// Policies whose last run came to nothing, and why.
    pub(super) troubles: Vec<(Name, String)>,
}

pub(super) async fn remember(settings: &Settings, now: Timestamp) -> anyhow::Result<Remembered> {
    let Ok(Some(ledger)) = status::open(settings, now).await else { return Ok(Remembered::default()) };
    let mut troubles = Vec::new();
    for policy in &settings.policies {
        if let Some(last) = ledger.last_result(&policy.name).await?
            && matches!(last.status, Status::Blocked | Status::Failed)
        {
            let why = last.blocked_by.or_else(|| last.errors.into_iter().next().map(|failure| failure.error));
            let word = last.status.word();
            troubles.push((policy.name.clone(), format!("its last run was {word}: {}", why.unwrap_or_default())));
        }
    }
    Ok(Remembered { schedules: Schedules::new(ledger.task_states().await?), troubles })
}

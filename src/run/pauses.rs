//! Pauses as a run and a recovery read them: each policy asks anew, so that one that is set meanwhile counts.

use crate::decide::blocked::Blocked;
use crate::ledger::{FoundPause, Pauses};
use crate::outcome::Subject;
use crate::policy::{Name, Settings};

/// The pause of a policy, or else of a task that it is run for.
pub(super) fn paused(settings: &Settings, policy: &Name, task: Option<&Name>) -> Option<Blocked> {
    let pauses = Pauses::of(&settings.daemon.state_dir);
    let subjects = std::iter::once(Subject::Policy(policy.clone())).chain(task.cloned().map(Subject::Task));
    subjects.into_iter().find_map(|subject| match pauses.find(&subject) {
        Ok(found) => found.map(as_blocked),
        Err(error) => Some(Blocked::PauseUnknown { why: crate::text::chain(&error) }),
    })
}

fn as_blocked(FoundPause { subject, pause }: FoundPause) -> Blocked {
    match pause {
        Ok(pause) => Blocked::Paused { subject, pause },
        Err(why) => Blocked::PauseUnknown { why: format!("{subject}: {why}") },
    }
}

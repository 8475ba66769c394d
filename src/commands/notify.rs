//! Tries whether somebody who is notified can be reached.

use crate::clock::Clock;
use crate::notify::{Attempt, host_name, send};
use crate::outcome::{Notice, NoticeState, NoticeSubject, RunId};
use crate::policy::{Name, NoticeEvent, Settings};
use crate::report::TestedDestination;

/// Sends a message that says that it is a test; none where nobody has that name.
pub async fn test(settings: &Settings, name: &Name, clock: &Clock) -> Option<TestedDestination> {
    let to = settings.notify.iter().find(|destination| destination.name == *name)?;
    let now = clock.now();
    let notice = Notice {
        id: RunId::now_v7(),
        event: to.on.first().copied().unwrap_or(NoticeEvent::Blocked),
        state: NoticeState::Test,
        subject: NoticeSubject::daemon(),
        since: now,
        at: now,
        host: host_name(),
        title: format!("this is a test of notify.{name}"),
        message: "Nothing is the matter: somebody tries whether messages arrive\nretaind status".to_owned(),
        command: "retaind status".to_owned(),
        run_id: None,
        policies: Vec::new(),
    };
    let (delivered, answer) = match send(to, &notice, now).await {
        Attempt::Delivered(answer) => (true, answer),
        Attempt::Refused(why) | Attempt::Failed { why, .. } => (false, why),
    };
    Some(TestedDestination { destination: name.clone(), delivered, answer })
}

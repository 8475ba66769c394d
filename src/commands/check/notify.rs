//! Those who are notified: whether a message could go to each. Sends nothing.

use super::programs;
use super::service::Service;
use crate::policy::{NotifyWay, Settings};
use crate::report::Findings;

const SUBJECT: &str = "notify";

/// Says of each destination and monitor where it leads, and what it lacks.
pub(super) fn check(settings: &Settings, service: &Service, findings: &mut Findings) {
    for destination in &settings.notify {
        let (name, way) = (&destination.name, &destination.way);
        if let NotifyWay::Command(hook) = way {
            programs::check(&hook.program, "command", &format!("{SUBJECT} {name}"), findings);
        }
        if way.lacks_credential() {
            lacks(name.as_str(), service, findings);
        } else {
            let on: Vec<_> = destination.on.iter().map(|event| event.word()).collect();
            findings.ok(SUBJECT, format!("{name}: {way} hears of {}", on.join(", ")));
        }
    }
    for task in settings.tasks.iter().filter(|task| task.ping.as_ref().is_some_and(|ping| ping.lacks)) {
        lacks(&format!("the monitor of task {}", task.name), service, findings);
    }
}

fn lacks(who: &str, service: &Service, findings: &mut Findings) {
    let lacks = format!("{who}: a credential of it was not passed to this process");
    findings.warn(SUBJECT, lacks, service.how_to_pass_credentials());
}

//! Those who are notified: whether a message could go to each. Sends nothing.

use super::service::Service;
use crate::policy::Settings;
use crate::report::Findings;

const SUBJECT: &str = "notify";

/// Says of each destination where it leads, and what it lacks.
pub(super) fn check(settings: &Settings, service: &Service, findings: &mut Findings) {
    for destination in &settings.notify {
        let (name, way) = (&destination.name, &destination.way);
        if way.lacks_credential() {
            let lacks = format!("{name}: a credential of it was not passed to this process");
            findings.warn(SUBJECT, lacks, service.how_to_pass_credentials());
        } else {
            let on: Vec<_> = destination.on.iter().map(|event| event.word()).collect();
            findings.ok(SUBJECT, format!("{name}: {way} hears of {}", on.join(", ")));
        }
    }
}

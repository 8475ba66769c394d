//! The Redis that has the state of each run: whether it answers.

use super::service::Service;
use crate::notify::ping;
use crate::policy::Settings;
use crate::report::Findings;
use crate::text::chain;

const SUBJECT: &str = "redis";

/// Connects and logs in. Writes nothing.
pub(super) async fn check(settings: &Settings, service: &Service, findings: &mut Findings) {
    let Some(redis) = &settings.publish else { return };
    match ping(redis).await {
        Ok(()) => findings.ok(SUBJECT, format!("{} answers", redis.url())),
        Err(error) => {
            let fix = match (redis.lacks_password, redis.socket()) {
                (true, _) => service.how_to_pass_credentials(),
                (false, Some(socket)) => format!("ls -l {}: does it run, and may this user connect?", socket.display()),
                (false, None) => {
                    "see that it runs and can be reached from here, and that user and password are right".to_owned()
                }
            };
            findings.warn(SUBJECT, format!("{}: runs go on without it", chain(&error)), fix);
        }
    }
}

//! The programs that the operator has retaind start: whether they are there and this user may run them. Runs none.

use std::path::Path;

use rustix::fs::Access;

use crate::policy::{Hook, Settings};
use crate::report::Findings;

/// Looks at the hooks of every task that is switched on.
pub(super) fn hooks(settings: &Settings, findings: &mut Findings) {
    for task in settings.tasks.iter().filter(|task| task.enabled) {
        let subject = format!("task {}", task.name);
        for (key, hook) in [("before", &task.before), ("after", &task.after)] {
            if let Some(Hook { program, .. }) = hook {
                check(program, key, &subject, findings);
            }
        }
    }
}

/// Looks at one program; `key` is what the configuration calls its command.
pub(super) fn check(program: &Path, key: &str, subject: &str, findings: &mut Findings) {
    let shown = program.display();
    let (amiss, fix) = match std::fs::metadata(program) {
        Err(error) => (format!("the program of its \"{key}\" cannot be found: {shown}: {error}"), String::new()),
        Ok(metadata) if !metadata.is_file() => {
            (format!("the program of its \"{key}\" is not a file: {shown}"), String::new())
        }
        Ok(_) => match rustix::fs::access(program, Access::EXEC_OK) {
            Ok(()) => return,
            Err(_) => (
                format!("the program of its \"{key}\" may not be run by this user: {shown}"),
                format!("chmod a+rx {shown}"),
            ),
        },
    };
    findings.error(subject, amiss, fix);
}

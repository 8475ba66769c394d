//! The state directory and the ledger in it.

use std::path::Path;

use rustix::fs::Access;

use crate::ledger::{Ledger, Tokens};
use crate::policy::Settings;
use crate::report::Findings;
use crate::text::chain;
use crate::text::human::counted;

const SUBJECT: &str = "state directory";

/// Looks whether the ledger is there and can be used, or can be made. Makes none.
pub(super) async fn check(settings: &Settings, findings: &mut Findings) {
    let path = &settings.daemon.ledger_path;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let shown = directory.display();
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let fix = "systemd makes /var/lib/retaind at the first start; another directory has to be made by hand";
            findings.warn(SUBJECT, format!("{shown} is not there yet"), fix);
            return;
        }
        Err(error) => return findings.error(SUBJECT, format!("{shown}: {error}"), "run this as the service's user"),
        Ok(metadata) if !metadata.is_dir() => {
            return findings.error(SUBJECT, format!("{shown} is not a directory"), "set [daemon] state_dir");
        }
        Ok(_) => {}
    }
    if let Err(error) = rustix::fs::access(directory, Access::WRITE_OK | Access::EXEC_OK) {
        let fix = "run this as the service's user; the directory must belong to it, with mode 0700";
        return findings.error(SUBJECT, format!("{shown} is not writable: {error}"), fix);
    }
    check_tokens(settings, findings);
    match path.try_exists() {
        Ok(false) => findings.ok(SUBJECT, format!("{shown} is writable; there is no ledger yet")),
        Ok(true) => match Ledger::open(path).await {
            Ok(_) => findings.ok(SUBJECT, format!("{shown} is writable; the ledger opens")),
            Err(error) => findings.error(SUBJECT, chain(&error), ""),
        },
        Err(error) => findings.error(SUBJECT, format!("{}: {error}", path.display()), ""),
    }
}

/// Looks whether there is a token, where the daemon is to answer over TCP: without one it does not start.
fn check_tokens(settings: &Settings, findings: &mut Findings) {
    const SUBJECT: &str = "server";
    let Some(tcp) = &settings.serving.tcp else { return };
    let fix = "sudo -u retaind retaind token add NAME --role operator";
    match Tokens::of(&settings.daemon.state_dir).all() {
        Err(error) => findings.error(SUBJECT, chain(&error), ""),
        Ok(tokens) => {
            for (name, error) in tokens.iter().filter_map(|found| Some((&found.name, found.token.as_ref().err()?))) {
                findings.warn(SUBJECT, format!("token {name}: {error}"), format!("retaind token remove {name}"));
            }
            match tokens.iter().filter(|found| found.token.is_ok()).count() {
                0 => findings.error(
                    SUBJECT,
                    format!("{} is for whoever has a token, and there is none", tcp.listen),
                    fix,
                ),
                some => findings
                    .ok(SUBJECT, format!("{} is for whoever has one of {}", tcp.listen, counted(some as u64, "token"))),
            }
        }
    }
}

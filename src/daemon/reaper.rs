//! Processes that hooks left behind, where the daemon is the first process of a container: the kernel gives them to it when
//! their parents end, and nobody else waits for them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Pid, WaitOptions, waitpid};
use signal_hook::consts::SIGCHLD;
use signal_hook_tokio::Signals;

/// Time that the daemon's own children have to be waited for by whoever started them: what is dead for longer is nobody's.
const GRACE: Duration = Duration::from_secs(1);

/// Reaps such processes from now on, if this is the first process. Must be called within a runtime.
pub fn start() -> std::io::Result<()> {
    if std::process::id() == 1 {
        tokio::spawn(reap(Signals::new([SIGCHLD])?));
    }
    Ok(())
}

async fn reap(mut deaths: Signals) {
    let mut before = BTreeSet::new();
    loop {
        if before.is_empty() {
            deaths.next().await;
        }
        tokio::time::sleep(GRACE).await;
        let dead = dead_children();
        for pid in dead.intersection(&before) {
            // Somebody may have been faster after all.
            let _ = waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
        }
        before = dead.difference(&before).copied().collect();
    }
}

/// Processes that are dead and that this one should wait for.
fn dead_children() -> BTreeSet<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return BTreeSet::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| is_dead_child(*pid)).collect()
}

fn is_dead_child(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name before these may have any characters.
    let mut fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' ')).into_iter().flatten();
    fields.next() == Some("Z") && fields.next().and_then(|parent| parent.parse().ok()) == Some(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_child_is_found_until_reaped() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id().cast_signed();
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !dead_children().contains(&pid) {
            assert!(std::time::Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        }
        child.wait().unwrap();
        assert!(!dead_children().contains(&pid));
    }
}

//! Loading a configuration anew: which changes a running daemon can take, and what it says of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::policy::Settings;

/// Loads and compiles the configuration from where the daemon was told that it is.
pub type Loader = Arc<dyn Fn() -> Result<Settings, Refusal> + Send + Sync>;

/// A configuration that was refused, with everything that is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Each with its place; never empty.
    pub errors: Vec<String>,
}

impl Refusal {
    /// A refusal for a single reason.
    pub fn because(error: impl Into<String>) -> Self {
        Self { errors: vec![error.into()] }
    }

    /// The first of the errors.
    pub fn first(&self) -> &str {
        self.errors.first().map_or("no reason was given", String::as_str)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            0 | 1 => write!(f, "the configuration is refused: {}", self.first()),
            many => write!(f, "the configuration is refused, {many} errors: {}", self.errors.join("; ")),
        }
    }
}

impl std::error::Error for Refusal {}

/// Whether a running daemon can change from one configuration to the other.
pub fn check_reloadable(old: &Settings, new: &Settings) -> Result<(), Refusal> {
    let places = [
        ("[daemon] state_dir", &old.daemon.state_dir, &new.daemon.state_dir),
        ("[ledger] url", &old.daemon.ledger_path, &new.daemon.ledger_path),
    ];
    let moved = places.iter().filter(|(_, old, new)| old != new).map(|(key, old, new)| {
        let (old, new) = (old.display(), new.display());
        format!("{key} changed from {old} to {new}: that needs a restart, systemctl restart retaind")
    });
    match moved.collect::<Vec<_>>() {
        none if none.is_empty() => Ok(()),
        errors => Err(Refusal { errors }),
    }
}

/// What differs, in words; empty when nothing does.
pub fn describe_changes(old: &Settings, new: &Settings) -> String {
    let mut parts = Vec::new();
    if format!("{:?}", old.daemon) != format!("{:?}", new.daemon) {
        parts.push("changed [daemon]".to_owned());
    }
    parts.extend(describe("source", &facts(&old.sources, |it| &it.name), &facts(&new.sources, |it| &it.name)));
    parts.extend(describe("store", &facts(&old.stores, |it| &it.name), &facts(&new.stores, |it| &it.name)));
    parts.extend(describe("task", &facts(&old.tasks, |it| &it.name), &facts(&new.tasks, |it| &it.name)));
    parts.extend(describe("policy", &facts(&old.policies, |it| &it.name), &facts(&new.policies, |it| &it.name)));
    parts.join(", ")
}

type Facts = BTreeMap<String, String>;

/// Name and content of each thing. Passwords show as the same text always, so a new one is no change here.
fn facts<T: fmt::Debug>(things: &[Arc<T>], name: impl Fn(&T) -> &crate::policy::Name) -> Facts {
    things.iter().map(|thing| (name(thing).to_string(), format!("{thing:?}"))).collect()
}

fn describe<'a>(what: &'a str, old: &'a Facts, new: &'a Facts) -> impl Iterator<Item = String> + 'a {
    let removed = old.keys().filter(|name| !new.contains_key(*name)).map(move |name| format!("removed {what} {name}"));
    let others = new.iter().filter_map(move |(name, content)| match old.get(name) {
        None => Some(format!("added {what} {name}")),
        Some(before) if before != content => Some(format!("changed {what} {name}")),
        Some(_) => None,
    });
    removed.chain(others)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{Daemon, Mode, Name, Task, Trigger};

    fn settings(tasks: &[(&str, u64)], state_dir: &str) -> Settings {
        let task = |(name, secs): &(&str, u64)| Task {
            name: Name::parse(name).unwrap(),
            trigger: Trigger::Every(Duration::from_secs(*secs)),
            misfire_grace: Duration::from_secs(300),
            catch_up: true,
            timeout: None,
            enabled: true,
            before: None,
            after: None,
        };
        Settings {
            daemon: Daemon {
                mode: Mode::Enforce,
                state_dir: state_dir.into(),
                ledger_path: format!("{state_dir}/ledger.db").into(),
                timezone: jiff::tz::TimeZone::UTC,
                shutdown_grace: Duration::from_secs(20),
            },
            sources: Vec::new(),
            stores: Vec::new(),
            tasks: tasks.iter().map(task).map(Arc::new).collect(),
            policies: Vec::new(),
        }
    }

    #[test]
    fn changes_are_named() {
        let old = settings(&[("retention", 60), ("janitor", 60), ("log-purge", 60)], "/s");
        let new = settings(&[("retention", 60), ("log-purge", 90), ("orphan-scan", 60)], "/s");
        assert_eq!(
            describe_changes(&old, &new),
            "removed task janitor, changed task log-purge, added task orphan-scan"
        );
        assert_eq!(describe_changes(&old, &old), "");
    }

    #[test]
    fn the_ledger_does_not_move_under_a_running_daemon() {
        let (old, new) = (settings(&[], "/a"), settings(&[], "/b"));
        assert_eq!(check_reloadable(&old, &old), Ok(()));
        let refusal = check_reloadable(&old, &new).unwrap_err();
        assert_eq!(refusal.errors.len(), 2);
        assert!(refusal.first().contains("[daemon] state_dir changed from /a to /b"), "{refusal}");
    }
}

//! What a reload changes, in words, and which policies it lets delete more than before. Pure; shows no password.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Daemon, Endpoint, Keep, Mode, Name, OwnedFile, Policy, PolicyKind, RowsPolicy, Settings, Source, Store, Task,
    Trigger,
};

/// A property of a thing, as it is compared and shown.
struct Fact {
    key: &'static str,
    /// `None`: not set.
    value: Option<String>,
    is_secret: bool,
}

fn fact(key: &'static str, value: impl Display) -> Fact {
    Fact { key, value: Some(value.to_string()), is_secret: false }
}

fn optional(key: &'static str, value: Option<impl Display>) -> Fact {
    Fact { key, value: value.map(|value| value.to_string()), is_secret: false }
}

/// Something that a configuration declares by name.
trait Named {
    const WORD: &'static str;
    fn name(&self) -> &Name;
    fn facts(&self) -> Vec<Fact>;
}

impl Named for Source {
    const WORD: &'static str = "source";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, endpoint, lock_timeout, statement_timeout, connect_timeout, max_connections, timezone } =
            self;
        let mut facts = vec![
            fact("url", endpoint.identity()),
            fact("lock_timeout", Shown(*lock_timeout)),
            fact("statement_timeout", Shown(*statement_timeout)),
            fact("connect_timeout", Shown(*connect_timeout)),
            fact("max_connections", max_connections),
            fact("timezone", zone(timezone)),
        ];
        match endpoint {
            Endpoint::Postgres(server) | Endpoint::MySql(server) => {
                let password = server.password.as_ref().map(|password| password.expose().to_owned());
                facts.extend([
                    fact("user", &server.user),
                    Fact { key: "password", value: password, is_secret: true },
                    fact("sslmode", format!("{:?}", server.tls.mode)),
                    optional("sslrootcert", server.tls.root_cert.as_ref().map(|path| path.display())),
                    fact("returning", server.returning),
                ]);
            }
            Endpoint::Sqlite { path: _ } => {}
        }
        facts
    }
}

impl Named for Store {
    const WORD: &'static str = "store";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, root, strip_prefix, references } = self;
        let references = references.iter().map(|each| format!("{}.{}.{}", each.source, each.table, each.column));
        vec![
            fact("path", root.display()),
            optional("strip_prefix", strip_prefix.as_ref()),
            optional("references", joined(references)),
        ]
    }
}

impl Named for Task {
    const WORD: &'static str = "task";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, trigger, misfire_grace, catch_up, timeout, enabled, before: _, after: _ } = self;
        let (schedule, every) = match trigger {
            Trigger::Cron(text) => (Some(text), None),
            Trigger::Every(period) => (None, Some(Shown(*period))),
        };
        vec![
            optional("schedule", schedule),
            optional("every", every),
            fact("misfire_grace", Shown(*misfire_grace)),
            fact("catch_up", catch_up),
            optional("timeout", timeout.map(Shown)),
            fact("enabled", enabled),
        ]
    }
}

impl Named for Policy {
    const WORD: &'static str = "policy";
    fn name(&self) -> &Name {
        &self.name
    }
    fn facts(&self) -> Vec<Fact> {
        let Self { name: _, task, enabled, mode, kind } = self;
        let mut facts = vec![optional("task", task.as_ref()), fact("enabled", enabled), fact("mode", word(*mode))];
        match kind {
            PolicyKind::Rows(rows) => facts.extend(rows_facts(rows)),
        }
        facts
    }
}

fn rows_facts(rows: &RowsPolicy) -> Vec<Fact> {
    let RowsPolicy { source, table, age, keep, condition, files, batch, max_rows, max_fraction, .. } = rows;
    vec![
        fact("source", source),
        fact("table", table),
        optional("age", age.as_ref().map(|age| &age.column)),
        optional("keep", keep.as_ref().map(|keep| Shown(keep.shortest()))),
        optional("where", condition.as_ref()),
        optional("files", joined(files.iter().map(file_column))),
        fact("batch", batch),
        optional("max_rows", max_rows.as_ref()),
        optional("max_fraction", max_fraction.map(|share| share.get())),
    ]
}

fn daemon_facts(daemon: &Daemon) -> Vec<Fact> {
    let Daemon { mode, state_dir, ledger_path, timezone, shutdown_grace } = daemon;
    vec![
        fact("mode", word(*mode)),
        fact("state_dir", state_dir.display()),
        fact("ledger", ledger_path.display()),
        fact("timezone", zone(timezone)),
        fact("shutdown_grace", Shown(*shutdown_grace)),
    ]
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Report => "report",
    }
}

fn zone(zone: &jiff::tz::TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn file_column(file: &OwnedFile) -> String {
    format!("{}:{}", file.store, file.path)
}

/// A duration as the configuration writes it.
struct Shown(Duration);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        let mut separator = "";
        for (unit, secs) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= secs {
                write!(f, "{separator}{}{unit}", rest / secs)?;
                rest %= secs;
                separator = " ";
            }
        }
        Ok(())
    }
}

/// Everything that differs, in one line for the journal: `policy detections: keep 30d → 60d; + task x`.
pub fn changes(old: &Settings, new: &Settings) -> String {
    let mut lines = Vec::new();
    lines.extend(differences("daemon", &daemon_facts(&old.daemon), &daemon_facts(&new.daemon)));
    lines.extend(named_changes(&old.sources, &new.sources));
    lines.extend(named_changes(&old.stores, &new.stores));
    lines.extend(named_changes(&old.tasks, &new.tasks));
    lines.extend(named_changes(&old.policies, &new.policies));
    if is_reordered(&old.policies, &new.policies) {
        lines.push("policies run in another order".to_owned());
    }
    if lines.is_empty() { "nothing changed".to_owned() } else { lines.join("; ") }
}

fn find<'a, T: Named>(things: &'a [Arc<T>], name: &Name) -> Option<&'a Arc<T>> {
    things.iter().find(|thing| thing.name() == name)
}

fn named_changes<T: Named>(old: &[Arc<T>], new: &[Arc<T>]) -> Vec<String> {
    let gone = old.iter().filter(|thing| find(new, thing.name()).is_none());
    let mut lines: Vec<String> = gone.map(|thing| format!("- {} {}", T::WORD, thing.name())).collect();
    for thing in new {
        match find(old, thing.name()) {
            None => lines.push(format!("+ {} {}", T::WORD, thing.name())),
            Some(before) => {
                let subject = format!("{} {}", T::WORD, thing.name());
                lines.extend(differences(&subject, &before.facts(), &thing.facts()));
            }
        }
    }
    lines
}

fn differences(subject: &str, old: &[Fact], new: &[Fact]) -> Option<String> {
    let value_of = |facts: &[Fact], key: &str| facts.iter().find(|fact| fact.key == key)?.value.clone();
    let mut keys: Vec<(&str, bool)> = Vec::new();
    for fact in new.iter().chain(old) {
        if !keys.iter().any(|(key, _)| *key == fact.key) {
            keys.push((fact.key, fact.is_secret));
        }
    }
    let parts: Vec<String> = keys
        .into_iter()
        .filter_map(|(key, is_secret)| match (value_of(old, key), value_of(new, key)) {
            (before, after) if before == after => None,
            (Some(_), Some(_)) if is_secret => Some(format!("{key} changed")),
            (Some(before), Some(after)) => Some(format!("{key} {before} → {after}")),
            (Some(_), None) => Some(format!("{key} removed")),
            (None, Some(_)) if is_secret => Some(format!("{key} added")),
            (None, Some(after)) => Some(format!("{key} {after} added")),
            (None, None) => None,
        })
        .collect();
    (!parts.is_empty()).then(|| format!("{subject}: {}", parts.join(", ")))
}

fn is_reordered(old: &[Arc<Policy>], new: &[Arc<Policy>]) -> bool {
    let common = |of: &[Arc<Policy>], other: &[Arc<Policy>]| -> Vec<Name> {
        of.iter().filter(|policy| find(other, &policy.name).is_some()).map(|policy| policy.name.clone()).collect()
    };
    common(old, new) != common(new, old)
}

/// A policy that may delete more than before, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widening {
    pub policy: Name,
    /// In words: "keep 60d → 30d", "where changed", "max_rows removed".
    pub reasons: Vec<String>,
}

/// The policies that a reload lets delete more, or with fewer guards, than before. What only reports, or is switched
/// off, deletes nothing and is not listed. A changed `where` counts as wider: which of two is, nobody can tell.
pub fn widened(old: &Settings, new: &Settings) -> Vec<Widening> {
    let mut widenings = Vec::new();
    for policy in new.policies.iter().filter(|policy| deletes(new, policy)) {
        let reasons = match find(&old.policies, &policy.name) {
            None => vec!["the policy is new".to_owned()],
            Some(before) => widening_reasons((old, before), (new, policy)),
        };
        if !reasons.is_empty() {
            widenings.push(Widening { policy: policy.name.clone(), reasons });
        }
    }
    widenings
}

fn deletes(settings: &Settings, policy: &Policy) -> bool {
    policy.enabled && policy.mode == Mode::Enforce && settings.daemon.mode == Mode::Enforce
}

fn widening_reasons((old, before): (&Settings, &Policy), (new, after): (&Settings, &Policy)) -> Vec<String> {
    let mut reasons = Vec::new();
    if !before.enabled {
        reasons.push("it is switched on".to_owned());
    }
    if before.mode == Mode::Report || old.daemon.mode == Mode::Report {
        reasons.push("mode report → enforce".to_owned());
    }
    let scheduled = |settings: &Settings, policy: &Policy| {
        policy.task.as_ref().is_some_and(|task| settings.task(task).is_some_and(|task| task.enabled))
    };
    if scheduled(new, after) && !scheduled(old, before) {
        reasons.push("it now runs on schedule".to_owned());
    }
    match (&before.kind, &after.kind) {
        (PolicyKind::Rows(rows_before), PolicyKind::Rows(rows_after)) => {
            reasons.extend(wider_scope(rows_before, rows_after));
            reasons.extend(looser_guards(rows_before, rows_after));
            reasons.extend(wider_source(old, new, rows_after));
            reasons.extend(wider_files(old, new, rows_before, rows_after));
        }
    }
    reasons
}

fn wider_scope(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    if before.source != after.source {
        reasons.push(format!("source {} → {}", before.source, after.source));
    }
    if before.table != after.table {
        reasons.push(format!("table {} → {}", before.table, after.table));
    }
    match (&before.age, &after.age) {
        (Some(old), Some(new)) if old != new => reasons.push(format!("age {} → {}", old.column, new.column)),
        (Some(_), None) => reasons.push("age removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    match (before.keep.as_ref().map(Keep::shortest), after.keep.as_ref().map(Keep::shortest)) {
        (Some(old), Some(new)) if new < old => reasons.push(format!("keep {} → {}", Shown(old), Shown(new))),
        (Some(_), None) => reasons.push("keep removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    match (&before.condition, &after.condition) {
        (Some(old), Some(new)) if old != new => reasons.push("where changed".to_owned()),
        (Some(_), None) => reasons.push("where removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    reasons
}

fn looser_guards(before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let mut reasons = Vec::new();
    match (before.max_rows, after.max_rows) {
        (Some(old), Some(new)) if new > old => reasons.push(format!("max_rows {old} → {new}")),
        (Some(_), None) => reasons.push("max_rows removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    match (before.max_fraction.map(|share| share.get()), after.max_fraction.map(|share| share.get())) {
        (Some(old), Some(new)) if new > old => reasons.push(format!("max_fraction {old} → {new}")),
        (Some(_), None) => reasons.push("max_fraction removed".to_owned()),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    reasons
}

fn wider_source(old: &Settings, new: &Settings, rows: &RowsPolicy) -> Vec<String> {
    let (Some(before), Some(after)) = (old.source(&rows.source), new.source(&rows.source)) else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    if before.endpoint.identity() != after.endpoint.identity() {
        reasons.push(format!("source {} is another database", rows.source));
    }
    if zone(&before.timezone) != zone(&after.timezone) {
        reasons.push(format!("source {} has another timezone", rows.source));
    }
    reasons
}

fn wider_files(old: &Settings, new: &Settings, before: &RowsPolicy, after: &RowsPolicy) -> Vec<String> {
    let added = after.files.iter().filter(|file| !before.files.contains(file));
    let mut reasons: Vec<String> = added.map(|file| format!("files {} added", file_column(file))).collect();
    let mut stores: Vec<&Name> = after.files.iter().map(|file| &file.store).collect();
    stores.sort_unstable();
    stores.dedup();
    for name in stores {
        let (Some(before), Some(after)) = (old.store(name), new.store(name)) else { continue };
        if before.root != after.root {
            reasons.push(format!("store {name} is another directory"));
        }
        if before.strip_prefix != after.strip_prefix {
            reasons.push(format!("store {name} has another strip_prefix"));
        }
        if before.references.iter().any(|reference| !after.references.contains(reference)) {
            reasons.push(format!("store {name} has lost a reference"));
        }
    }
    reasons
}

//! Which policies a reload lets delete more than before: said aloud, because a slip in a configuration looks the same.

use std::time::Duration;

use crate::policy::{Condition, Keep, Mode, Name, Policy, PolicyKind, RowsPolicy, Settings};

/// A policy that may delete what it did not delete before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Widened {
    pub policy: Name,
    /// What changed, in words.
    pub why: String,
}

/// Compares what two configurations let go, in the order of the new one. Narrower is never listed; what cannot be
/// compared, such as another `where`, counts as wider.
pub fn widened(old: &Settings, new: &Settings) -> Vec<Widened> {
    let deletes = |settings: &Settings, policy: &Policy| {
        policy.enabled && policy.mode == Mode::Enforce && settings.daemon.mode == Mode::Enforce
    };
    let mut found = Vec::new();
    for policy in new.policies.iter().filter(|policy| deletes(new, policy)) {
        let before = old.policies.iter().find(|before| before.name == policy.name);
        let why = match before {
            None => vec!["it is new".to_owned()],
            Some(before) if !before.enabled => vec!["it was switched off".to_owned()],
            Some(before) if !deletes(old, before) => vec!["it only reported before".to_owned()],
            Some(before) => match (&before.kind, &policy.kind) {
                (PolicyKind::Rows(before), PolicyKind::Rows(after)) => {
                    let moved = place_of(old, before) != place_of(new, after);
                    compare_rows(before, after, moved)
                }
            },
        };
        if !why.is_empty() {
            found.push(Widened { policy: policy.name.clone(), why: why.join(", ") });
        }
    }
    found
}

fn place_of(settings: &Settings, rows: &RowsPolicy) -> Option<String> {
    settings.source(&rows.source).map(|source| source.endpoint.identity())
}

fn compare_rows(before: &RowsPolicy, after: &RowsPolicy, moved: bool) -> Vec<String> {
    let mut why = Vec::new();
    if moved || before.table != after.table {
        why.push(format!("it deletes from table {} of source {} now", after.table, after.source));
    }
    if before.age != after.age {
        why.push("its age column changed".to_owned());
    }
    match (before.keep.as_ref().map(Keep::shortest), after.keep.as_ref().map(Keep::shortest)) {
        (Some(long), Some(short)) if short < long => {
            why.push(format!("keep went from {} to {}", words_of(long), words_of(short)));
        }
        (Some(long), None) => why.push(format!("keep = \"{}\" is gone", words_of(long))),
        (Some(_) | None, Some(_)) | (None, None) => {}
    }
    let text = |condition: &Option<Condition>| condition.as_ref().map(ToString::to_string);
    match (text(&before.condition), text(&after.condition)) {
        (Some(_), None) => why.push("its where is gone".to_owned()),
        (Some(before), Some(after)) if before != after => why.push("its where changed".to_owned()),
        (Some(_), Some(_)) | (None, Some(_) | None) => {}
    }
    for file in after.files.iter().filter(|file| !before.files.contains(file)) {
        why.push(format!("the files of column {} in store {} go too", file.path, file.store));
    }
    why
}

/// The largest unit that leaves a whole number, as the configuration writes it.
fn words_of(duration: Duration) -> String {
    let secs = duration.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let fit = units.iter().find(|(size, _)| secs >= *size && secs.is_multiple_of(*size));
    fit.map_or_else(|| format!("{duration:?}"), |(size, unit)| format!("{}{unit}", secs / size))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::policy::{Action, AgeColumn, Daemon, Endpoint, FilePath, Ident, OwnedFile, Source, TableName};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn ident(text: &str) -> Ident {
        Ident::parse(text).unwrap()
    }

    fn settings(change: impl FnOnce(&mut Settings, &mut Policy, &mut RowsPolicy)) -> Settings {
        let second = Duration::from_secs(1);
        let mut settings = Settings {
            daemon: Daemon {
                mode: Mode::Enforce,
                state_dir: "/s".into(),
                ledger_path: "/s/ledger.db".into(),
                timezone: jiff::tz::TimeZone::UTC,
                shutdown_grace: second,
            },
            sources: vec![Arc::new(Source {
                name: name("nvr"),
                endpoint: Endpoint::Sqlite { path: "/nvr.db".into() },
                lock_timeout: second,
                statement_timeout: second,
                connect_timeout: second,
                max_connections: NonZeroU32::MIN,
                timezone: jiff::tz::TimeZone::UTC,
            })],
            stores: Vec::new(),
            tasks: Vec::new(),
            policies: Vec::new(),
        };
        let mut rows = RowsPolicy {
            source: name("nvr"),
            table: TableName::parse("detections").unwrap(),
            age: Some(age("detected_at")),
            keep: Some(Keep::For(30 * 86_400 * second)),
            condition: Some(Condition::parse("camera <> 'vault'").unwrap()),
            params: Vec::new(),
            protections: Vec::new(),
            alive: None,
            action: Action::Delete,
            files: Vec::new(),
            children: Vec::new(),
            details: Vec::new(),
            batch: NonZeroU32::MIN,
            max_rows: None,
            max_fraction: None,
        };
        let (source, mode) = (rows.source.clone(), Mode::Enforce);
        let placeholder = PolicyKind::Rows(RowsPolicy { source, ..rows.clone() });
        let mut policy = Policy { name: name("detections"), task: None, enabled: true, mode, kind: placeholder };
        change(&mut settings, &mut policy, &mut rows);
        policy.kind = PolicyKind::Rows(rows);
        settings.policies.push(Arc::new(policy));
        settings
    }

    fn age(column: &str) -> AgeColumn {
        AgeColumn { column: ident(column), format: None, expires: false }
    }

    fn why(old: &Settings, new: &Settings) -> Vec<String> {
        widened(old, new).into_iter().map(|widened| format!("{}: {}", widened.policy, widened.why)).collect()
    }

    #[test]
    fn d4_what_may_delete_more_is_named() {
        let old = settings(|_, _, _| {});
        type Change = fn(&mut Settings, &mut Policy, &mut RowsPolicy);
        let cases: [(Change, &str); 7] = [
            (|_, policy, _| policy.name = name("other"), "other: it is new"),
            (
                |_, _, rows| rows.keep = Some(Keep::For(Duration::from_secs(36 * 3600))),
                "detections: keep went from 30d to 36h",
            ),
            (|_, _, rows| rows.condition = None, "detections: its where is gone"),
            (
                |_, _, rows| rows.condition = Some(Condition::parse("camera <> 'x'").unwrap()),
                "detections: its where changed",
            ),
            (|_, _, rows| rows.age = Some(age("created_at")), "detections: its age column changed"),
            (
                |_, _, rows| {
                    rows.files = vec![OwnedFile {
                        store: name("images"),
                        path: FilePath::Column(ident("path")),
                        directory: false,
                    }]
                },
                "detections: the files of column path in store images go too",
            ),
            (
                |settings, _, _| {
                    let mut source = (*settings.sources[0]).clone();
                    source.endpoint = Endpoint::Sqlite { path: "/other.db".into() };
                    settings.sources[0] = Arc::new(source);
                },
                "detections: it deletes from table detections of source nvr now",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(why(&old, &settings(change)), [expected]);
        }
    }

    #[test]
    fn what_was_off_or_only_reported_counts_as_wider() {
        let new = settings(|_, _, _| {});
        let off = settings(|_, policy, _| policy.enabled = false);
        let report = settings(|_, policy, _| policy.mode = Mode::Report);
        let all_report = settings(|settings, _, _| settings.daemon.mode = Mode::Report);
        assert_eq!(why(&off, &new), ["detections: it was switched off"]);
        assert_eq!(why(&report, &new), ["detections: it only reported before"]);
        assert_eq!(why(&all_report, &new), ["detections: it only reported before"]);
    }

    #[test]
    fn what_deletes_less_or_nothing_is_not_named() {
        let old = settings(|_, _, rows| rows.condition = None);
        let narrower: [fn(&mut Settings, &mut Policy, &mut RowsPolicy); 4] = [
            |_, _, rows| rows.keep = Some(Keep::For(Duration::from_secs(60 * 86_400))),
            |_, policy, rows| (policy.enabled, rows.keep) = (false, Some(Keep::For(Duration::from_secs(1)))),
            |_, policy, rows| (policy.mode, rows.keep) = (Mode::Report, Some(Keep::For(Duration::from_secs(1)))),
            |settings, _, rows| {
                (settings.daemon.mode, rows.keep) = (Mode::Report, Some(Keep::For(Duration::from_secs(1))))
            },
        ];
        for change in narrower {
            assert_eq!(why(&old, &settings(change)), [""; 0]);
        }
    }
}

//! What a reload changes, in words, and which policies it lets delete more than before. Pure; shows no password.

mod facts;
mod trees;
mod widening;
mod words;

use std::sync::Arc;

use super::{Name, Policy, Settings};
use facts::{Fact, Named, daemon_facts};
pub use widening::{Widening, more_careful, widened};

/// Everything that differs, in one line for the journal: `policy detections: keep 30d → 60d; + task x`. Empty where
/// nothing does.
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
    lines.join("; ")
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

//! Differences between two configurations, in words, and the policies that a reload lets delete more than before. Pure;
//! shows no password.

mod fact;
mod facts;
mod trees;
mod widening;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::wording::NOT_TAKING;
use super::{Name, Policy, Settings};
use fact::Fact;
use facts::{Named, daemon_facts, publish_facts, serving_facts};
pub use widening::{Widening, Wider, more_careful, widened, wider_than};

/// Everything that differs, in one line for the journal: `policy detections: keep 30d → 60d; + task x`. Empty where
/// nothing does.
pub fn changes(old: &Settings, new: &Settings) -> String {
    changes_by_thing(old, new).join("; ")
}

/// Everything that differs, a line for each thing.
pub fn changes_by_thing(old: &Settings, new: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(differences("daemon", &daemon_facts(&old.daemon), &daemon_facts(&new.daemon)));
    lines.extend(differences("server", &serving_facts(&old.serving), &serving_facts(&new.serving)));
    let publish = |settings: &Settings| settings.publish.as_deref().map(publish_facts).unwrap_or_default();
    lines.extend(differences("publish.redis", &publish(old), &publish(new)));
    lines.extend(named_changes(&old.notify, &new.notify));
    lines.extend(named_changes(&old.sources, &new.sources));
    lines.extend(named_changes(&old.stores, &new.stores));
    lines.extend(named_changes(&old.tasks, &new.tasks));
    lines.extend(named_changes(&old.policies, &new.policies));
    if is_reordered(&old.policies, &new.policies) {
        lines.push("policies run in another order".to_owned());
    }
    lines
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

/// The properties of a policy that differ, each by its key, as two tables of words: those of the old configuration and those
/// of the new one. What may be secret is only said to differ.
pub fn changed_words(old: &Settings, new: &Settings, policy: &Name) -> [BTreeMap<String, String>; 2] {
    let facts = |settings: &Settings| find(&settings.policies, policy).map(|policy| policy.facts()).unwrap_or_default();
    let (before, after) = (facts(old), facts(new));
    let words = |of: &[Fact], other: &[Fact]| {
        let differs = |fact: &&Fact| value_of(other, fact.key) != fact.value && !NOT_TAKING.contains(&fact.key);
        let told = of.iter().filter(differs).filter_map(|fact| Some((fact, fact.value.as_ref()?)));
        let shown = told.map(|(fact, value)| match fact.is_secret {
            true => (fact.key.to_owned(), "…".to_owned()),
            false => (fact.key.to_owned(), value.clone()),
        });
        shown.collect()
    };
    [words(&before, &after), words(&after, &before)]
}

/// The properties of a policy, each by its key, in words. What may be secret is left out.
pub fn words_of(policy: &Policy) -> BTreeMap<String, String> {
    let shown = policy.facts().into_iter().filter(|fact| !fact.is_secret);
    shown.filter_map(|fact| Some((fact.key.to_owned(), fact.value?))).collect()
}

fn value_of(facts: &[Fact], key: &str) -> Option<String> {
    facts.iter().find(|fact| fact.key == key)?.value.clone()
}

fn differences(subject: &str, old: &[Fact], new: &[Fact]) -> Option<String> {
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

//! Candidates for completion: what the configuration in reach names, and the runs in its ledger. Nothing is printed, and
//! where nothing can be read there is none.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use crate::commands::{status, token};
use crate::config::keys::{self, KeyKind, SHIPPED_TASKS};
use crate::config::raw::Raw;
use crate::config::values::OrTable;
use crate::config::words::KindWord;
use crate::config::{self, Inputs, KeyPath};
use crate::outcome::Role;
use crate::policy::compile;
use crate::report::short_id;

/// Longest that a ledger is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Runs that are offered.
const RUNS: u32 = 100;

/// The inputs of the line that is completed, which stands behind a `--`.
fn inputs() -> Inputs {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let named = words.iter().enumerate().find_map(|(at, word)| match word.to_str()? {
        "-c" | "--config" => words.get(at + 1).map(PathBuf::from),
        word => word.strip_prefix("--config=").map(PathBuf::from),
    });
    Inputs::from_process(named.unwrap_or_else(Inputs::default_file), Vec::new())
}

fn configured() -> Raw {
    config::load(&inputs()).raw
}

fn candidate(word: impl Into<OsString>, help: String) -> CompletionCandidate {
    CompletionCandidate::new(word).help(Some(help.into()))
}

fn tasks(raw: &Raw) -> BTreeSet<String> {
    let shipped = SHIPPED_TASKS.iter().map(|(name, _)| (*name).to_owned());
    shipped.chain(raw.tasks.iter().map(|(name, _)| name.clone())).collect()
}

/// Policies and tasks.
pub fn policies_and_tasks() -> Vec<CompletionCandidate> {
    let raw = configured();
    let kind = |kind: Option<KindWord>| format!("policy of {}", kind.unwrap_or_default().word());
    let policies = raw.policies.iter().map(|(name, policy)| candidate(name, kind(policy.kind)));
    policies.chain(tasks(&raw).into_iter().map(|name| candidate(name, "task".to_owned()))).collect()
}

/// Policies.
pub fn policies() -> Vec<CompletionCandidate> {
    configured().policies.into_iter().map(|(name, _)| CompletionCandidate::new(name)).collect()
}

/// Tasks.
pub fn task_names() -> Vec<CompletionCandidate> {
    tasks(&configured()).into_iter().map(CompletionCandidate::new).collect()
}

/// Stores.
pub fn stores() -> Vec<CompletionCandidate> {
    let stores = configured().stores.into_iter();
    stores.map(|(name, store)| candidate(name, store.path.unwrap_or_default())).collect()
}

/// Those who are notified.
pub fn destinations() -> Vec<CompletionCandidate> {
    configured().notify.into_iter().map(|(name, _)| CompletionCandidate::new(name)).collect()
}

/// Tables that policies govern, and stores.
pub fn tables_and_stores() -> Vec<CompletionCandidate> {
    let policies = configured().policies.into_iter();
    let tables = policies.filter_map(|(_, policy)| Some(format!("{}.{}", policy.source?, policy.table?)));
    let tables = tables.collect::<BTreeSet<_>>().into_iter().map(|table| candidate(table, "table".to_owned()));
    tables.chain(stores()).collect()
}

/// Tokens.
pub fn tokens() -> Vec<CompletionCandidate> {
    let Ok(settings) = compile::load(&inputs()) else { return Vec::new() };
    let tokens = token::all(&settings).unwrap_or_default().into_iter();
    tokens.map(|entry| candidate(entry.name.as_str(), entry.role.map_or("", Role::word).to_owned())).collect()
}

/// Parameters that policies declare, each ready for its value.
pub fn parameters() -> Vec<CompletionCandidate> {
    let policies = configured().policies.into_iter();
    let params = policies.flat_map(|(policy, raw)| raw.params.into_iter().map(move |param| (policy.clone(), param)));
    let named = params.filter_map(|(policy, param)| match param {
        OrTable::Plain(name) => Some((policy, name.0)),
        OrTable::Table(table) => Some((policy, table.name?)),
    });
    named.map(|(policy, name)| candidate(format!("{name}="), format!("of {policy}"))).collect()
}

/// Keys of the configuration, each ready for its value; behind the `=`, the words that the key takes.
pub fn overrides(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    if let Some((key, _)) = current.split_once('=') {
        let words: &[&str] = match keys::find(&KeyPath::of(&key.split('.').collect::<Vec<_>>())) {
            Some(KeyKind::Word(words)) => words,
            Some(KeyKind::Flag) => &["true", "false"],
            _ => &[],
        };
        let values = words.iter().map(|word| format!("{key}={word}")).filter(|value| value.starts_with(current));
        return values.map(CompletionCandidate::new).collect();
    }
    let raw = configured();
    let takes_value = |kind: KeyKind| !matches!(kind, KeyKind::Table(_) | KeyKind::Named(_) | KeyKind::List(_));
    let mut found = Vec::new();
    for key in keys::all().into_iter().filter(|key| takes_value(key.kind) && !key.path.contains("[]")) {
        let Some((section, rest)) = key.path.split_once(".*.") else {
            found.push(candidate(format!("{}=", key.path), keys::without_links(&key.meaning)));
            continue;
        };
        // What the operator's own names in it would be is not known.
        if !rest.contains('*') {
            let names = names(&raw, section, key.of).into_iter();
            found.extend(
                names.map(|name| candidate(format!("{section}.{name}.{rest}="), keys::without_links(&key.meaning))),
            );
        }
    }
    found.retain(|candidate| candidate.get_value().to_str().is_some_and(|key| key.starts_with(current)));
    found
}

/// The names in a section; of policies, those that are of one of the kinds.
fn names(raw: &Raw, section: &str, of: &[&str]) -> Vec<String> {
    fn all<T>(named: &[(String, T)]) -> Vec<String> {
        named.iter().map(|(name, _)| name.clone()).collect()
    }
    match section {
        "sources" => all(&raw.sources),
        "stores" => all(&raw.stores),
        "tasks" => tasks(raw).into_iter().collect(),
        _ => {
            let is_of = |kind: KindWord| of.is_empty() || of.contains(&kind.word());
            let policies = raw.policies.iter().filter(|(_, policy)| is_of(policy.kind.unwrap_or_default()));
            policies.map(|(name, _)| name.clone()).collect()
        }
    }
}

/// Runs in the ledger, the newest first: by the ends of their ids as lists show them, or by ids that are begun.
pub fn runs(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let Ok(settings) = compile::load(&inputs()) else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let (clock, all) = Default::default();
    let runs = runtime
        .block_on(async { tokio::time::timeout(PATIENCE, status::runs(&settings, &clock, |_| all, RUNS)).await });
    runtime.shutdown_background();
    let Ok(Ok((runs, _))) = runs else { return Vec::new() };
    let ids = runs.iter().flat_map(|run| {
        let task = run.task.as_ref().map(|task| format!(", {task}")).unwrap_or_default();
        let ids = [short_id(&run.run_id), run.run_id.to_string()];
        let fitting = ids.into_iter().find(|id| id.starts_with(current));
        fitting.map(|id| candidate(id, format!("{}{task}", run.started_at)))
    });
    ids.collect()
}

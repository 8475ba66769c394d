//! Environment variables that begin with `RETAIND_` and override nothing: those that are known, and the refusal of others.

use std::ffi::OsStr;

use config::{Map, Value, ValueKind};

use super::diagnostic::{Diagnostic, Origin};
use super::hint::did_you_mean;
use super::keys;
use super::overlay;

/// Variables that retaind and its package read or hand to commands, and what each is for. Keys of the configuration are
/// overridden by others, with two underscores between the names.
pub const KNOWN: [(&str, &str); 11] = [
    ("RETAIND_CONFIG", "the main file, where `--config` does not name one"),
    ("RETAIND_HOOK", "given to hooks: `before` or `after`"),
    ("RETAIND_TASK", "given to hooks: the task"),
    ("RETAIND_RUN_ID", "given to hooks: the run's id"),
    ("RETAIND_POLICIES", "given to hooks: the policies, with commas between"),
    ("RETAIND_STATUS", "given to hooks after a run: its status"),
    ("RETAIND_EVENT", "given to commands of `[notify.NAME]`: `blocked`, `failed` …"),
    ("RETAIND_STATE", "given to commands of `[notify.NAME]`: `firing`, `resolved` or `test`"),
    ("RETAIND_SUBJECT", "given to commands of `[notify.NAME]`: what it is about, `task retention`"),
    ("RETAIND_TITLE", "given to commands of `[notify.NAME]`: a sentence of a few words"),
    ("RETAIND_PURGE_LEDGER", "read when the package is purged: `yes` removes the ledger, too"),
];

const PREFIX: &str = "RETAIND_";

/// Refuses the variables that begin with `RETAIND_` and have no meaning: whoever sets one expects something of it. One that
/// a url names as `${…}` has a meaning.
pub(super) fn check<'a>(
    names: impl Iterator<Item = &'a OsStr>,
    layers: &[&Map<String, Value>],
    tree: &toml::Value,
) -> Vec<Diagnostic> {
    let ours = names.filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes()));
    let mut unknown: Vec<String> = ours
        .filter(|name| !name.to_str().is_some_and(|name| is_known(name, layers)))
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    unknown.sort();
    unknown
        .into_iter()
        .map(|name| {
            let hint = hint(&name, tree);
            Diagnostic::new(Origin::Env(name), "", "there is no such variable").hint(hint)
        })
        .collect()
}

fn is_known(name: &str, layers: &[&Map<String, Value>]) -> bool {
    let placeholder = format!("${{{name}}}");
    overlay::steps_of_variable(name).is_some()
        || KNOWN.iter().any(|(known, _)| *known == name)
        || layers.iter().any(|layer| names_in_url(layer, &placeholder))
}

/// True if the text stands in a url.
fn names_in_url(table: &Map<String, Value>, text: &str) -> bool {
    table.iter().any(|(key, value)| match &value.kind {
        ValueKind::Table(inner) => names_in_url(inner, text),
        // An override has its whole path as the key.
        ValueKind::String(url) => key.rsplit('.').next() == Some("url") && url.contains(text),
        _ => false,
    })
}

fn hint(name: &str, tree: &toml::Value) -> String {
    if let Some(path) = meant(name, tree) {
        return format!("write RETAIND__{}, with two underscores between the names", path.join("__"));
    }
    // Compared without what they all begin with.
    let known = KNOWN.iter().filter_map(|(known, _)| known.strip_prefix(PREFIX));
    match did_you_mean(name.strip_prefix(PREFIX).unwrap_or(name), known) {
        Some(suggestion) => suggestion.replacen('`', &format!("`{PREFIX}"), 1),
        None => "a key is overridden as in RETAIND__DAEMON__MODE=report; unset what is not for retaind".to_owned(),
    }
}

/// The key that a variable with single underscores means, step by step in upper case; names that are in the
/// configuration before others.
fn meant(name: &str, tree: &toml::Value) -> Option<Vec<String>> {
    let rest = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let all = keys::all();
    let readings = all.iter().flat_map(|key| readings(&rest, &key.path.split('.').collect::<Vec<_>>(), Some(tree)));
    let (path, _) = readings.max_by_key(|(_, known)| *known)?;
    Some(path.iter().map(|step| step.to_ascii_uppercase()).collect())
}

/// Every way in which a text is the steps of a key's path, each with how many of its names are in the configuration.
fn readings(text: &str, path: &[&str], at: Option<&toml::Value>) -> Vec<(Vec<String>, usize)> {
    let Some((step, further)) = path.split_first() else {
        return if text.is_empty() { vec![(Vec::new(), 0)] } else { Vec::new() };
    };
    let ends = text.match_indices('_').map(|(at, _)| at).chain([text.len()]);
    let mut found = Vec::new();
    for end in ends.filter(|end| *end > 0 && (*step == "*" || text[..*end] == **step)) {
        let (name, rest) = (&text[..end], text[end..].trim_start_matches('_'));
        let inner = at.and_then(|value| entry(value, name));
        for (mut steps, known) in readings(rest, further, inner) {
            steps.insert(0, name.to_owned());
            found.push((steps, known + usize::from(*step == "*" && inner.is_some())));
        }
    }
    found
}

/// Value that a table holds under a name as variables write it.
fn entry<'a>(value: &'a toml::Value, name: &str) -> Option<&'a toml::Value> {
    value.as_table()?.iter().find(|(key, _)| overlay::normal(key) == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> toml::Value {
        toml::Value::Table("[policies]\ngpu-stats = {}\nkeep = {}".parse().unwrap())
    }

    #[test]
    fn the_hint_reads_single_underscores_by_existing_names() {
        for (name, hinted) in [
            ("RETAIND_DAEMON_MODE", "write RETAIND__DAEMON__MODE,"),
            ("RETAIND_daemon_shutdown_grace", "write RETAIND__DAEMON__SHUTDOWN_GRACE,"),
            ("RETAIND_POLICIES_GPU_STATS_MAX_ROWS", "write RETAIND__POLICIES__GPU_STATS__MAX_ROWS,"),
            (
                "RETAIND_POLICIES_KEEP_KEEP_VALUES_KEEP_DEFAULT",
                "write RETAIND__POLICIES__KEEP__KEEP__VALUES__KEEP_DEFAULT,",
            ),
            ("RETAIND_TASKS_NEW_ONE_ENABLED", "write RETAIND__TASKS__NEW_ONE__ENABLED,"),
            ("RETAIND_CONFG", "did you mean `RETAIND_CONFIG`?"),
            ("RETAIND_LOG", "a key is overridden as in RETAIND__DAEMON__MODE=report"),
            ("RETAIND_", "a key is overridden as in"),
        ] {
            assert!(hint(name, &tree()).starts_with(hinted), "{name}: {}", hint(name, &tree()));
        }
    }

    #[test]
    fn only_variables_in_urls_are_known() {
        let layer = |key: &str, text: &str| -> Map<String, Value> {
            [(key.to_owned(), Value::new(None, ValueKind::String(text.to_owned())))].into_iter().collect()
        };
        let url = layer("sources.nvr.url", "postgres://u:${RETAIND_PW}@h/d");
        assert!(is_known("RETAIND_PW", &[&layer("x", ""), &url]) && !is_known("RETAIND_P", &[&url]));
        assert!(!is_known("RETAIND_PW", &[&layer("policies.p.where", "a = '${RETAIND_PW}'")]));
    }

    #[test]
    fn names_that_are_not_text_are_refused_too() {
        use std::os::unix::ffi::OsStrExt;
        let names = [OsStr::from_bytes(b"RETAIND_\xff"), OsStr::new("RETAIND"), OsStr::new("RETAINDER_X")];
        let found = check(names.into_iter(), &[], &tree());
        assert_eq!(found.len(), 1, "{found:?}");
    }
}

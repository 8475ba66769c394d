//! Keys as they are declared: what each takes, means, and is if it is left out. Overrides, documentation, editors and
//! completion go by them.

use super::form::Form;
pub use super::kind::{Key, KeyKind, TableKeys};
use super::path::{KeyPath, KeySegment};
use super::raw::Raw;

/// Tasks that exist without being declared, with their schedules.
pub const SHIPPED_TASKS: [(&str, &str); 3] =
    [("retention", "0 3 * * *"), ("log-purge", "30 3 * * *"), ("orphan-scan", "0 4 * * 0")];

/// Kind of the key at a path; none where no key is there.
pub fn find(path: &KeyPath) -> Option<KeyKind> {
    path.segments().iter().try_fold(Raw::KIND, |kind, segment| match (segment, kind) {
        (KeySegment::Key(_), KeyKind::Named(inner)) | (KeySegment::Index(_), KeyKind::List(inner)) => Some(*inner),
        (KeySegment::Key(name), kind) => Some(kind.keys().iter().find(|key| key.name == name)?.kind),
        (KeySegment::Index(_), _) => None,
    })
}

/// A key with its whole path, in which `*` stands for a name and `[]` for an entry of a list.
pub struct KeyRow {
    pub path: String,
    pub kind: KeyKind,
    /// In Markdown.
    pub default: String,
    pub meaning: String,
    pub of: &'static [&'static str],
}

/// Every key there is, section by section; what is in entries of a list stands where such entries first occur.
pub fn all() -> Vec<KeyRow> {
    let mut all = Vec::new();
    Raw::KIND.keys().iter().for_each(|section| list(section.name, section, &mut all, &mut Vec::new()));
    all
}

fn list(path: &str, key: &'static Key, all: &mut Vec<KeyRow>, met: &mut Vec<&str>) {
    let (within, keys) = match key.kind {
        KeyKind::Table(keys) | KeyKind::OrTable(_, keys) => (path.to_owned(), Some(keys)),
        KeyKind::Named(KeyKind::Table(keys) | KeyKind::OrTable(_, keys)) => (format!("{path}.*"), Some(*keys)),
        KeyKind::List(KeyKind::Table(keys) | KeyKind::OrTable(_, keys)) => {
            (format!("{path}[]"), Some(*keys).filter(|keys| !met.contains(&keys.name)))
        }
        KeyKind::Named(_) => (format!("{path}.*"), None),
        _ => (String::new(), None),
    };
    if let (KeyKind::Named(kind), false) = (key.kind, key.each.is_empty()) {
        let (default, meaning) = (String::new(), key.each.to_owned());
        all.push(KeyRow { path: within.clone(), kind: *kind, default, meaning, of: key.of });
    }
    met.extend(keys.map(|keys| keys.name));
    for inner in keys.map(|keys| (keys.keys)()).unwrap_or_default() {
        let path = format!("{within}.{}", inner.name);
        let default = if inner.default.is_empty() { inner.shown.to_owned() } else { format!("`{}`", inner.default) };
        all.push(KeyRow { path: path.clone(), kind: inner.kind, default, meaning: inner.meaning(), of: inner.of });
        list(&path, inner, all, met);
    }
}

/// A text in Markdown with the words of its links alone.
pub fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        match link.split_once("](").and_then(|(words, target)| Some((words, target.split_once(')')?.1))) {
            Some((words, behind)) if !words.contains(['[', ']']) => {
                plain.push_str(words);
                rest = behind;
            }
            _ => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::form::FormReader;
    use super::*;

    fn word(path: &KeyPath) -> &'static str {
        find(path).unwrap().word()
    }

    #[test]
    fn finds_a_key_whatever_the_name_is() {
        assert_eq!(word(&KeyPath::of(&["policies", "daemon", "files"]).index(3).key("store")), "text");
        assert!(find(&KeyPath::of(&["policies", "x", "colour"])).is_none());
        assert_eq!(word(&KeyPath::of(&["policies", "set", "set", "keep", "sql"])), "text");
        assert_eq!(word(&KeyPath::of(&["policies", "x", "keep", "values", "default"])), "duration");
        assert_eq!(word(&KeyPath::of(&["ledger", "url"])), "text");
    }

    #[test]
    fn finds_keys_of_a_child_at_any_depth() {
        let child = KeyPath::of(&["policies", "x", "children"]).index(0).key("children").index(1);
        assert_eq!(word(&child.key("on_delete")), "text");
        assert_eq!(word(&child.key("children").index(0).key("files")), "list of tables");
        assert_eq!(word(&child.key("files").index(0).key("directory")), "true or false");
        assert!(find(&child.key("batch")).is_none());
    }

    #[test]
    fn links_leave_their_words() {
        for (text, plain) in [
            ("a [b c](#d), [e](f.md#g).", "a b c, e."),
            ("[NAME] stays, `references[]` too", "[NAME] stays, `references[]` too"),
        ] {
            assert_eq!(without_links(text), plain);
        }
    }

    #[test]
    fn defaults_are_what_their_keys_take() {
        let document: String = all()
            .into_iter()
            .map(|key| (key.path, key.kind, key.default.replace('`', "")))
            .filter(|(path, _, default)| !default.is_empty() && !path.contains('[') && !default.contains(' '))
            .map(|(path, kind, default)| match kind.plain() {
                KeyKind::Count(_) | KeyKind::Flag => format!("{path} = {default}\n"),
                _ => format!("{path} = {default:?}\n"),
            })
            .collect();
        let tree = toml::Value::Table(document.replace('*', "x").parse().unwrap());
        let mut reader = FormReader::default();
        let (raw, left_out) = (Raw::read(&tree, &mut reader).unwrap(), Raw::default());
        assert!(reader.misfits.is_empty(), "{document}");
        assert_eq!(raw.daemon.shutdown_grace.0, left_out.daemon.shutdown_grace.0);
        assert_eq!(left_out.daemon.shutdown_grace.0.as_secs(), 20);
        assert_eq!((raw.policies[0].1.batch.0.get(), raw.sources[0].1.max_connections.0.get()), (10_000, 4));
    }

    #[test]
    fn every_key_is_listed_once() {
        let listed: Vec<String> = all().into_iter().map(|key| key.path).collect();
        assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len());
        for path in [
            "daemon.mode",
            "sources.*.url",
            "stores.*.references[].match",
            "tasks.*.after.timeout",
            "policies.*.keep.values.*",
            "policies.*.set.*.sql",
            "policies.*.params[].type",
            "policies.*.children[].children",
        ] {
            assert!(listed.iter().any(|listed| listed == path), "{path} is not in {listed:#?}");
        }
    }
}

//! Holds the inside of the rooms to one direction: no file imports another that imports it in turn, by whatever way.
//!
//! A name that a room hands on (`pub use`) counts as one of the file that defines it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

type Module = Vec<String>;

/// The imports of the whole library, file by file.
#[derive(Default)]
struct House {
    modules: BTreeSet<Module>,
    /// What a module hands on: by the name under which it does, the path of the thing.
    handed_on: BTreeMap<Module, BTreeMap<String, Module>>,
    /// Paths from the root that a module names.
    named: BTreeMap<Module, BTreeSet<Module>>,
}

impl House {
    fn read() -> Self {
        let files = compiled_files().into_iter().map(|(file, module, _)| (file, module));
        let files: Vec<_> = files.filter(|(_, module)| module[0] != "main").collect();
        let mut house = Self { modules: files.iter().map(|(_, module)| module.clone()).collect(), ..Self::default() };
        for (file, module) in &files {
            house.walk(module, &mut Vec::new(), tokens(file));
        }
        house
    }

    /// `inner`: names of the modules inside the file that the tokens stand in.
    fn walk(&mut self, module: &Module, inner: &mut Vec<String>, stream: TokenStream) {
        let (tokens, _) = compiled(stream);
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Ident(word) if *word == "use" => {
                    let end =
                        tokens[at..].iter().position(|token| is_punct(token, ';')).map_or(tokens.len(), |end| at + end);
                    let is_handed_on = at > 0
                        && (is_ident(&tokens[at - 1], "pub")
                            || matches!(&tokens[at - 1], TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis));
                    let here = [module.as_slice(), inner].concat();
                    for path in use_paths(&tokens[at + 1..end], &[]) {
                        self.note(module, &here, &path, is_handed_on && inner.is_empty());
                    }
                    at = end;
                }
                // `pub(in crate::run)` names no import.
                TokenTree::Ident(word) if *word == "pub" => {
                    let is_restricted = tokens.get(at + 1).is_some_and(
                        |next| matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis),
                    );
                    at += usize::from(is_restricted && !tokens.get(at + 2).is_some_and(|next| is_ident(next, "use")));
                }
                TokenTree::Ident(_) if at < 2 || !is_colons(&tokens[at - 2..]) => {
                    let path = plain_path(&tokens[at..]);
                    if path.len() > 1 {
                        let here = [module.as_slice(), inner].concat();
                        self.note(module, &here, &path, false);
                    }
                }
                TokenTree::Group(group) => {
                    let name = match at.checked_sub(2).map(|before| &tokens[before..at]) {
                        Some([word, TokenTree::Ident(name)]) if is_ident(word, "mod") => Some(name.to_string()),
                        _ => None,
                    };
                    let opened = name.is_some();
                    inner.extend(name);
                    self.walk(module, inner, group.stream());
                    if opened {
                        inner.pop();
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Notes a path that is written in a module, if it is one of ours.
    fn note(&mut self, module: &Module, here: &[String], path: &[String], is_handed_on: bool) {
        let mut base = here.to_vec();
        let rest: &[String] = match path[0].as_str() {
            "crate" => {
                base.clear();
                &path[1..]
            }
            "self" => &path[1..],
            "super" => {
                let climbed = path.iter().take_while(|word| *word == "super").count();
                base.truncate(base.len().saturating_sub(climbed));
                &path[climbed..]
            }
            first if self.modules.contains(&[here, &[first.to_owned()]].concat()) => path,
            _ => return,
        };
        let absolute: Module = base.iter().chain(rest).filter(|word| *word != "self").cloned().collect();
        if is_handed_on && let Some(name) = absolute.last() {
            self.handed_on.entry(module.clone()).or_default().insert(name.clone(), absolute);
        } else {
            self.named.entry(module.clone()).or_default().insert(absolute);
        }
    }

    /// The file that defines what a path means.
    fn defines(&self, path: &[String]) -> Option<Module> {
        let length = (1..=path.len()).rev().find(|length| self.modules.contains(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        match rest.first().and_then(|name| self.handed_on.get(module)?.get(name)) {
            Some(further) if further.as_slice() != path => self.defines(&[further, &rest[1..]].concat()),
            _ => Some(module.to_vec()),
        }
    }

    fn imports(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let of = |(module, paths): (_, &BTreeSet<Module>)| {
            let defining = paths.iter().filter_map(|path| self.defines(path));
            (module, defining.filter(|other| other != module).collect())
        };
        self.named.iter().map(of).collect()
    }
}

/// The paths of a `use`, braces taken apart.
fn use_paths(tokens: &[TokenTree], prefix: &[String]) -> Vec<Module> {
    let mut path = prefix.to_vec();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if *word == "as" => break,
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Group(group) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let branches = inner.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty());
                return branches.flat_map(|branch| use_paths(branch, &path)).collect();
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    vec![path]
}

/// The words of a path that begins here, as far as it has no arguments.
fn plain_path(tokens: &[TokenTree]) -> Module {
    let mut path = Vec::new();
    let mut rest = tokens;
    while let [TokenTree::Ident(word), after @ ..] = rest {
        path.push(word.to_string());
        if !is_colons(after) {
            break;
        }
        rest = &after[2..];
    }
    path
}

/// A way from a module back to itself.
fn circle<'a>(
    imports: &'a BTreeMap<&Module, BTreeSet<Module>>,
    way: &mut Vec<&'a Module>,
    left: &mut BTreeSet<&'a Module>,
) -> Option<Vec<&'a Module>> {
    let last = *way.last()?;
    for next in imports.get(last).into_iter().flatten() {
        if let Some(begin) = way.iter().position(|module| *module == next) {
            return Some([&way[begin..], &[next]].concat());
        }
        if !left.contains(next) {
            way.push(next);
            if let Some(found) = circle(imports, way, left) {
                return Some(found);
            }
            way.pop();
        }
    }
    left.insert(last);
    None
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let house = House::read();
    let imports = house.imports();
    let mut left = BTreeSet::new();
    let mut found = Vec::new();
    for module in imports.keys() {
        if !left.contains(module)
            && let Some(way) = circle(&imports, &mut vec![module], &mut left)
        {
            let way: Vec<String> = way.iter().map(|module| module.join("::")).collect();
            found.push(way.join(" → "));
        }
    }
    assert!(found.is_empty(), "what they share wants a file of its own:\n{}", found.join("\n"));
}

/// The sub-rooms of three rooms, and files that stand beside them; each imports only itself and those before it. A part of
/// a sub-room that others need earlier stands before it.
const ORDER: [(&str, &[&str]); 3] = [
    ("sources", &["error", "sql::dialect", "statement", "session", "catalog", "sql", "age", "rows", "references"]),
    (
        "stores",
        &[
            "sys",
            "metadata",
            "dir_reader",
            "path",
            "root",
            "private_dir",
            "marker",
            "request",
            "walk",
            "remove",
            "trash",
            "probe",
        ],
    ),
    (
        "run",
        &[
            "brake",
            "meter",
            "progress",
            "request",
            "lister",
            "stop",
            "pauses",
            "sessions",
            "account",
            "outcome",
            "store_identity",
            "referenced_store",
            "fingerprints",
            "plan_state",
            "spellings",
            "owners",
            "clock_guard::asked",
            "runner",
            "holds::standing",
            "policy_run",
            "recovery",
            "programs",
            "rows",
            "files",
            "clock_guard",
            "holds",
            "policy",
            "execute",
            "trash",
        ],
    ),
];

#[test]
fn sub_rooms_import_one_way() {
    let house = House::read();
    let place = |module: &Module| {
        let [layer, room, rest @ ..] = module.as_slice() else { return None };
        let (at, (_, order)) = ORDER.iter().enumerate().find(|(_, (known, _))| known == layer)?;
        let inner = rest.first().map(|inner| format!("{room}::{inner}"));
        let known = order.iter().position(|known| Some(*known) == inner.as_deref());
        let known = known.or_else(|| order.iter().position(|known| known == room));
        Some((at, known.unwrap_or_else(|| panic!("{room} of {layer} is not listed"))))
    };
    let mut found = Vec::new();
    for (module, others) in house.imports() {
        let Some((layer, own)) = place(module) else { continue };
        let is_back = |other: &&Module| place(other).is_some_and(|(known, at)| known == layer && at > own);
        let back = others.iter().filter(is_back);
        found.extend(back.map(|other| format!("{} → {}", module.join("::"), other.join("::"))));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_documented_order_is_this_one() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    for (room, order) in ORDER {
        let parts: Vec<String> = order.iter().map(|part| format!("`{part}`")).collect();
        let line = format!("| `{room}` | {} |", parts.join(", "));
        assert!(page.contains(&line), "docs/architecture.md should have:\n{line}");
    }
}

#[test]
fn a_circle_through_a_reexport_is_found() {
    let mut house = House::default();
    let path = |text: &str| text.split("::").map(str::to_owned).collect::<Module>();
    house.modules = ["a", "a::b", "a::b::c", "a::d"].map(path).into();
    for (module, text) in [
        ("a", "mod b; mod d; pub use b::c::{Deep, Other}; fn f() { d::g() }"),
        ("a::b::c", "use super::super::d::{self, Thing}; pub(in crate::a) struct Deep;"),
        ("a::d", "fn g() -> crate::a::Deep { crate::x::y() } #[cfg(test)] mod tests { use super::super::b; }"),
    ] {
        house.walk(&path(module), &mut Vec::new(), TokenStream::from_str(text).unwrap());
    }
    let imports = house.imports();
    assert_eq!(imports[&path("a")], [path("a::d")].into());
    let start = path("a");
    let found = circle(&imports, &mut vec![&start], &mut BTreeSet::new()).expect("there is one");
    assert_eq!(found, [&path("a::d"), &path("a::b::c"), &path("a::d")]);
}

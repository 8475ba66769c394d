//! Holds the sources to the layering table of `docs/architecture.md` and to the habits of the house.
//!
//! Reads tokens, not text: comments and strings never count, and a path inside a function or a macro does.

mod circles;
mod dialects;
mod english;
mod names;
mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What each top-level module may import.
const TABLE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("clock", &[]),
    ("text", &[]),
    ("random", &[]),
    ("trust", &[]),
    ("policy", &["text"]),
    ("outcome", &["policy", "text"]),
    ("decide", &["outcome", "policy", "text", "clock"]),
    ("telemetry", &["outcome", "policy", "text", "clock"]),
    ("sources", &["decide", "policy", "trust", "text", "clock"]),
    ("stores", &["decide", "policy", "text", "clock"]),
    ("ledger", &["decide", "outcome", "policy", "random", "text", "clock"]),
    ("notify", &["ledger", "process", "outcome", "policy", "trust", "text", "clock"]),
    ("process", &["text"]),
    ("schedule", &["policy", "telemetry", "text", "clock"]),
    ("run", &["policy", "outcome", "decide", "sources", "stores", "ledger", "process", "telemetry", "text", "clock"]),
    ("report", &["ledger", "decide", "outcome", "policy", "text"]),
    (
        "commands",
        &[
            "config",
            "clock",
            "text",
            "policy",
            "outcome",
            "decide",
            "telemetry",
            "sources",
            "stores",
            "ledger",
            "notify",
            "schedule",
            "run",
            "report",
        ],
    ),
    ("server", &["report", "outcome", "policy", "random", "text", "clock"]),
    (
        "daemon",
        &[
            "commands",
            "server",
            "report",
            "clock",
            "random",
            "text",
            "policy",
            "outcome",
            "decide",
            "telemetry",
            "sources",
            "ledger",
            "notify",
            "schedule",
            "run",
        ],
    ),
    ("cli", &["daemon", "commands", "server", "report", "outcome", "config", "policy", "text"]),
    ("main", &["cli", "telemetry"]),
    ("lib", &[]),
];

/// The places of `policy` that may read raw configuration: what compiles it, and what hands its words on.
const READS_CONFIG: [[&str; 2]; 2] = [["policy", "compile"], ["policy", "words"]];

const LINES_AT_MOST: usize = 450;
const MAIN_LINES_AT_MOST: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a directory of the project, in order of path.
fn rust_files(tree: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![root().join(tree)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

fn tokens(file: &Path) -> TokenStream {
    let text = fs::read_to_string(file).unwrap();
    TokenStream::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", shown(file)))
}

/// The module that a file of `src/` is: `src/run/batch.rs` is `run::batch`, `src/run/mod.rs` is `run`.
fn module_of(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut module: Vec<String> = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// A top-level module that a file names, and the line where it does.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    layer: String,
    line: usize,
}

/// Collects what a file imports of ours.
struct Reader {
    /// `retaind` in `main.rs`, which is a crate of its own; `crate` in the library.
    crate_words: &'static [&'static str],
    imports: BTreeSet<Import>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<String>,
}

impl Reader {
    fn new(crate_words: &'static [&'static str]) -> Self {
        Self { crate_words, imports: BTreeSet::new(), test_modules: Vec::new() }
    }

    fn read(file: &Path) -> Self {
        let module = module_of(file);
        let mut reader = Self::new(if module == ["main"] { &["retaind", "crate"] } else { &["crate"] });
        let depth = if module == ["lib"] || module == ["main"] { 0 } else { module.len() };
        reader.walk(tokens(file), depth);
        reader
    }

    /// `depth`: how many modules lie between the tokens and the crate's root.
    fn walk(&mut self, stream: TokenStream, depth: usize) {
        let (tokens, test_modules) = compiled(stream);
        self.test_modules.extend(test_modules);
        for at in 0..tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => {
                    let opens_module = group.delimiter() == Delimiter::Brace
                        && at >= 2
                        && is_ident(&tokens[at - 2], "mod")
                        && matches!(tokens[at - 1], TokenTree::Ident(_));
                    self.walk(group.stream(), depth + usize::from(opens_module));
                }
                // After `::` a path goes on, it does not begin.
                TokenTree::Ident(_) if at < 2 || !is_colons(&tokens[at - 2..]) => {
                    self.take_path(&tokens[at..], depth);
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    /// Follows a path that begins at the first token, if it leads to the crate's root.
    fn take_path(&mut self, tokens: &[TokenTree], depth: usize) {
        let mut rest = tokens;
        if self.crate_words.iter().any(|word| is_ident(&rest[0], word)) {
            rest = &rest[1..];
        } else if is_ident(&rest[0], "super") {
            let mut climbed = 0;
            while rest.first().is_some_and(|token| is_ident(token, "super")) {
                climbed += 1;
                rest = if is_colons(&rest[1..]) { &rest[3..] } else { &rest[1..] };
            }
            // Handed on with the colons that the loop took, as after `crate`.
            if climbed == depth {
                self.take_first(rest);
            }
            return;
        } else {
            return;
        }
        if is_colons(rest) {
            self.take_first(&rest[2..]);
        }
    }

    /// Notes the first segment of a path from the root, or of every path in a brace.
    fn take_first(&mut self, tokens: &[TokenTree]) {
        match tokens.first() {
            Some(TokenTree::Ident(name)) => {
                self.imports.insert(Import { layer: name.to_string(), line: name.span().start().line });
            }
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for path in inner.split(|token| is_punct(token, ',')) {
                    self.take_first(path);
                }
            }
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => {
                self.imports.insert(Import { layer: "*".to_owned(), line: star.span().start().line });
            }
            Some(TokenTree::Punct(_) | TokenTree::Literal(_)) | None => {}
        }
    }
}

fn is_ident(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_colons(tokens: &[TokenTree]) -> bool {
    tokens.len() >= 2 && is_punct(&tokens[0], ':') && is_punct(&tokens[1], ':')
}

/// The tokens that are not for tests alone, and the modules in files of their own that are.
fn compiled(stream: TokenStream) -> (Vec<TokenTree>, Vec<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let (mut kept, mut test_modules) = (Vec::new(), Vec::new());
    let mut rest = tokens.as_slice();
    while let [first, after @ ..] = rest {
        if !is_test_only(rest) {
            kept.push(first.clone());
            rest = after;
            continue;
        }
        let (item, after) = rest.split_at(item_length(rest));
        if let [.., word, TokenTree::Ident(name), end] = item
            && is_ident(word, "mod")
            && is_punct(end, ';')
        {
            test_modules.push(name.to_string());
        }
        rest = after;
    }
    (kept, test_modules)
}

/// Every file of `src` that is not for tests alone: the module that it is, and what it imports.
fn compiled_files() -> Vec<(PathBuf, Vec<String>, Reader)> {
    let read: Vec<(PathBuf, Vec<String>, Reader)> =
        rust_files("src").into_iter().map(|file| (file.clone(), module_of(&file), Reader::read(&file))).collect();
    let test_only: BTreeSet<Vec<String>> = read
        .iter()
        .flat_map(|(_, module, reader)| {
            let parent: &[String] = if *module == ["lib"] { &[] } else { module };
            reader.test_modules.iter().map(move |name| [parent, std::slice::from_ref(name)].concat())
        })
        .collect();
    let is_test_only = |module: &[String]| test_only.iter().any(|tests| module.starts_with(tests));
    read.into_iter().filter(|(_, module, _)| !is_test_only(module)).collect()
}

/// Whether `#[cfg(test)]` stands here.
fn is_test_only(tokens: &[TokenTree]) -> bool {
    match tokens {
        [hash, TokenTree::Group(group), ..] => {
            is_punct(hash, '#') && group.stream().to_string().replace(' ', "") == "cfg(test)"
        }
        _ => false,
    }
}

/// How many tokens an attribute and its item take: up to a `;` or a brace.
fn item_length(tokens: &[TokenTree]) -> usize {
    let ends = |token: &TokenTree| {
        is_punct(token, ';') || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    tokens.iter().position(ends).map_or(tokens.len(), |at| at + 1)
}

/// What the table has against the imports of a file.
fn violations(module: &[String], imports: &BTreeSet<Import>) -> Vec<String> {
    let layer = module[0].as_str();
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("the layer `{layer}` is not in the table")];
    };
    let reads_config = READS_CONFIG.iter().any(|place| module.starts_with(&place.map(str::to_owned)));
    imports
        .iter()
        .filter(|import| import.layer != layer && !allowed.contains(&import.layer.as_str()))
        .filter(|import| !(reads_config && import.layer == "config"))
        .map(|import| format!("line {}: `{layer}` may not import `{}`", import.line, import.layer))
        .collect()
}

#[test]
fn modules_import_in_one_direction_only() {
    let mut found = Vec::new();
    for (file, module, reader) in &compiled_files() {
        for violation in violations(module, &reader.imports) {
            found.push(format!("{}: {violation}", shown(file)));
        }
    }
    assert!(found.is_empty(), "docs/architecture.md has the table:\n{}", found.join("\n"));
}

#[test]
fn the_documented_table_is_this_one() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, table) = page.split_once("| module | may import |").expect("docs/architecture.md has the table");
    for (layer, allowed) in TABLE.iter().filter(|(layer, _)| *layer != "lib") {
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| `{layer}` |")))
            .unwrap_or_else(|| panic!("docs/architecture.md has no row for `{layer}`"));
        let cell = row.split('|').nth(2).unwrap();
        let mut words: BTreeSet<&str> = cell.split('`').skip(1).step_by(2).collect();
        if *layer == "policy" {
            assert!(words.remove("config"), "policy's compiler reads config: {row}");
        }
        assert_eq!(words, allowed.iter().copied().collect(), "{row}");
    }
}

#[test]
fn a_path_is_seen_wherever_it_stands() {
    let text = r#"
        //! crate::comment
        use crate::{policy::{Name, TableName}, ledger, sources as s};
        use super::super::stores::OpenStore;
        fn f() { select! { x = crate::run::go() => {} } let s = "crate::text"; super::sibling(); }
        mod inner { use super::super::super::telemetry; use super::super::super::super::nowhere; }
        #[cfg(test)]
        mod tests { use crate::daemon; }
        #[cfg(test)]
        use crate::cli;
        #[cfg(test)]
        mod apart;
        pub(crate) fn g(in_crate: u8) {}
    "#;
    let mut reader = Reader::new(&["crate"]);
    reader.walk(TokenStream::from_str(text).unwrap(), 2);
    let layers: Vec<&str> = reader.imports.iter().map(|import| import.layer.as_str()).collect();
    assert_eq!(layers, ["ledger", "policy", "run", "sources", "stores", "telemetry"]);
    assert_eq!(reader.test_modules, ["apart"]);
}

#[test]
fn the_table_refuses_a_way_back() {
    let imports = |layer: &str| BTreeSet::from([Import { layer: layer.to_owned(), line: 1 }]);
    let module = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    for (from, to) in [("policy", "config"), ("stores", "ledger"), ("schedule", "run"), ("cli", "run"), ("new", "run")]
    {
        assert_eq!(violations(&module(from), &imports(to)).len(), 1, "{from} → {to}");
    }
    for (from, to) in [("policy::compile", "config"), ("policy::words", "config"), ("run::batch", "run")] {
        assert_eq!(violations(&module(from), &imports(to)), Vec::<String>::new(), "{from} → {to}");
    }
}

#[test]
fn every_file_is_short_and_states_its_purpose() {
    let mut found = Vec::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&file).unwrap();
        let limit = if file == root().join("src/main.rs") { MAIN_LINES_AT_MOST } else { LINES_AT_MOST };
        let lines = text.lines().count();
        if lines > limit {
            found.push(format!("{}: {lines} lines, at most {limit}: which room wants a wall?", shown(&file)));
        }
        if !text.starts_with("//! ") {
            found.push(format!("{}: does not open with a `//!` sentence", shown(&file)));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    fn walk(stream: TokenStream, found: &mut Vec<(String, usize)>) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => {
                    let attribute = at > 0 && is_punct(&tokens[at - 1], '#');
                    let first = group.stream().into_iter().next();
                    if attribute && first.is_some_and(|token| is_ident(&token, "ignore")) {
                        found.push(("#[ignore]".to_owned(), group.span().start().line));
                    }
                    walk(group.stream(), found);
                }
                TokenTree::Ident(ident) => {
                    let unfinished = ["todo", "unimplemented", "dbg"].iter().any(|word| ident == word);
                    if unfinished && tokens.get(at + 1).is_some_and(|next| is_punct(next, '!')) {
                        found.push((format!("{ident}!"), ident.span().start().line));
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }
    let mut reports = Vec::new();
    for file in ["src", "tests", "benches"].into_iter().flat_map(rust_files) {
        let mut found = Vec::new();
        walk(tokens(&file), &mut found);
        reports.extend(found.into_iter().map(|(what, line)| format!("{}:{line}: {what}", shown(&file))));
    }
    assert!(reports.is_empty(), "{}", reports.join("\n"));
}

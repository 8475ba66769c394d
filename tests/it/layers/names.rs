//! Holds public types to one meaning each: no two of them have the same name.

use std::collections::BTreeMap;

use super::*;

const KINDS: [&str; 4] = ["struct", "enum", "trait", "type"];

/// Adds the names of public types, those inside of modules in the file included.
fn public_types(stream: TokenStream, names: &mut Vec<String>) {
    let (tokens, _) = compiled(stream);
    for at in 0..tokens.len() {
        match &tokens[at..] {
            [public, kind, TokenTree::Ident(name), ..]
                if is_ident(public, "pub") && KINDS.iter().any(|word| is_ident(kind, word)) =>
            {
                names.push(name.to_string());
            }
            [word, TokenTree::Ident(_), TokenTree::Group(group), ..] if is_ident(word, "mod") => {
                public_types(group.stream(), names);
            }
            _ => {}
        }
    }
}

#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in rust_files("src") {
        let mut names = Vec::new();
        public_types(tokens(&file), &mut names);
        for name in names {
            places.entry(name).or_default().push(shown(&file));
        }
    }
    assert!(places.len() > 100, "they are found");
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

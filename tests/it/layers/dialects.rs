//! Holds what differs between engines to one place: few files name an engine, and those that spell its words have the same
//! functions.

use super::*;

/// The files that may name a variant of an enum of engines, urls or connections, and what they do with it.
const NAME_ENGINES: [(&str, &str); 8] = [
    ("src/policy/compile/url.rs", "reads a url"),
    ("src/policy/endpoint.rs", "what an engine and an endpoint are"),
    ("src/sources/catalog/mod.rs", "asks the catalog of the engine"),
    ("src/sources/session/bulk_reader.rs", "reads by the driver of the engine"),
    ("src/sources/session/cancel.rs", "cancels by the driver of the engine"),
    ("src/sources/session/connect.rs", "connects by the driver of the engine"),
    ("src/sources/session/connection.rs", "the drivers behind one face"),
    ("src/sources/sql/dialect/mod.rs", "hands out the words of the engine"),
];

/// True if a type's name and a variant that is an engine stand here, as in `Engine::MySql`.
fn names_engine(tokens: &[TokenTree]) -> bool {
    let [TokenTree::Ident(name), colon, other, TokenTree::Ident(variant), ..] = tokens else { return false };
    is_colons(&[colon.clone(), other.clone()])
        && name.to_string().starts_with(char::is_uppercase)
        && ["Postgres", "MySql", "Sqlite"].iter().any(|engine| variant == engine)
}

fn any_names_engine(stream: TokenStream) -> bool {
    let (tokens, _) = compiled(stream);
    let inner = |token: &TokenTree| matches!(token, TokenTree::Group(group) if any_names_engine(group.stream()));
    (0..tokens.len()).any(|at| names_engine(&tokens[at..]) || inner(&tokens[at]))
}

#[test]
fn few_files_ask_which_engine_it_is() {
    let files = compiled_files().into_iter().map(|(file, ..)| file);
    let found: Vec<String> = files.filter(|file| any_names_engine(tokens(file))).map(|file| shown(&file)).collect();
    let known: Vec<&str> = NAME_ENGINES.iter().map(|(file, _)| *file).collect();
    assert!(found.len() <= 12, "{found:#?}");
    assert_eq!(found, known, "what an engine does differently belongs into src/sources/sql/dialect");
}

#[test]
fn the_dialects_have_the_same_functions() {
    fn functions(stream: TokenStream, found: &mut Vec<String>) {
        let (tokens, _) = compiled(stream);
        for at in 0..tokens.len() {
            match (&tokens[at], tokens.get(at + 1), tokens.get(at + 2)) {
                (TokenTree::Ident(word), Some(TokenTree::Ident(name)), _) if *word == "fn" => {
                    found.push(name.to_string());
                }
                // Inside the trait's implementation, and in no body of a function.
                (TokenTree::Ident(word), Some(_), Some(TokenTree::Ident(_))) if *word == "Dialect" => {
                    if let Some(TokenTree::Group(group)) = tokens.get(at + 3) {
                        functions(group.stream(), found);
                    }
                }
                _ => {}
            }
        }
    }
    let of = |engine: &str| {
        let file = root().join(format!("src/sources/sql/dialect/{engine}.rs"));
        let (tokens, _) = compiled(tokens(&file));
        let mut found = Vec::new();
        let implements = tokens.windows(3).position(|word| is_ident(&word[0], "impl") && is_ident(&word[1], "Dialect"));
        functions(tokens[implements.unwrap()..].iter().cloned().collect(), &mut found);
        found
    };
    let (postgres, mysql, sqlite) = (of("postgres"), of("mysql"), of("sqlite"));
    assert!(postgres.len() > 5, "{postgres:?}");
    assert_eq!(postgres, mysql);
    assert_eq!(postgres, sqlite);
}

//! Holds tests to words and data: the English of a decision is asserted beside the enums that render it (`src/decide`) and in
//! pages (`src/report`), and nowhere else.

use std::sync::LazyLock;

use regex::Regex;

use super::*;

/// Names of what has a decision in English: a field of a result, of the answers of `why`, of a hold.
const IN_ENGLISH: [&str; 4] = ["blocked_by", "sentence", "summary", "stays"];

/// Files that may name these: they hold the JSON as a whole, or set it up.
const MAY_NAME: [(&str, &str); 2] =
    [("tests/it/cli/golden.rs", "the fields of the golden files"), ("tests/it/layers/english.rs", "this")];

/// Literals that stand in a sentence of `decide` by chance.
const BY_CHANCE: [&str; 1] = ["cannot be read"];

/// Bytes from which on a literal tells what it is of.
const TELLING: usize = 13;

/// A literal of text as the source has it.
static LITERAL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#""((?:[^"\\]|\\.|\\\n)*)""#).unwrap());
static CONTINUED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\\n\s*").unwrap());
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{[^{}]*\}").unwrap());

fn words(text: &str) -> usize {
    text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
}

/// The literals of a source text, as the program has them.
fn literals(text: &str) -> Vec<String> {
    let plain = |found: &str| CONTINUED.replace_all(found, "").replace("\\\"", "\"").replace("\\n", "\n");
    LITERAL.captures_iter(text).map(|found| plain(&found[1])).collect()
}

/// Source text without comments, in which quotes are no literals.
fn without_comments(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    lines.collect::<Vec<_>>().join("\n")
}

/// Pieces of the sentences that `decide` renders: what stands between the values.
fn pieces() -> Vec<String> {
    let files = rust_files("src/decide").into_iter().filter(|file| !shown(file).contains("/tests"));
    let texts = files.map(|file| without_comments(&file));
    let code = texts.map(|text| text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
    let sentences: Vec<String> = code.flat_map(|code| literals(&code)).collect();
    let pieces = sentences.iter().flat_map(|sentence| PLACEHOLDER.split(sentence));
    pieces.map(|piece| piece.trim().to_owned()).filter(|piece| words(piece) >= 2).collect()
}

/// What tests there are: those of the program as a whole, and in `src` those of the callers of `decide`.
fn tests() -> Vec<(String, String)> {
    let whole = rust_files("tests").into_iter().map(|file| (shown(&file), without_comments(&file)));
    let inner = rust_files("src").into_iter().filter_map(|file| {
        let (name, text) = (shown(&file), without_comments(&file));
        let renders = ["src/decide", "src/report", "src/text", "src/telemetry", "src/daemon/status_line"]
            .iter()
            .any(|room| name.starts_with(room));
        let is_test = name.contains("/tests");
        let from = if is_test { Some(0) } else { text.find("#[cfg(test)]\nmod tests {") }?;
        (!renders).then(|| (name, text[from..].to_owned()))
    });
    whole.chain(inner).collect()
}

/// The sentence of `decide` that a literal is a part of, or has in it.
fn sentence_of<'a>(literal: &str, pieces: &'a [String]) -> Option<&'a String> {
    let literal = literal.trim();
    let is_part = |piece: &&String| {
        let is_telling = words(literal) >= 2 && literal.len() >= TELLING && !literal.contains('=');
        (is_telling && piece.contains(literal)) || (words(piece) >= 4 && literal.contains(piece.as_str()))
    };
    pieces.iter().find(is_part).filter(|_| !BY_CHANCE.contains(&literal))
}

#[test]
fn no_test_asserts_the_english_of_a_decision() {
    let pieces = pieces();
    assert!(pieces.len() > 100, "{pieces:#?}");
    let mut wrong = Vec::new();
    for (file, text) in tests() {
        if MAY_NAME.iter().any(|(known, _)| *known == file) {
            continue;
        }
        let named = Regex::new(&format!(r#"[a-z\])]\["({0})"\]|\.({0})\b"#, IN_ENGLISH.join("|"))).unwrap();
        wrong.extend(named.find_iter(&text).map(|found| format!("{file}: {}", found.as_str())));
        let found = literals(&text).into_iter().filter_map(|literal| Some((sentence_of(&literal, &pieces)?, literal)));
        wrong.extend(found.map(|(piece, literal)| format!("{file}: {literal:?}, of {piece:?}")));
    }
    assert!(
        wrong.is_empty(),
        "assert the stable word and the data (blocked_code, reason, facts), not the sentence:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_part_of_a_sentence_is_found() {
    let pieces = ["rows would go and".to_owned(), "is not adopted: there is no marker in".to_owned()];
    for literal in ["is not adopted", "store x is not adopted: there is no marker in /y", "rows would go"] {
        assert!(sentence_of(literal, &pieces).is_some(), "{literal}");
    }
    for literal in ["not_adopted", "adopted", "marker of images", "goes"] {
        assert!(sentence_of(literal, &pieces).is_none(), "{literal}");
    }
    assert_eq!(literals("f(\"a \\\"b\\\" \\\n    c\")"), ["a \"b\" c"]);
}

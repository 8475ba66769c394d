//! Holds doc comments to begin with what a thing is, and names of tests to a length that is read at a glance.

use std::sync::LazyLock;

use regex::Regex;

use super::*;

/// Beginnings that put off what the thing is.
static PUT_OFF: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*//[/!] (What|Whether|How|Where|Which|The same)\b").unwrap());

#[test]
fn doc_comments_begin_with_the_thing() {
    assert!(PUT_OFF.is_match("    /// What is there.") && !PUT_OFF.is_match("/// Whatever is there."));
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let text = fs::read_to_string(&file).unwrap();
        let mut before = "";
        for (at, line) in text.lines().enumerate() {
            // A line within a comment goes on with a sentence.
            if !before.trim_start().starts_with("//") && PUT_OFF.is_match(line) {
                wrong.push(format!("{}:{}: {}", shown(&file), at + 1, line.trim()));
            }
            before = line;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_of_tests_have_at_most_eight_words() {
    let test = Regex::new(
        r"(?m)#\[(?:tokio::)?test[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async )?fn (\w+)\(|^\s+(?:async )?fn (\w+)\(db\)",
    )
    .unwrap();
    let number = Regex::new(r"^[gdf]\d+$").unwrap();
    let mut long = Vec::new();
    for file in ["src", "tests"].into_iter().flat_map(rust_files) {
        let text = fs::read_to_string(&file).unwrap();
        for found in test.captures_iter(&text) {
            let name = found.get(1).or(found.get(2)).unwrap().as_str();
            if name.split('_').filter(|word| !number.is_match(word)).count() > 8 {
                long.push(format!("{}: {name}", shown(&file)));
            }
        }
    }
    assert!(long.is_empty(), "names of more than eight words:\n{}", long.join("\n"));
}

//! What a decision says, by its stable word and its data. The English of it is asserted beside the enums of `decide`, and
//! nowhere else (`layers::english`).

use retaind::outcome::{Facts, PolicyResult};
use serde_json::Value;

/// Asserts that a policy took nothing, by the word of the reason and some of its facts.
#[track_caller]
pub fn assert_blocked(policy: &PolicyResult, code: &str, facts: Value) {
    assert_eq!(policy.blocked_code.as_deref(), Some(code), "{policy:?}");
    assert_facts(&policy.blocked_facts, facts);
}

/// Asserts some of the facts of a reason; an expected null is a fact that is not there. A reference is named with the schema
/// that the engine gave its table, so that the end of it is enough.
#[track_caller]
pub fn assert_facts(facts: &Facts, expected: Value) {
    for (name, value) in expected.as_object().expect("an object of facts") {
        let found = facts.get(name).unwrap_or(&Value::Null);
        match (name.as_str(), found, value) {
            ("reference", Value::String(found), Value::String(end)) => assert!(found.ends_with(end), "{facts:?}"),
            _ => assert_eq!(found, value, "{name}: {facts:?}"),
        }
    }
}

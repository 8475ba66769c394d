//! JSON schema of the configuration (draft 2020-12), by which editors complete and check it: the keys as they are declared.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::form::Form;
use super::keys::without_links;
use super::kind::{Key, KeyKind};
use super::raw::Raw;

const NAME: &str = "^[a-z0-9][a-z0-9_-]{0,63}$";
const DURATION: &str = "^ *([0-9]+ *[wdhms] *)+$";
const SIZE: &str = "^ *([0-9]+ *([kKMGTP]?B|[KMGTP]iB)|[0-9.]+ *%) *$";

/// The schema of a configuration file.
pub fn schema() -> Value {
    let mut tables = Map::new();
    let mut schema = table(Raw::KIND.keys(), &mut tables);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("Configuration of retaind");
    schema["$defs"] = Value::Object(tables);
    schema
}

/// The schema of a table; keys that only some kinds of policies have are refused where another kind is written.
fn table(keys: &[Key], tables: &mut Map<String, Value>) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key, tables))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    let kinds: BTreeSet<&str> = keys.iter().flat_map(|key| key.of).copied().collect();
    let foreign = kinds.iter().map(|kind| {
        let foreign = keys.iter().filter(|key| !key.of.is_empty() && !key.of.contains(kind));
        let foreign: Map<String, Value> = foreign.map(|key| (key.name.to_owned(), json!(false))).collect();
        let is_kind = json!({ "properties": { "kind": { "const": kind } }, "required": ["kind"] });
        json!({ "if": is_kind, "then": { "properties": foreign } })
    });
    if !kinds.is_empty() {
        schema["allOf"] = foreign.collect();
    }
    schema
}

fn property(key: &Key, tables: &mut Map<String, Value>) -> Value {
    let mut schema = of(key.kind, tables);
    let of_kinds = if key.of.is_empty() { String::new() } else { format!(" (kind = {})", key.of.join(", ")) };
    schema["description"] = json!(without_links(&key.meaning()) + &of_kinds);
    if !key.default.is_empty() {
        schema["default"] = match key.kind {
            // Numbers and flags are written alike in both.
            KeyKind::Count(_) | KeyKind::Flag => key.default.parse().unwrap_or_default(),
            _ => json!(key.default),
        };
    }
    schema
}

fn of(kind: KeyKind, tables: &mut Map<String, Value>) -> Value {
    match kind {
        KeyKind::Text => json!({ "type": "string" }),
        KeyKind::Word(words) => json!({ "enum": words }),
        KeyKind::Duration => json!({ "type": "string", "pattern": DURATION }),
        KeyKind::ShortDuration => json!({ "type": "string", "pattern": format!("{DURATION}|^ *[0-9]+ *ms *$") }),
        KeyKind::Count(i64::MAX) => json!({ "type": "integer", "minimum": 1 }),
        KeyKind::Count(most) => json!({ "type": "integer", "minimum": 1, "maximum": most }),
        KeyKind::Share => json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }),
        KeyKind::Number => json!({ "type": "number", "exclusiveMinimum": 0 }),
        KeyKind::Flag => json!({ "type": "boolean" }),
        KeyKind::Size => json!({ "type": "string", "pattern": SIZE }),
        KeyKind::Scalar => json!({ "type": ["string", "number", "boolean"] }),
        KeyKind::Patterns | KeyKind::Names => {
            json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
        }
        KeyKind::Table(keys) => {
            let name = keys.name.trim_start_matches("Raw");
            if !tables.contains_key(name) {
                // Before what is in it: a child has children.
                tables.insert(name.to_owned(), Value::Null);
                let schema = table((keys.keys)(), tables);
                tables.insert(name.to_owned(), schema);
            }
            json!({ "$ref": format!("#/$defs/{name}") })
        }
        KeyKind::Named(inner @ KeyKind::Table(_)) => json!({
            "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": of(*inner, tables)
        }),
        KeyKind::Named(inner) => json!({ "type": "object", "additionalProperties": of(*inner, tables) }),
        KeyKind::List(inner) => {
            let mut items = of(*inner, tables);
            // A list is one value, while what a table lacks may stand in another file.
            let required = inner.keys().iter().filter(|key| key.meaning().starts_with("Required"));
            let required: Vec<&str> = required.map(|key| key.name).collect();
            if matches!(inner, KeyKind::Table(_)) && !required.is_empty() {
                items["required"] = json!(required);
            }
            json!({ "type": "array", "items": items })
        }
        KeyKind::OrTable(plain, keys) => json!({ "anyOf": [of(*plain, tables), of(KeyKind::Table(keys), tables)] }),
    }
}

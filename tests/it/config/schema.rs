//! The JSON schema: files that are right fit, and mistakes that an editor can see do not.

use regex::Regex;
use retaind::config::schema::schema;
use serde_json::{Value, json};

use super::documents::{blocks, read, shipped_without_comments};

/// What does not fit a schema, by its place. Knows the words that the schema uses, and no others.
fn misfits(schema: &Value, value: &Value, root: &Value, at: &str) -> Vec<String> {
    if let Some(fits) = schema.as_bool() {
        return if fits { Vec::new() } else { vec![at.to_owned()] };
    }
    let mut found = Vec::new();
    for (word, wanted) in schema.as_object().unwrap() {
        let text = value.as_str();
        let fits = match word.as_str() {
            "$schema" | "title" | "description" | "default" | "$defs" | "then" => true,
            "type" => is_of_type(wanted, value),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "pattern" => text.is_none_or(|text| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text)),
            "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
            "exclusiveMinimum" => value.as_f64().is_none_or(|number| number > wanted.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
            "required" => value.as_object().is_none_or(|table| {
                wanted.as_array().unwrap().iter().all(|key| table.contains_key(key.as_str().unwrap()))
            }),
            "$ref" => {
                let target = root.pointer(wanted.as_str().unwrap().strip_prefix('#').unwrap()).unwrap();
                found.extend(misfits(target, value, root, at));
                true
            }
            "anyOf" => wanted.as_array().unwrap().iter().any(|one| misfits(one, value, root, at).is_empty()),
            "allOf" => {
                found.extend(wanted.as_array().unwrap().iter().flat_map(|one| misfits(one, value, root, at)));
                true
            }
            "if" => {
                if misfits(wanted, value, root, at).is_empty() {
                    found.extend(misfits(&schema["then"], value, root, at));
                }
                true
            }
            "items" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                found.extend(items.flat_map(|(index, item)| misfits(wanted, item, root, &format!("{at}[{index}]"))));
                true
            }
            "propertyNames" => {
                let names = value.as_object().into_iter().flat_map(|table| table.keys());
                found.extend(names.flat_map(|name| misfits(wanted, &json!(name), root, &format!("{at}.{name}"))));
                true
            }
            "properties" | "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    let of_key = known.and_then(|known| known.get(name));
                    let inner = if word == "properties" { of_key } else { Some(wanted).filter(|_| of_key.is_none()) };
                    found.extend(inner.iter().flat_map(|inner| misfits(inner, value, root, &format!("{at}.{name}"))));
                }
                true
            }
            other => panic!("the schema has {other:?}, which this test does not know"),
        };
        if !fits {
            found.push(at.to_owned());
        }
    }
    found
}

fn is_of_type(wanted: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other} is not a type"),
    };
    match wanted {
        Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
        name => is(name.as_str().unwrap()),
    }
}

fn wrong(document: &str) -> Vec<String> {
    let table: toml::Table = document.parse().unwrap_or_else(|error| panic!("{error}\n{document}"));
    let schema = schema();
    misfits(&schema, &serde_json::to_value(table).unwrap(), &schema, "")
}

#[test]
fn what_is_shipped_and_every_example_fits() {
    let mut documents = vec![("config/retaind.toml".to_owned(), shipped_without_comments())];
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/examples")).unwrap() {
        let path = entry.unwrap().path();
        documents.push((path.display().to_string(), std::fs::read_to_string(path).unwrap()));
    }
    for page in ["docs/configuration.md", "docs/operations.md", "docs/coming-from.md", "README.md"] {
        let text = read(page).unwrap();
        documents.extend(blocks(&text).into_iter().map(|block| (page.to_owned(), block.to_owned())));
    }
    assert!(documents.len() > 20, "only {} documents were found", documents.len());
    for (name, document) in documents {
        assert_eq!(wrong(&document), Vec::<String>::new(), "{name}:\n{document}");
    }
}

#[test]
fn what_an_editor_can_see_is_marked() {
    for (document, place) in [
        ("[daemon]\nmoed = \"report\"", ".daemon.moed"),
        ("[daemon]\nmode = \"enforced\"", ".daemon.mode"),
        ("[logging]", ".logging"),
        ("[sources.Nvr]\nurl = \"sqlite:/a\"", ".sources.Nvr"),
        ("[sources.x]\nmax_connections = 101", ".sources.x.max_connections"),
        ("[tasks.x]\nevery = 30", ".tasks.x.every"),
        ("[tasks.x]\nevery = \"30\"", ".tasks.x.every"),
        ("[policies.x]\nkeep = { column = \"a\", values = { b = 3 } }", ".policies.x.keep"),
        ("[policies.x]\nmax_fraction = 1.5", ".policies.x.max_fraction"),
        ("[policies.x]\nkind = \"files\"\nwhere = \"a\"", ".policies.x.where"),
        ("[policies.x]\nkind = \"orphans\"\nkeep_last = 5", ".policies.x.keep_last"),
        ("[policies.x]\nmax_total = \"10 Gib\"", ".policies.x.max_total"),
        ("[policies.x]\nfiles = [{ column = \"a\" }]", ".policies.x.files[0]"),
        (
            "[policies.x]\nchildren = [{ table = \"a\", column = [\"b\"], children = [{ table = \"c\", column = \"d\", x = 1 }] }]",
            ".policies.x.children[0].children[0].x",
        ),
        ("[policies.x]\nset = { a = { sqll = \"b\" } }", ".policies.x.set.a"),
    ] {
        assert_eq!(wrong(document), [place], "{document}");
    }
    // A fragment may hold a part of a policy.
    assert_eq!(wrong("[policies.x]\nkeep = \"1d 12h\"\nmin_free = \"10%\""), Vec::<String>::new());
}

#[test]
fn keys_are_described_and_files_name_their_schema() {
    let schema = schema();
    for (table, properties) in schema["$defs"].as_object().unwrap() {
        for (key, property) in properties["properties"].as_object().unwrap() {
            assert!(property["description"].as_str().is_some_and(|text| text.len() > 10), "{table}.{key}: {property}");
        }
    }
    let batch = &schema["$defs"]["Policy"]["properties"]["batch"];
    assert_eq!((&batch["default"], &batch["maximum"]), (&json!(10000), &json!(100_000)));
    assert_eq!(schema["$defs"]["Store"]["properties"]["age_by"]["enum"], json!(["latest", "mtime"]));
    let shipped = read("config/retaind.toml").unwrap();
    assert!(shipped.starts_with("#:schema /usr/share/retaind/retaind.schema.json\n"), "{shipped}");
    let package = read("Cargo.toml").unwrap();
    assert!(package.contains("[\"target/package/retaind.schema.json\", \"usr/share/retaind/\", \"644\"]"));
}

//! The documents that programs read, described for people: `docs/json.md` is made of the types, and this holds it to them.

use std::fmt::Write;
use std::fs;

use super::{read, root};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use retaind::cli::RefusedCommand;
use retaind::report::{
    AuditEntry, ClockToConfirm, Configuration, Difference, FileAnswer, Findings, Forgotten, NewToken, Notice, Overview,
    PendingFiles, PolicyOverview, Restoration, Retried, RowWhy, RunEntry, RunResult, Stats, StoreFound,
    TestedDestination, ToApprove, TokenEntry, VerifiedAudit,
};
use retaind::server::{LiveStatus, Problem, Reloaded, RunDocument, RunProgress};

const HEAD: &str = "# JSON

Every document that `--json` prints, that the [API](api.md) answers and that a hook reads, field by field. It is made of the
program's own types. Every object at the top has `format_version`, which is 1: fields may be added in it, none changes its
meaning or goes. A field is there since 0.1.0 where nothing else is said, and always where it is not said to be left out.

Instants are texts such as `2026-01-31T04:00:00Z`, always UTC. Names that end in `_ms` are milliseconds, in `_secs` seconds, and
in `_bytes` or `bytes_…` bytes. Words of a list may be joined by others: a program treats one that it does not know as it treats
the one that asks for most care.
";

/// A document: where it is met, and its type.
type Entry = (&'static str, fn(&mut SchemaGenerator) -> Schema);

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const ENTRIES: &[Entry] = &[
    ("`retaind run --json`, `retaind plan --json`, `retaind runs ID --json`, hooks", shape::<RunResult>),
    ("`retaind runs --json`: a list of", shape::<RunEntry>),
    ("`retaind status --json`", shape::<Overview>),
    ("`retaind stats --json`, `GET /api/v1/stats`", shape::<Stats>),
    ("`retaind why SOURCE.TABLE KEY --json`", shape::<RowWhy>),
    ("`retaind why STORE PATH --json`", shape::<FileAnswer>),
    ("`retaind check --json`", shape::<Findings>),
    ("`retaind diff --json`", shape::<Difference>),
    ("`retaind approve --json`, `GET /api/v1/policies/NAME/proposal`", shape::<ToApprove>),
    ("`retaind approve --clock --json`", shape::<ClockToConfirm>),
    ("`retaind adopt --json`", shape::<StoreFound>),
    ("`retaind restore --json`", shape::<Restoration>),
    ("`retaind pending --json`, `GET /api/v1/pending`", shape::<PendingFiles>),
    ("`retaind pending retry --json`, `POST /api/v1/pending/retry`", shape::<Retried>),
    ("`retaind pending forget --json`, `POST /api/v1/pending/forget`", shape::<Forgotten>),
    ("`retaind audit --json`: a list of", shape::<AuditEntry>),
    ("`retaind audit verify --json`", shape::<VerifiedAudit>),
    ("`retaind token list --json`: a list of", shape::<TokenEntry>),
    ("`retaind token add --json`", shape::<NewToken>),
    ("`retaind config show --json`", shape::<Configuration>),
    ("Every command that did not do what it was asked to", shape::<RefusedCommand>),
    ("`GET /api/v1/status`", shape::<LiveStatus>),
    ("`GET /api/v1/policies`: in `policies` a list of", shape::<PolicyOverview>),
    ("`GET /api/v1/runs/ID`", shape::<RunDocument>),
    ("`progress` of `GET /api/v1/runs/ID/events`", shape::<RunProgress>),
    ("`POST /api/v1/reload`", shape::<Reloaded>),
    ("`retaind notify test NAME --json`, `POST /api/v1/notify/NAME/test`", shape::<TestedDestination>),
    ("Every request that was refused", shape::<Problem>),
    ("[Webhooks](notifications.md)", shape::<Notice>),
];

/// The whole page.
fn page() -> String {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut page = format!("{HEAD}\n## Documents\n\n| where | what |\n| --- | --- |\n");
    for (at, shape) in ENTRIES {
        let _ = writeln!(page, "| {at} | {} |", kind(&shape(&mut generator).to_value()));
    }
    let mut undescribed = Vec::new();
    let types = generator.take_definitions(true);
    for (name, schema) in &types {
        let about = schema["description"].as_str().unwrap_or_default();
        let _ = write!(page, "\n## {name}\n\n{}\n\n", one_line(about));
        match words(schema) {
            Some(words) => page.push_str(&words),
            None => page.push_str(&fields(name, schema, &mut undescribed)),
        }
    }
    assert!(undescribed.is_empty(), "fields without a description: {undescribed:?}");
    page
}

/// The words of an enumeration.
fn words(schema: &Value) -> Option<String> {
    let several = schema.get("oneOf").or_else(|| schema.get("anyOf"));
    let Some(several) = several.and_then(Value::as_array) else {
        return schema["enum"].as_array().map(|plain| format!("{}\n", listed(plain)));
    };
    let is_words = several.iter().all(|one| one.get("const").is_some() || one.get("enum").is_some());
    is_words.then(|| {
        several.iter().fold(String::new(), |mut lines, one| {
            let _ = match (&one["const"], one["enum"].as_array()) {
                (Value::String(word), _) => {
                    writeln!(lines, "- `{word}`: {}", one_line(one["description"].as_str().unwrap_or_default()))
                }
                (_, plain) => writeln!(lines, "- {}", listed(plain.map_or(&[], Vec::as_slice))),
            };
            lines
        })
    })
}

fn listed(words: &[Value]) -> String {
    words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The fields of an object as a table, or the one kind of what is none.
fn fields(name: &str, schema: &Value, undescribed: &mut Vec<String>) -> String {
    let mut rows = Vec::new();
    collect(schema, &mut rows);
    if rows.is_empty() {
        return format!("{}.\n", kind(schema));
    }
    let mut table = "| field | kind | meaning |\n| --- | --- | --- |\n".to_owned();
    for Field { name: field, is_always, schema, about } in rows {
        if about.is_empty() {
            undescribed.push(format!("{name}.{field}"));
        }
        let absent = if is_always { "" } else { " Left out where there is none." };
        let since = schema["x-since"].as_str().map(|since| format!(" Since {since}.")).unwrap_or_default();
        let _ = writeln!(table, "| `{field}` | {} | {}{absent}{since} |", kind(schema), one_line(about));
    }
    table
}

/// A field of an object.
struct Field<'a> {
    name: &'a str,
    is_always: bool,
    schema: &'a Value,
    about: &'a str,
}

/// The fields of an object and of what is flattened into it: one variant of several describes its only field.
fn collect<'a>(schema: &'a Value, rows: &mut Vec<Field<'a>>) {
    let required = schema["required"].as_array();
    let is_required = |field: &str| required.is_some_and(|all| all.iter().any(|one| one == field));
    for (name, field_schema) in schema["properties"].as_object().into_iter().flatten() {
        let about = field_schema["description"].as_str().or(schema["description"].as_str()).unwrap_or_default();
        rows.push(Field { name, is_always: is_required(name), schema: field_schema, about });
    }
    for part in ["oneOf", "anyOf", "allOf"].iter().filter_map(|of| schema[of].as_array()).flatten() {
        collect(part, rows);
    }
}

/// Kind of a value, in words; a type of its own is a link.
fn kind(schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap_or(path);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let mut types = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => return "any value".to_owned(),
    };
    types.sort_by_key(|word| *word == "null");
    types.iter().map(|word| simple(word, schema)).collect::<Vec<_>>().join(" or ")
}

fn simple(word: &str, schema: &Value) -> String {
    match (word, schema["format"].as_str()) {
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("object", _) => match schema.get("additionalProperties") {
            Some(values) if values.is_object() => format!("object of {}", kind(values)),
            _ => "object".to_owned(),
        },
        ("string", Some("date-time")) => "instant".to_owned(),
        ("string", Some("uuid")) => "UUID".to_owned(),
        ("string", _) => "text".to_owned(),
        ("integer", _) => "whole number".to_owned(),
        ("boolean", _) => "true or false".to_owned(),
        (word, _) => word.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[test]
fn docs_json_md_is_made_of_the_types() {
    let page = page();
    if std::env::var_os("RETAIND_GOLDEN").is_some_and(|how| how == "write") {
        fs::write(root().join("docs/json.md"), &page).unwrap();
    }
    let written = read("docs/json.md");
    assert!(written == page, "docs/json.md is not as the types are: write it anew with RETAIND_GOLDEN=write");
}

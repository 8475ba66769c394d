//! One TOML file: read, parsed, every key with its place. Knows TOML, not retaind's keys.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use config::{Map, Value, ValueKind};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Origin, SourceText};
use super::file::read_regular;
use super::path::{KeyPath, is_bare};

/// Largest configuration file that is read: far more than anybody writes.
const LARGEST_BYTES: u64 = 4 << 20;

/// Origin of a value.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Text { source: Arc<SourceText>, key: Range<usize>, value: Range<usize> },
    Env(String),
    Set(String),
}

impl Place {
    /// The place as diagnostics have it: of the key, or of the value.
    pub(super) fn origin(&self, of_key: bool) -> Origin {
        match self {
            Place::Env(variable) => Origin::Env(variable.clone()),
            Place::Set(key) => Origin::Set(key.clone()),
            Place::Text { source, key, value } => {
                Origin::Text { source: source.clone(), span: if of_key { key } else { value }.clone() }
            }
        }
    }
}

/// Values that one file, variable or `--set` contributes.
#[derive(Default)]
pub(super) struct Document {
    pub values: Map<String, Value>,
    /// Of every table, list and value in it; a table comes before what is in it.
    pub places: Vec<Placed>,
}

/// A table, list or value, and where it came from.
pub(super) struct Placed {
    pub path: KeyPath,
    pub place: Place,
    pub form: Form,
}

/// Form of a value, as far as layers that lie over one another care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    List,
    Single,
}

/// Reads and parses a file. `None`: it cannot be used, and `found` says why. A key that is there twice is reported,
/// and the first one used.
pub(super) fn read(path: &Path, position: usize, found: &mut Vec<Diagnostic>) -> Option<Document> {
    let bytes = match read_regular(path, LARGEST_BYTES) {
        Ok(bytes) => bytes,
        Err(error) => {
            found.push(Diagnostic::new(Origin::File(path.to_owned()), "", format!("cannot be read: {error}")));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(path, position, &text, found),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            let message = format!("is not UTF-8 text: see line {line}");
            found.push(Diagnostic::new(Origin::File(path.to_owned()), "", message));
            None
        }
    }
}

fn parse(path: &Path, position: usize, text: &str, found: &mut Vec<Diagnostic>) -> Option<Document> {
    let source = Arc::new(SourceText::new(path.to_owned(), position, text));
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut usable = true;
    let mut echo_until = 0;
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        if span.start < echo_until {
            continue;
        }
        let origin = Origin::Text { source: source.clone(), span: span.clone() };
        let is_duplicate = error.message() == "duplicate key";
        echo_until = end_of_echo(text, span.start, is_duplicate);
        found.push(if is_duplicate {
            let name = text.get(span).unwrap_or_default();
            let hint = "merge the two, or give one of them another name";
            Diagnostic::new(origin, "", format!("{name} is there twice in this file")).hint(hint)
        } else {
            usable = false;
            Diagnostic::new(origin, "", format!("this is not TOML: {}", error.message()))
        });
    }
    if !usable {
        return None;
    }
    let place = |key, value| Place::Text { source: source.clone(), key, value };
    let mut reader = Reader { found, document: Document::default(), place: &place };
    let values = reader.table(table.get_ref(), &KeyPath::default());
    let mut document = reader.document;
    document.values = values;
    Some(document)
}

/// End of the part in which an error is followed by its own echoes: the end of its line, or, where a whole table is
/// there twice, the next table, because the keys in it are there twice as well.
fn end_of_echo(text: &str, offset: usize, is_duplicate: bool) -> usize {
    let line_start = text.as_bytes().iter().take(offset).rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let is_header = text.get(line_start..).is_some_and(|line| line.trim_start().starts_with('['));
    let end = if is_duplicate && is_header { "\n[" } else { "\n" };
    text.get(offset..).and_then(|behind| behind.find(end)).map_or(text.len(), |at| offset + at + 1)
}

/// Parses a TOML value that was given outside a file; `None` where the text is not TOML.
pub(super) fn parse_value(
    text: &str,
    path: &KeyPath,
    place: &Place,
    found: &mut Vec<Diagnostic>,
) -> Option<(Value, Vec<Placed>)> {
    let parsed = DeValue::parse(text).ok()?;
    let mut reader = Reader { found, document: Document::default(), place: &|_, _| place.clone() };
    let value = reader.value(&parsed, path, 0..0)?;
    Some((value, reader.document.places))
}

struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
    document: Document,
    /// The place of what has its key and its value there in the text.
    place: &'a dyn Fn(Range<usize>, Range<usize>) -> Place,
}

impl Reader<'_> {
    fn table(&mut self, table: &DeTable<'_>, above: &KeyPath) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let path = above.key(key.get_ref());
            // The merging of layers reads dots and brackets in a top-level key as steps down.
            if above.segments().is_empty() && !is_bare(key.get_ref()) {
                self.refuse(&path, key.span(), "unknown key", None);
            } else if let Some(value) = self.value(value, &path, key.span()) {
                values.insert(key.get_ref().to_string(), value);
            }
        }
        values
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, path: &KeyPath, key: Range<usize>) -> Option<Value> {
        let span = value.span();
        let form = match value.get_ref() {
            DeValue::Table(_) => Form::Table,
            DeValue::Array(_) => Form::List,
            _ => Form::Single,
        };
        let place = (self.place)(key, span.clone());
        self.document.places.push(Placed { path: path.clone(), place, form });
        let kind = match value.get_ref() {
            DeValue::String(text) => ValueKind::String(text.to_string()),
            DeValue::Boolean(flag) => ValueKind::Boolean(*flag),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => ValueKind::I64(number),
                Err(_) => return self.refuse(path, span, "the number is too large", None),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => ValueKind::Float(number),
                _ => return self.refuse(path, span, "the number is not finite", None),
            },
            DeValue::Datetime(_) => {
                return self.refuse(path, span, "no key takes a date or time", Some("put it in quotes"));
            }
            DeValue::Array(items) => {
                let mut values = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    // Refused ones leave an empty table, so that the places of the others stay true.
                    let item = self.value(item, &path.index(index), item.span());
                    values.push(item.unwrap_or_else(|| Value::new(None, ValueKind::Table(Map::new()))));
                }
                ValueKind::Array(values)
            }
            DeValue::Table(table) => ValueKind::Table(self.table(table, path)),
        };
        Some(Value::new(None, kind))
    }

    fn refuse(&mut self, path: &KeyPath, span: Range<usize>, message: &str, hint: Option<&str>) -> Option<Value> {
        let origin = (self.place)(span.clone(), span).origin(false);
        self.found.push(Diagnostic::new(origin, path, message).maybe_hint(hint.map(str::to_owned)));
        None
    }
}

//! Reading of values by the forms that keys declare: what does not fit is noted and left out, and the rest is read.

use toml::{Table, Value};

use super::diagnostic::SHOWN_AT_MOST;
use super::fault::Fault;
use super::hint::{did_you_mean, unit_hint, zero_hint};
use super::kind::{Key, KeyKind};
use super::path::{KeyPath, KeySegment};

/// A form that values of a key have.
pub trait Form: Sized {
    /// Kind of value that the key takes, as documentation and editors are told.
    const KIND: KeyKind;

    /// The value, or none where the reader noted why not.
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self>;

    /// Stand-in for an entry of a list that does not fit, so that the others keep their places.
    fn hole() -> Option<Self> {
        None
    }
}

/// Something that does not fit.
pub(super) struct Misfit {
    pub path: KeyPath,
    /// The key itself is wrong, not its value.
    pub key_is_wrong: bool,
    pub fault: Fault,
}

/// The place in the tree that is read, and everything that did not fit so far.
#[derive(Default)]
pub struct FormReader {
    at: KeyPath,
    pub(super) misfits: Vec<Misfit>,
}

impl FormReader {
    pub(super) fn within<T>(&mut self, segment: KeySegment, read: impl FnOnce(&mut Self) -> T) -> T {
        self.at.push(segment);
        let value = read(self);
        self.at.pop();
        value
    }

    /// The key at which is read; of times in a table of `keep`, whose names are the operator's, `keep.values`.
    pub(super) fn key(&self) -> &str {
        match self.at.segments() {
            [_, _, KeySegment::Key(keep), _, ..] if keep == "keep" => "keep.values",
            _ => self.at.last_key(),
        }
    }

    /// Notes what is wrong with the value.
    pub(super) fn refuse<T>(&mut self, fault: Fault) -> Option<T> {
        self.note(false, fault)
    }

    fn note<T>(&mut self, key_is_wrong: bool, fault: Fault) -> Option<T> {
        // Of more than are shown only the number matters, and not that much.
        if self.misfits.len() <= SHOWN_AT_MOST {
            self.misfits.push(Misfit { path: self.at.clone(), key_is_wrong, fault });
        }
        None
    }

    /// Refuses a value of another kind, without showing it: that may be a password in the wrong place.
    pub(super) fn mismatch<T>(&mut self, kind: KeyKind, value: &Value) -> Option<T> {
        let hint = hint_for(kind, value, self.key());
        self.expected(kind.phrase(), value, hint)
    }

    pub(super) fn expected<T>(&mut self, phrase: &str, value: &Value, hint: Option<String>) -> Option<T> {
        let found = match value {
            Value::String(_) => "a text",
            Value::Integer(_) | Value::Float(_) => "a bare number",
            Value::Boolean(_) => "true or false",
            Value::Datetime(_) => "a date",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        };
        self.refuse(Fault { message: format!("expected {phrase}, found {found}"), hint })
    }

    fn refuse_key(&mut self, name: &str, known: &[Key]) {
        let is_of_source = matches!(self.at.segments(), [KeySegment::Key(section), ..] if section == "sources");
        let names = known.iter().map(|key| key.name);
        let hint = match name {
            "password" if is_of_source => "use password_credential, password_file or the url".to_owned(),
            _ => did_you_mean(name, names.clone())
                .unwrap_or_else(|| format!("known are {}", names.collect::<Vec<_>>().join(", "))),
        };
        let fault = Fault::new("unknown key").hint(hint);
        self.within(KeySegment::Key(name.to_owned()), |reader| reader.note::<()>(true, fault));
    }
}

fn hint_for(kind: KeyKind, value: &Value, key: &str) -> Option<String> {
    let hint = match (kind.plain(), value) {
        (KeyKind::Duration | KeyKind::ShortDuration, Value::Integer(0)) => return Some(zero_hint(key)),
        (KeyKind::Duration | KeyKind::ShortDuration, Value::Integer(number)) => {
            return Some(unit_hint(key, number.unsigned_abs()));
        }
        (KeyKind::ShortDuration, _) => "write \"100ms\": a number and one of ms, s, m",
        (KeyKind::Duration, _) => "write \"30d\": a number and one of s, m, h, d, w",
        (KeyKind::Size, Value::Integer(number)) => {
            return Some(format!("give it a unit: \"{number}GiB\" or \"{number}MB\""));
        }
        (KeyKind::Size, _) => "write \"10GiB\": a number and one of B, kB, MB, GB, TB, KiB, MiB, GiB, TiB",
        (
            KeyKind::Text | KeyKind::Word(_) | KeyKind::Patterns | KeyKind::Names,
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_),
        ) => "put it in quotes",
        (KeyKind::Flag | KeyKind::Count(_) | KeyKind::Share | KeyKind::Number, Value::String(_)) => {
            "write it without quotes"
        }
        (KeyKind::List(_), Value::Table(_)) => "put the table in [ ]",
        (KeyKind::List(_), Value::String(_)) => "put it in [ ]",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// The entries of a table whose keys are declared.
pub struct Entries<'r> {
    table: &'r Table,
    reader: &'r mut FormReader,
}

impl<'r> Entries<'r> {
    pub(super) fn new(table: &'r Table, reader: &'r mut FormReader) -> Self {
        Self { table, reader }
    }

    /// The entries of a value that is a table; keys that are not declared are refused.
    pub(super) fn open(value: &'r Value, kind: KeyKind, reader: &'r mut FormReader) -> Option<Self> {
        let Value::Table(table) = value else { return reader.mismatch(kind, value) };
        for name in table.keys().filter(|name| kind.keys().iter().all(|key| key.name != *name)) {
            reader.refuse_key(name, kind.keys());
        }
        Some(Self { table, reader })
    }

    /// The value of a key, if it is there and fits.
    pub(super) fn optional<T: Form>(&mut self, name: &str) -> Option<T> {
        let value = self.table.get(name)?;
        self.reader.within(KeySegment::Key(name.to_owned()), |reader| T::read(value, reader))
    }

    /// The value of a key, or its default.
    pub(super) fn or<T: Form + Default>(&mut self, name: &str, default: impl Into<Value>) -> T {
        let value = self.optional(name);
        value.unwrap_or_else(|| T::read(&default.into(), self.reader).unwrap_or_default())
    }
}

/// Values by name, in the order in which they were declared.
pub type Named<T> = Vec<(String, T)>;

impl<T: Form> Form for Named<T> {
    const KIND: KeyKind = KeyKind::Named(&T::KIND);
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let Value::Table(table) = value else { return reader.mismatch(Self::KIND, value) };
        let read = |(name, value): (&String, &Value)| {
            let value = reader.within(KeySegment::Key(name.clone()), |reader| T::read(value, reader));
            value.map(|value| (name.clone(), value))
        };
        Some(table.iter().filter_map(read).collect())
    }
}

impl<T: Form> Form for Vec<T> {
    const KIND: KeyKind = KeyKind::List(&T::KIND);
    fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
        let Value::Array(items) = value else { return reader.mismatch(Self::KIND, value) };
        let read =
            |(index, item)| reader.within(KeySegment::Index(index), |reader| T::read(item, reader)).or_else(T::hole);
        items.iter().enumerate().map(read).collect()
    }
}

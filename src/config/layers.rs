//! Lays the layers over each other with the `config` crate, and remembers which layer each value came from.

use std::collections::HashMap;
use std::fmt;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};

use super::document::{Document, Form, Place, Placed};
use super::path::KeyPath;

/// The layers so far, the lowest first.
#[derive(Default)]
pub(super) struct Layers {
    layers: Vec<Layer>,
    places: HashMap<KeyPath, (Place, Form)>,
}

impl Layers {
    /// Lays a document over the ones before it: tables are joined key by key, all other values replaced.
    pub(super) fn add(&mut self, document: Document) {
        for Placed { path, place, form } in document.places {
            match self.places.get(&path) {
                // A table is where it was first declared, whoever adds keys to it.
                Some((_, Form::Table)) if form == Form::Table => continue,
                // What was in it is gone with it.
                Some((_, Form::Table | Form::List)) => self.places.retain(|other, _| !other.is_within(&path)),
                Some((_, Form::Single)) | None => {}
            }
            self.places.insert(path, (place, form));
        }
        self.layers.push(Layer(document.values));
    }

    /// The values of all layers together.
    pub(super) fn merge(&self) -> Result<toml::Value, ConfigError> {
        let builder = self.layers.iter().fold(Config::builder(), |builder, layer| builder.add_source(layer.clone()));
        Ok(to_toml(&builder.build()?.cache))
    }

    /// The values of each layer, also those that a later one replaces.
    pub(super) fn values(&self) -> Vec<&Map<String, Value>> {
        self.layers.iter().map(|layer| &layer.0).collect()
    }

    /// Origins of all tables, lists and values.
    pub(super) fn into_places(self) -> HashMap<KeyPath, Place> {
        self.places.into_iter().map(|(path, (place, _))| (path, place)).collect()
    }
}

#[derive(Clone)]
struct Layer(Map<String, Value>);

impl fmt::Debug for Layer {
    /// Values may be secret and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The merged tree as TOML values, which convert strictly: a number is never taken for a text.
fn to_toml(value: &Value) -> toml::Value {
    match &value.kind {
        ValueKind::Boolean(flag) => toml::Value::Boolean(*flag),
        ValueKind::I64(number) => toml::Value::Integer(*number),
        ValueKind::Float(number) => toml::Value::Float(*number),
        ValueKind::String(text) => toml::Value::String(text.clone()),
        ValueKind::Array(items) => toml::Value::Array(items.iter().map(to_toml).collect()),
        ValueKind::Table(table) => {
            toml::Value::Table(table.iter().map(|(key, value)| (key.clone(), to_toml(value))).collect())
        }
        // Documents hold none of these; as text they would fail the shape, not pass it.
        ValueKind::Nil => toml::Value::String(String::new()),
        ValueKind::I128(number) => toml::Value::String(number.to_string()),
        ValueKind::U64(number) => toml::Value::String(number.to_string()),
        ValueKind::U128(number) => toml::Value::String(number.to_string()),
    }
}

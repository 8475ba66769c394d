//! Configuration from files, environment and `--set` to settings: what is accepted, refused, and how that is said.

mod bounded;
mod changes;
mod documents;
mod layers;
mod refused;
mod refused_parts;
mod refused_rows;
mod rows;
mod schema;
mod secrets;
mod shown;
mod trees;

use std::path::PathBuf;

use retaind::config::{Diagnostics, Inputs};
use retaind::policy::{Settings, compile};
use tempfile::TempDir;

/// A configuration directory with a main file and fragments, and the inputs that go with it.
pub struct Etc {
    dir: TempDir,
    inputs: Inputs,
}

impl Etc {
    /// A directory whose main file holds `main`.
    pub fn new(main: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inputs = Inputs::of_file(dir.path().join("retaind.toml"));
        Self { dir, inputs }.with_file("retaind.toml", main)
    }

    pub fn with_file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.inputs.env.push((name.into(), value.into()));
        self
    }

    pub fn with_set(mut self, key: &str, value: &str) -> Self {
        self.inputs.set.push((key.to_owned(), value.to_owned()));
        self
    }

    pub fn with_inputs(mut self, change: impl FnOnce(&mut Inputs)) -> Self {
        change(&mut self.inputs);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// The settings; panics with what is wrong.
    pub fn settings(&self) -> Settings {
        compile::load(&self.inputs).unwrap_or_else(|wrong| panic!("{wrong}"))
    }

    /// What is wrong; panics if nothing is.
    pub fn wrong(&self) -> Diagnostics {
        compile::load(&self.inputs).map(|settings| panic!("accepted: {settings:?}")).unwrap_err()
    }

    /// What is wrong, line by line, without the directory's name.
    pub fn errors(&self) -> Vec<String> {
        let prefix = format!("{}/", self.dir.path().display());
        self.wrong().iter().map(|diagnostic| diagnostic.to_string().replace(&prefix, "")).collect()
    }
}

/// A source, two stores, and nothing that is deleted.
pub const BASE: &str = r#"
[sources.nvr]
url = "sqlite:/srv/nvr/nvr.db"

[stores.thumbnails]
path = "/srv/nvr/thumbnails"

[stores.images]
path = "/srv/nvr/images"

[policies.detections]
kind = "rows"
task = "retention"
source = "nvr"
table = "detections"
age = "detected_at"
keep = "30d"
files = [
  { store = "thumbnails", column = "thumbnail_path" },
  { store = "images", column = "file_path", enabled = false },
]
"#;

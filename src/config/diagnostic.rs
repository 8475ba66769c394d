//! Problems of a configuration, each with its place: shown as plain lines or beside the source line, never with a
//! password.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::mask::{mask_message, mask_source};

/// Most problems of a configuration that are shown.
pub(super) const SHOWN_AT_MOST: usize = 100;

/// A configuration file as it may be shown: passwords are masked, lengths are kept.
#[derive(Debug)]
pub struct SourceText {
    path: PathBuf,
    /// In which order the files were read, from 0.
    position: usize,
    masked: String,
}

impl SourceText {
    pub(super) fn new(path: PathBuf, position: usize, text: &str) -> Self {
        Self { path, position, masked: mask_source(text) }
    }

    /// Line and column of a byte, both from 1; columns count characters.
    fn line_column(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.masked.len());
        while !self.masked.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.masked[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// The place, or the input, that a diagnostic is about.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A place in a file.
    Text { source: Arc<SourceText>, span: Range<usize> },
    /// A file as a whole.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// A `--set`, by its key.
    Set(String),
}

impl Origin {
    /// Its layer, in the order in which layers are merged: files, then the environment, then `--set`.
    pub fn layer(&self) -> (usize, usize) {
        let (kind, position, _) = self.rank();
        (kind, position)
    }

    /// The file, where it is in one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Origin::Text { source, .. } => Some(&source.path),
            Origin::File(path) => Some(path),
            Origin::Env(_) | Origin::Set(_) => None,
        }
    }

    /// Line and column, both from 1.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        match self {
            Origin::Text { source, span } => Some(source.line_column(span.start)),
            Origin::File(_) | Origin::Env(_) | Origin::Set(_) => None,
        }
    }

    fn rank(&self) -> (usize, usize, usize) {
        match self {
            Origin::File(_) => (0, 0, 0),
            Origin::Text { source, span } => (1, source.position, span.start),
            Origin::Env(_) => (2, 0, 0),
            Origin::Set(_) => (3, 0, 0),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    origin: Origin,
    key: String,
    message: String,
    hint: Option<String>,
}

impl Diagnostic {
    /// A problem of `key` (a dotted path, or empty); the text may quote the configuration, urls are masked.
    pub fn new(origin: Origin, key: impl fmt::Display, message: impl AsRef<str>) -> Self {
        Self { origin, key: mask_message(&key.to_string()), message: mask_message(message.as_ref()), hint: None }
    }

    /// Adds advice on what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl AsRef<str>) -> Self {
        self.hint = Some(mask_message(hint.as_ref()));
        self
    }

    /// Adds the advice, where there is some.
    #[must_use]
    pub fn maybe_hint(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The dotted path of the key; empty where a whole file is at fault.
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The advice that [`Diagnostic::hint`] added.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// True if the call is at fault, whatever is on disk: a `--set`, or a variable without a meaning.
    pub fn is_of_the_call(&self) -> bool {
        match &self.origin {
            Origin::Set(_) => true,
            Origin::Env(_) => self.key.is_empty(),
            Origin::Text { .. } | Origin::File(_) => false,
        }
    }

    /// The file, where it comes from one.
    pub fn file(&self) -> Option<&Path> {
        self.origin.file()
    }

    /// Line and column, both from 1.
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.origin.line_column()
    }

    fn place(&self) -> String {
        match &self.origin {
            Origin::Text { source, span } => {
                let (line, column) = source.line_column(span.start);
                format!("{}:{line}:{column}", source.path.display())
            }
            Origin::File(path) => path.display().to_string(),
            Origin::Env(variable) => format!("environment variable {variable}"),
            Origin::Set(key) => format!("--set {key}"),
        }
    }

    /// `key: message`, or the message alone where the place says the key already.
    fn headline(&self) -> String {
        let said = matches!(&self.origin, Origin::Set(key) if *key == self.key);
        if self.key.is_empty() || said { self.message.clone() } else { format!("{}: {}", self.key, self.message) }
    }

    /// The diagnostic for a person: its line in full and no line around it.
    fn snippet(&self) -> Group<'_> {
        let report = match &self.origin {
            Origin::Text { source, span } => {
                // A mark over several lines would show them all; the first says enough.
                let behind = source.masked.get(span.start..).unwrap_or_default();
                let line_end = span.start + behind.find('\n').unwrap_or(behind.len());
                let mark = AnnotationKind::Primary.span(span.start..span.end.min(line_end).max(span.start));
                let snippet = Snippet::source(&source.masked).path(source.path.to_string_lossy()).annotation(mark);
                Level::ERROR.primary_title(self.headline()).element(snippet)
            }
            Origin::File(_) | Origin::Env(_) | Origin::Set(_) => {
                let headline = mask_message(&format!("{}: {}", self.place(), self.headline()));
                Group::with_title(Level::ERROR.primary_title(headline))
            }
        };
        report.elements(self.hint.iter().map(|hint| Level::HELP.message(hint)))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = mask_message(&format!("{}: {}", self.place(), self.headline()));
        f.write_str(&line)?;
        match &self.hint {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl serde::Serialize for Diagnostic {
    /// `{"file", "line", "column", "variable", "set", "key", "message", "hint"}`, absent ones null.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let variable = if let Origin::Env(variable) = &self.origin { Some(variable) } else { None };
        let set = if let Origin::Set(key) = &self.origin { Some(mask_message(key)) } else { None };
        let mut out = serializer.serialize_struct("Diagnostic", 8)?;
        out.serialize_field("file", &self.file().map(|path| path.display().to_string()))?;
        out.serialize_field("line", &self.line_column().map(|(line, _)| line))?;
        out.serialize_field("column", &self.line_column().map(|(_, column)| column))?;
        out.serialize_field("variable", &variable)?;
        out.serialize_field("set", &set)?;
        out.serialize_field("key", &self.key)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("hint", &self.hint)?;
        out.end()
    }
}

/// Problems of a configuration, in the order in which it was written: the first hundred, and a last one that says how
/// many more there are.
#[derive(Debug, Clone, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    shown: Vec<Diagnostic>,
    #[serde(skip)]
    found: usize,
}

impl Diagnostics {
    /// Sorts by place; what has the same place keeps its order.
    pub fn new(mut found: Vec<Diagnostic>) -> Self {
        found.sort_by_key(|diagnostic| diagnostic.origin.rank());
        let mut shown = found;
        let found = shown.len();
        if let (Some(last), true) = (shown.last(), found > SHOWN_AT_MOST) {
            let file = last.file().map(Path::to_owned).unwrap_or_default();
            let more = format!("at least {} more errors are not shown", found - SHOWN_AT_MOST);
            let more = Diagnostic::new(Origin::File(file), "", more).hint("fix those that are shown first");
            shown.truncate(SHOWN_AT_MOST);
            shown.push(more);
        }
        Self { shown, found }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.shown.iter()
    }

    /// Number of problems that were found, those that are not shown included.
    pub fn len(&self) -> usize {
        self.found
    }

    pub fn is_empty(&self) -> bool {
        self.found == 0
    }

    /// For a person: each with its source line; `colour` as the terminal wants it.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Unicode).term_width(120);
        let shown: Vec<_> = self.shown.iter().map(|shown| renderer.render(&[shown.snippet()]) + "\n").collect();
        shown.join("\n")
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.shown.iter()
    }
}

impl fmt::Display for Diagnostics {
    /// One line for each, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, diagnostic) in self.shown.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

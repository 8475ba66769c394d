//! Files that a row owns: by a column that names them, or by a template that its columns fill. Pure.

use std::fmt;

use super::{Ident, Name, Outside};

/// A file, or a whole directory, of a store that a row owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedFile {
    pub store: Name,
    pub path: FilePath,
    /// The path is a directory, which goes with everything in it.
    pub directory: bool,
    /// Fate of a row whose path is not one of the store's.
    pub outside: Outside,
    /// Nearly all of these files may be missing: that is no sign of a store that is not mounted.
    pub may_be_missing: bool,
}

impl OwnedFile {
    /// True if both are the same files, whatever else is said of them.
    pub fn is_same(&self, other: &OwnedFile) -> bool {
        self.store == other.store && self.path == other.path && self.directory == other.directory
    }
}

/// Source of the path of a row's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilePath {
    Column(Ident),
    Template(PathTemplate),
}

impl FilePath {
    /// The template, if it is one.
    pub fn template(&self) -> Option<&PathTemplate> {
        match self {
            FilePath::Column(_) => None,
            FilePath::Template(template) => Some(template),
        }
    }

    /// The columns that it is made of.
    pub fn columns(&self) -> Vec<&Ident> {
        match self {
            FilePath::Column(column) => vec![column],
            FilePath::Template(template) => template.columns().collect(),
        }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilePath::Column(column) => column.fmt(f),
            FilePath::Template(template) => template.fmt(f),
        }
    }
}

/// A path beneath a store's root with columns in braces: `{id}/preview`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    parts: Vec<TemplatePart>,
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart {
    Text(String),
    Column(Ident),
}

impl PathTemplate {
    /// Parses a template: relative, without `.` and `..`, with at least one column; `{{` and `}}` stand for braces.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let doubled = rest.starts_with("{{") || rest.starts_with("}}");
            match c {
                '{' if !doubled => {
                    let end = rest.find('}').ok_or("a '{' is not closed")?;
                    if !literal.is_empty() {
                        parts.push(TemplatePart::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(TemplatePart::Column(Ident::parse(&rest[1..end])?));
                    rest = &rest[end + 1..];
                    continue;
                }
                '}' if !doubled => return Err("a '}' has no '{' before it".to_owned()),
                other => literal.push(other),
            }
            rest = &rest[if doubled { 2 } else { c.len_utf8() }..];
        }
        if !literal.is_empty() {
            parts.push(TemplatePart::Text(literal));
        }
        if !parts.iter().any(|part| matches!(part, TemplatePart::Column(_))) {
            return Err("no column is named; write one in braces, such as \"{id}\"".to_owned());
        }
        let template = Self { text: text.to_owned(), parts };
        // Filled with a harmless value it must be a path by itself, and not an absolute one.
        let sample = template.join(|_| "x");
        if sample.starts_with('/') {
            return Err("the path begins beneath the store's root; leave out the '/' at its beginning".to_owned());
        }
        super::StorePath::parse(&sample)?;
        Ok(template)
    }

    /// The pieces, in order.
    pub fn parts(&self) -> &[TemplatePart] {
        &self.parts
    }

    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &Ident> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Column(column) => Some(column),
            TemplatePart::Text(_) => None,
        })
    }

    /// Fills in the values of the columns, in their order. `Ok(None)` where one is NULL or empty: the row has no such
    /// file. A value must not be more than a part of a name: one with a slash, or that is `.` or `..`, is refused.
    pub fn fill(&self, values: &[Option<String>]) -> Result<Option<String>, String> {
        for (column, value) in self.columns().zip(values) {
            match value.as_deref() {
                None | Some("") => return Ok(None),
                Some("." | "..") => return Err(format!("the value of {column} is no name of a file")),
                Some(value) if value.contains('/') => return Err(format!("the value of {column} has a '/'")),
                Some(_) => {}
            }
        }
        let mut values = values.iter().flatten();
        Ok(Some(self.join(|_| values.next().map_or("", String::as_str))))
    }

    /// True if the template may have made a path: where each of its columns holds a part of a name.
    pub fn fits(&self, path: &str) -> bool {
        let (mut theirs, mut mine) = (path.split('/'), self.segments().into_iter());
        loop {
            match (theirs.next(), mine.next()) {
                (None, None) => return true,
                (Some(name), Some(parts)) if fits_name(&parts, name) => {}
                _ => return false,
            }
        }
    }

    /// True if it may make a path beneath a directory: values have no slash, so that how deep its paths are is known.
    pub fn reaches_beneath(&self, directory: &str) -> bool {
        self.segments().len() > directory.split('/').count()
    }

    /// Its pieces, by components of the path.
    fn segments(&self) -> Vec<Vec<TemplatePart>> {
        let mut segments = vec![Vec::new()];
        for part in &self.parts {
            match part {
                TemplatePart::Column(_) => segments.last_mut().into_iter().for_each(|last| last.push(part.clone())),
                TemplatePart::Text(text) => {
                    for (index, text) in text.split('/').enumerate() {
                        if index > 0 {
                            segments.push(Vec::new());
                        }
                        if let (false, Some(last)) = (text.is_empty(), segments.last_mut()) {
                            last.push(TemplatePart::Text(text.to_owned()));
                        }
                    }
                }
            }
        }
        segments
    }

    /// Value of the only column in a path that the template made; none where there are several columns, or where the
    /// template made no such path.
    pub fn value_in<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (before, after) = match self.parts.as_slice() {
            [TemplatePart::Column(_)] => ("", ""),
            [TemplatePart::Text(before), TemplatePart::Column(_)] => (before.as_str(), ""),
            [TemplatePart::Column(_), TemplatePart::Text(after)] => ("", after.as_str()),
            [TemplatePart::Text(before), TemplatePart::Column(_), TemplatePart::Text(after)] => {
                (before.as_str(), after.as_str())
            }
            _ => return None,
        };
        let value = path.strip_prefix(before)?.strip_suffix(after)?;
        (!value.is_empty() && !value.contains('/')).then_some(value)
    }

    fn join<'a>(&'a self, mut value: impl FnMut(&'a Ident) -> &'a str) -> String {
        let parts = self.parts.iter().map(|part| match part {
            TemplatePart::Text(text) => text.as_str(),
            TemplatePart::Column(column) => value(column),
        });
        parts.collect()
    }
}

/// True if a name is made of these parts, a column standing for one character or more.
fn fits_name(parts: &[TemplatePart], name: &str) -> bool {
    match parts {
        [] => name.is_empty(),
        [TemplatePart::Text(text), rest @ ..] => {
            name.strip_prefix(text.as_str()).is_some_and(|name| fits_name(rest, name))
        }
        [TemplatePart::Column(_)] => !name.is_empty(),
        [TemplatePart::Column(_), rest @ ..] => {
            name.char_indices().skip(1).any(|(at, _)| fits_name(rest, &name[at..]))
                || (!name.is_empty() && fits_name(rest, ""))
        }
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(template: &str, values: &[Option<&str>]) -> Result<Option<String>, String> {
        let values: Vec<_> = values.iter().map(|value| value.map(str::to_owned)).collect();
        PathTemplate::parse(template).unwrap().fill(&values)
    }

    #[test]
    fn columns_fill_a_template() {
        assert_eq!(fill("{id}/preview", &[Some("7")]), Ok(Some("7/preview".to_owned())));
        assert_eq!(fill("{{x}}/{a}-{b}.png", &[Some("7"), Some("8")]), Ok(Some("{x}/7-8.png".to_owned())));
        assert_eq!(fill("{id}/preview", &[None]), Ok(None));
        assert_eq!(fill("{id}/preview", &[Some("")]), Ok(None));
    }

    #[test]
    fn g4_a_value_is_only_part_of_a_name() {
        for hostile in ["..", ".", "../x", "a/b", "/etc"] {
            assert!(fill("{id}/preview", &[Some(hostile)]).is_err(), "{hostile}");
        }
    }

    #[test]
    fn a_path_fits_the_template_that_made_it() {
        for (template, fits, others) in [
            ("{id}", &["7", "a b"][..], &["7/x", ""][..]),
            ("{id}/preview", &["7/preview"], &["7", "7/other", "7/8/preview"]),
            ("out/{a}-{b}.d", &["out/7-8.d", "out/a-b-c.d"], &["out/-8.d", "out/7-.d", "out/78.d", "x/7-8.d"]),
            ("{a}{b}", &["78"], &["7"]),
        ] {
            let template = PathTemplate::parse(template).unwrap();
            assert!(fits.iter().all(|path| template.fits(path)), "{template} {fits:?}");
            assert!(!others.iter().any(|path| template.fits(path)), "{template} {others:?}");
        }
    }

    #[test]
    fn a_template_is_relative_and_names_a_column() {
        for refused in ["", "preview", "/{id}", "../{id}", "{id", "id}", "{}", "{id}/../x"] {
            assert!(PathTemplate::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_path_gives_back_the_only_value() {
        let template = PathTemplate::parse("out/{id}.d").unwrap();
        assert_eq!(template.value_in("out/7.d"), Some("7"));
        assert_eq!(template.value_in("out/7/8.d"), None);
        assert_eq!(template.value_in("x/7.d"), None);
        assert_eq!(PathTemplate::parse("{a}{b}").unwrap().value_in("78"), None);
    }
}

//! Words of changes for what they compare: as the configuration writes it, but short.

use std::fmt::{self, Display};
use std::time::Duration;

use super::super::{
    AgeColumn, Child, Ident, Keep, KeepByValue, Mode, OnDelete, Outside, OwnedFile, Protection, Reference,
};

pub(super) fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Report => "report",
    }
}

pub(super) fn zone(zone: &jiff::tz::TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

pub(super) fn joined(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Place of a row's file: `thumbnails:thumbnail_path`, with a slash behind a directory.
pub(super) fn file(file: &OwnedFile) -> String {
    let slash = if file.directory { "/" } else { "" };
    format!("{}:{}{slash}", file.store, file.path)
}

/// Place of a row's file, and its other terms where they are not the default.
pub(super) fn file_terms(file: &OwnedFile) -> String {
    let outside = match file.outside {
        Outside::Keep => "",
        Outside::Release => " outside release",
    };
    format!("{}{outside}{}", self::file(file), if file.may_be_missing { " may_be_missing" } else { "" })
}

pub(super) fn age(age: &AgeColumn) -> String {
    format!("{} {}", if age.expires { "expires" } else { "age" }, age.column)
}

pub(super) fn keep(keep: &Keep) -> String {
    match keep {
        Keep::For(keep) => Shown(*keep).to_string(),
        Keep::ByValue(KeepByValue { column, values, default }) => {
            let values = values.iter().map(|(value, keep)| format!("{value} {}", Shown(*keep)));
            let others = default.iter().map(|keep| format!("others {}", Shown(*keep)));
            format!("by {column} ({})", values.chain(others).collect::<Vec<_>>().join(", "))
        }
    }
}

pub(super) fn protection(protection: &Protection) -> String {
    let Protection { table, on, condition } = protection;
    let condition = condition.as_ref().map(|condition| format!(" where {condition}")).unwrap_or_default();
    format!("({table} on {on}{condition})")
}

pub(super) fn on_delete(on_delete: OnDelete) -> &'static str {
    match on_delete {
        OnDelete::Delete => "delete",
        OnDelete::SetNull => "set-null",
        OnDelete::KeepParent => "keep-parent",
    }
}

/// `(detections.event_id delete thumbnails:thumbnail_path (notes.detection_id set-null))`.
pub(super) fn child(child: &Child) -> String {
    let Child { table, columns, references, on_delete: then, files, files_off: _, children } = child;
    let references = references.as_ref().map(|columns| format!(" = {}", names(columns))).unwrap_or_default();
    let inner: String =
        files.iter().map(file_terms).chain(children.iter().map(self::child)).map(|each| format!(" {each}")).collect();
    format!("({table}.{}{references} {}{inner})", names(columns), on_delete(*then))
}

/// `event_id`, or `dag+run` of several.
pub(super) fn names(columns: &[Ident]) -> String {
    columns.iter().map(Ident::as_str).collect::<Vec<_>>().join("+")
}

/// A duration as the configuration writes it.
pub(super) struct Shown(pub Duration);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        let mut separator = "";
        for (unit, secs) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
            if rest >= secs {
                write!(f, "{separator}{}{unit}", rest / secs)?;
                rest %= secs;
                separator = " ";
            }
        }
        match self.0.subsec_millis() {
            0 => Ok(()),
            millis => write!(f, "{separator}{millis}ms"),
        }
    }
}

/// A reference with the keys that make it protect less.
pub(super) fn reference(reference: &Reference) -> String {
    let Reference {
        source: _,
        table: _,
        path: _,
        directory: _,
        matching: _,
        ignore_prefix,
        may_be_missing,
        may_be_empty,
    } = reference;
    let mut words = reference.to_string();
    if !ignore_prefix.is_empty() {
        words.push_str(&format!(" but {}", ignore_prefix.join(" or ")));
    }
    for (is_set, key) in [(may_be_missing, "may_be_missing"), (may_be_empty, "may_be_empty")] {
        if *is_set {
            words.push_str(&format!(" {key}"));
        }
    }
    words
}

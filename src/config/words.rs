//! Words of the configuration: keys that take one of a few, and nothing else.

use toml::Value;

use super::fault::Fault;
use super::form::{Form, FormReader};
use super::hint::did_you_mean;
use super::kind::KeyKind;

/// Declares enums of words: each with what to write where another word stands, and with its variants, the default first.
macro_rules! words {
    ($($(#[$of:meta])* pub enum $name:ident, $hint:literal { $($(#[$meaning:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$meaning])* $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// Their words, likewise.
            pub const WORDS: &[&str] = &[$($word),+];

            /// The word that the configuration uses.
            pub const fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ALL[0]
            }
        }

        impl Form for $name {
            const KIND: KeyKind = KeyKind::Word(Self::WORDS);
            fn read(value: &Value, reader: &mut FormReader) -> Option<Self> {
                let text = String::read(value, reader)?;
                let known = Self::ALL.into_iter().find(|known| known.word() == text);
                known.or_else(|| {
                    let hint = did_you_mean(&text, Self::WORDS.iter().copied()).unwrap_or_else(|| $hint.to_owned());
                    let fault = Fault::new(format!("there is no {} {text:?}", reader.key()));
                    reader.refuse(fault.hint(hint))
                })
            }
        }
    )+};
}

words! {
    /// Effect of a decision: it is carried out, or only recorded.
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum Mode, "\"enforce\" deletes, \"report\" only says what it would delete" {
        Enforce = "enforce",
        Report = "report",
    }

    /// Trust in the machine's clock.
    pub enum ClockTrust, "\"check\" holds what goes by a clock that leapt, \"trust\" believes whatever the clock says" {
        /// A clock that leapt has to be confirmed before anything goes by it.
        Check = "check",
        /// Whatever it says.
        Trust = "trust",
    }

    /// Form of log lines on standard error.
    pub enum LogFormat, "\"text\" is a line for people, \"json\" an object for programs" {
        /// A line for people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }

    /// Least of what is logged.
    pub enum LogLevel, "there are error, warning, info, debug" {
        Info = "info",
        Error = "error",
        Warning = "warning",
        Debug = "debug",
    }

    /// Way in which the value of a row names a file.
    pub enum ReferenceMatch, "\"path\" takes the whole path, \"name\" its last segment; patterns belong to policies" {
        /// As a path of the store.
        Path = "path",
        /// By its last segment, whatever stands before it: every file of that name is named, wherever in the store.
        Name = "name",
    }

    /// Times of a file that its age goes by.
    pub enum AgeBy, "\"latest\" counts the latest time of a file, \"mtime\" only when it was written" {
        /// For orphans the latest of writing, change and birth; for policies of files the later of writing and birth.
        Latest = "latest",
        /// That of writing alone, whatever a copy or a restore has set it to.
        Written = "mtime",
    }

    /// Kind of a policy.
    pub enum KindWord, "write \"rows\", \"files\" or \"orphans\"" {
        Rows = "rows",
        Files = "files",
        Orphans = "orphans",
    }

    /// Unit of a number that counts since 1970-01-01 UTC.
    pub enum AgeFormat, "\"unix\" counts seconds since 1970, \"unix_ms\" milliseconds, \"unix_us\" microseconds, \"unix_ns\" \
        nanoseconds; dates and timestamps need none" {
        /// Seconds.
        Unix = "unix",
        /// Milliseconds.
        UnixMs = "unix_ms",
        /// Microseconds.
        UnixUs = "unix_us",
        /// Nanoseconds.
        UnixNs = "unix_ns",
    }

    /// The type of a parameter.
    pub enum ParamKind, "there are text, integer, boolean, timestamp, date, uuid" {
        Text = "text",
        Integer = "integer",
        Boolean = "boolean",
        /// An instant, RFC 3339.
        Timestamp = "timestamp",
        Date = "date",
        Uuid = "uuid",
    }

    /// Action on eligible rows.
    pub enum ActionWord, "there are \"delete\" and \"update\"" {
        Delete = "delete",
        Update = "update",
    }

    /// Fate of a row whose path does not map into the store.
    pub enum Outside, "\"keep\" keeps a row whose path is not one of the store's, \"release\" lets it go without its file" {
        /// The row stays, and with it the rows that would take it along.
        Keep = "keep",
        /// The row goes, and no file of it.
        Release = "release",
    }

    /// Fate of a child when its parent goes.
    pub enum OnDelete, "there are \"delete\", \"set-null\" and \"keep-parent\"" {
        Delete = "delete",
        SetNull = "set-null",
        /// The parent stays as long as it has children.
        KeepParent = "keep-parent",
    }

    /// Scope in which files are counted together.
    pub enum Per, "write \"directory\" or \"store\"" {
        /// The files of one directory, those beneath its directories left out.
        Directory = "directory",
        Store = "store",
    }

    /// Condition of which somebody is notified.
    #[derive(Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum NoticeEvent, "there are blocked, failed, held, overdue, source_down, start_failed" {
        /// A guard blocked a policy in its last run.
        Blocked = "blocked",
        /// A policy, or the run of a task, failed the last time.
        Failed = "failed",
        /// A policy waits for an approval.
        Held = "held",
        /// A slot of a task has passed, with its grace, and nothing ran.
        Overdue = "overdue",
        /// A source cannot be reached, or refuses the login.
        SourceDown = "source_down",
        /// The daemon could not start.
        StartFailed = "start_failed",
    }

    /// Form of what a webhook is sent.
    pub enum WebhookFormat, "there are json, ntfy, gotify, slack" {
        /// All facts, for programs.
        Json = "json",
        /// For an ntfy server.
        Ntfy = "ntfy",
        /// For a Gotify server.
        Gotify = "gotify",
        /// For Slack, and for what takes the same: Mattermost, Rocket.Chat, Discord.
        Slack = "slack",
    }

    /// Fate of a file that a process holds open.
    pub enum OpenFiles, "\"skip\" leaves files that a process holds open, \"delete\" takes them" {
        /// It stays until it is closed.
        Skip = "skip",
        /// It goes like any other: its space is free once it is closed.
        Delete = "delete",
    }
}

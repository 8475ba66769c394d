//! Words of the configuration that are values here: what they mean needs no compiling.

pub use crate::config::words::{
    AgeBy, AgeFormat, ClockTrust, LogFormat, LogLevel, Mode, NoticeEvent, OnDelete, OpenFiles, Outside, ParamKind, Per,
    ReferenceMatch, WebhookFormat,
};

//! Choice of log lines and of their target: the journal when systemd started us, else standard error.

use std::io::IsTerminal as _;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

use super::journal::{self, Flush};
use super::stderr::{Lead, Lines};
use crate::clock::Clock;
use crate::policy::{LogFormat, LogLevel};

/// Crates that log at info or debug what tells an operator nothing.
const NOISY: [&str; 6] = ["tokio_cron_scheduler", "tokio_postgres", "mysql_async", "rustls", "diesel", "diesel_async"];

/// Who logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// `retaind daemon`: info and above, with the time of day unless the journal adds it.
    Daemon,
    /// Any other command: warnings and errors, so that its own output is not drowned.
    Command,
}

/// True once the configuration wants JSON on standard error.
static WANTS_JSON: AtomicBool = AtomicBool::new(false);
/// Puts another filter in the place of the one by which the process logs.
static REFILTER: OnceLock<Box<dyn Fn(EnvFilter) + Send + Sync>> = OnceLock::new();

/// Keeps the way to the journal open; dropped at the very end of `main`, it waits until the last lines are sent.
#[must_use = "when it is dropped, lines still queued are sent and nothing waits for later ones"]
pub struct Guard {
    _flush: Option<Flush>,
}

/// Logs from now on as the configuration of the daemon says. `-v` and `RUST_LOG` decide over its level.
pub fn configure(format: LogFormat, level: LogLevel) {
    WANTS_JSON.store(format == LogFormat::Json, Ordering::Relaxed);
    if let Some(refilter) = REFILTER.get() {
        refilter(default_filter(word(level), "warn"));
    }
}

/// Level as filters write it.
fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warning => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
    }
}

/// Sets up logging for the process; `verbose` counts `-v`. `RUST_LOG`, where set and valid, decides instead of it.
///
/// Never fails: without a journal it falls back to standard error, with a bad `RUST_LOG` to the default, and says so.
/// A second call in one process changes nothing.
pub fn init(voice: Voice, verbose: u8) -> Guard {
    let rust_log = std::env::var("RUST_LOG").ok().filter(|text| !text.trim().is_empty());
    let (filter, complaint) = filter(voice, verbose, rust_log.as_deref());
    // The configuration may ask for debug lines later.
    let level = filter.max_level_hint().unwrap_or(LevelFilter::TRACE).max(LevelFilter::DEBUG);
    let (filter, handle) = reload::Layer::new(filter);
    let wanted = voice == Voice::Daemon && stderr_is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref());
    let (layer, flush, trouble) = if wanted {
        match journal::connect(level) {
            Ok((queue, flush)) => (queue.boxed(), Some(flush), None),
            Err(error) => (stderr_lines(Lead::Priority), None, Some(error)),
        }
    } else {
        let lead = if voice == Voice::Daemon { Lead::TimeAndLevel } else { Lead::Level };
        (stderr_lines(lead), None, None)
    };
    // Fails only when a subscriber is set already, which then stays.
    let is_set = Registry::default().with(layer).with(filter).try_init().is_ok();
    if is_set && voice == Voice::Daemon && verbose == 0 && (rust_log.is_none() || complaint.is_some()) {
        // It fails only once the subscriber is gone, which stays as long as the process does.
        let _ = REFILTER.set(Box::new(move |filter| drop(handle.reload(filter))));
    }
    if let Some(complaint) = complaint {
        tracing::warn!("Ignored RUST_LOG: {complaint}");
    }
    if let Some(error) = trouble {
        tracing::warn!(%error, "Journal socket can't be reached, logging to standard error");
    }
    Guard { _flush: flush }
}

fn stderr_lines(lead: Lead) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = Lines { lead, colour: stderr_has_colour(), clock: Clock::system(), wants_json: &WANTS_JSON };
    tracing_subscriber::fmt::layer().event_format(lines).with_writer(std::io::stderr).boxed()
}

/// A terminal that was not asked to be plain.
fn stderr_has_colour() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// True if standard error is the stream that systemd connected to the journal, and not a redirection of it.
fn stderr_is_journal(journal_stream: Option<&str>) -> bool {
    stream_is(journal_stream, std::io::stderr())
}

fn stream_is(journal_stream: Option<&str>, stream: impl AsFd) -> bool {
    let Some((device, inode)) = journal_stream.and_then(|text| text.split_once(':')) else { return false };
    let (Ok(device), Ok(inode)) = (device.parse::<u64>(), inode.parse::<u64>()) else { return false };
    rustix::fs::fstat(stream).is_ok_and(|stat| stat.st_dev == device && stat.st_ino == inode)
}

/// The filter, and what is wrong with RUST_LOG, if anything.
fn filter(voice: Voice, verbose: u8, rust_log: Option<&str>) -> (EnvFilter, Option<String>) {
    let quiet = match voice {
        Voice::Daemon => "info",
        Voice::Command => "warn",
    };
    let (ours, others) = match verbose {
        0 => (quiet, "warn"),
        1 if voice == Voice::Command => ("info", "warn"),
        1 => ("debug", "warn"),
        2 => ("debug", "info"),
        _ => ("trace", "debug"),
    };
    let default = default_filter(ours, others);
    match rust_log.filter(|text| !text.trim().is_empty()).map(EnvFilter::try_new) {
        None => (default, None),
        Some(Ok(asked)) => (asked, None),
        Some(Err(error)) => (default, Some(error.to_string())),
    }
}

fn default_filter(ours: &str, others: &str) -> EnvFilter {
    let noisy: String = NOISY.iter().map(|name| format!(",{name}={others}")).collect();
    EnvFilter::new(format!("{ours}{noisy}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn journal_stream_must_name_the_very_stream() {
        let (ours, other) = UnixStream::pair().unwrap();
        let stat = rustix::fs::fstat(&ours).unwrap();
        let named = format!("{}:{}", stat.st_dev, stat.st_ino);
        assert!(stream_is(Some(&named), &ours));
        assert!(!stream_is(Some(&named), &other), "a redirected stream is not the journal");
        assert!(!stream_is(None, &ours));
        for broken in ["", "1", "a:b", "1:2:3"] {
            assert!(!stream_is(Some(broken), &ours), "{broken}");
        }
    }

    #[test]
    fn rust_log_overrides_verbose_unless_it_is_broken() {
        let level = |voice, verbose, rust_log| filter(voice, verbose, rust_log).0.max_level_hint().unwrap();
        assert_eq!(level(Voice::Daemon, 0, None), LevelFilter::INFO);
        assert_eq!(level(Voice::Command, 0, None), LevelFilter::WARN);
        assert_eq!(level(Voice::Daemon, 1, None), LevelFilter::DEBUG);
        assert_eq!(level(Voice::Daemon, 3, Some("error")), LevelFilter::ERROR);
        assert_eq!(level(Voice::Daemon, 0, Some("")), LevelFilter::INFO);
        let (broken, complaint) = filter(Voice::Daemon, 0, Some("retaind=loud"));
        assert_eq!(broken.max_level_hint(), Some(LevelFilter::INFO));
        assert!(complaint.is_some_and(|text| text.contains("filter")));
    }

    #[test]
    fn noisy_crates_keep_quiet_by_default() {
        let text = filter(Voice::Daemon, 0, None).0.to_string();
        assert!(text.contains("tokio_cron_scheduler=warn"), "{text}");
    }
}

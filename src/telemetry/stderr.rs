//! Log lines for standard error: one readable line each; control characters from names and paths are escaped.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;

/// Words before the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// Time and level: a daemon in the foreground.
    TimeAndLevel,
    /// The level alone: a command.
    Level,
    /// `<6>`, which journald and syslog read as the priority; they know the time themselves.
    Priority,
}

/// Formats a line for standard error.
pub(super) struct Lines {
    pub lead: Lead,
    pub colour: bool,
    pub clock: Clock,
    /// True once a daemon in the foreground is to write one JSON object a line.
    pub wants_json: &'static AtomicBool,
}

/// Fields of an event, as JSON has them.
#[derive(Default)]
struct Fields(serde_json::Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// An event's message and its other fields, escaped.
#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
    /// The message of an event with a MESSAGE_ID says it all; its fields are for the journal.
    complete: bool,
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = escape(&format!("{value:?}"));
        match field.name() {
            "message" => self.message = text,
            "message_id" => self.complete = true,
            name => {
                let quote = if text.contains(' ') || text.is_empty() { "\"" } else { "" };
                // Writing to a String can't fail.
                let _ = write!(self.fields, " {name}={quote}{text}{quote}");
            }
        }
    }
}

/// Text with its control characters shown instead of obeyed.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn style(level: Level) -> Style {
    match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default().bold(),
        Level::INFO => AnsiColor::Green.on_default(),
        Level::DEBUG | Level::TRACE => AnsiColor::BrightBlack.on_default(),
    }
}

impl Lines {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn render(&self, level: Level, parts: &Parts) -> String {
        let lead = match self.lead {
            Lead::Priority => format!("<{}>", priority(level)),
            Lead::Level => format!("{} ", self.paint(style(level), &format!("{}:", word(level)))),
            Lead::TimeAndLevel => {
                let now = format!("{:.0}", self.clock.now());
                let dim = AnsiColor::BrightBlack.on_default();
                format!("{} {} ", self.paint(dim, &now), self.paint(style(level), &format!("{}:", word(level))))
            }
        };
        let fields = if parts.complete { String::new() } else { self.paint(Style::new().dimmed(), &parts.fields) };
        format!("{lead}{}{fields}", parts.message)
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        if self.lead == Lead::TimeAndLevel && self.wants_json.load(Ordering::Relaxed) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            fields.0.insert("time".to_owned(), format!("{:.3}", self.clock.now()).into());
            fields.0.insert("level".to_owned(), word(level).into());
            return writeln!(writer, "{}", Value::Object(fields.0));
        }
        let mut parts = Parts::default();
        event.record(&mut parts);
        writeln!(writer, "{}", self.render(level, &parts))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static JSON: AtomicBool = AtomicBool::new(true);
    static TEXT: AtomicBool = AtomicBool::new(false);

    fn logged(lead: Lead, colour: bool, log: impl FnOnce()) -> String {
        logged_as(&TEXT, lead, colour, log)
    }

    fn logged_as(wants_json: &'static AtomicBool, lead: Lead, colour: bool, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let clock = Clock::manual("2026-03-01T03:00:00Z".parse().unwrap());
        let layer = tracing_subscriber::fmt::layer()
            .event_format(Lines { lead, colour, clock, wants_json })
            .with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn each_lead_has_its_form() {
        let line = |lead| logged(lead, false, || tracing::warn!(policy = "events", "Slow"));
        assert_eq!(line(Lead::TimeAndLevel), "2026-03-01T03:00:00Z warning: Slow policy=events\n");
        assert_eq!(line(Lead::Level), "warning: Slow policy=events\n");
        assert_eq!(line(Lead::Priority), "<4>Slow policy=events\n");
    }

    #[test]
    fn the_message_of_an_operator_event_stands_alone() {
        let line = logged(Lead::Level, false, || tracing::info!(message_id = "0", tasks = 3, "Ready with {} tasks", 3));
        assert_eq!(line, "info: Ready with 3 tasks\n");
    }

    #[test]
    fn json_has_every_field_and_the_message() {
        let log = || tracing::warn!(policy = "a\nb", rows = 7_u64, forced = true, error = %"x", "Slow by {}", "far");
        let line = logged_as(&JSON, Lead::TimeAndLevel, true, log);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let wanted = serde_json::json!({
            "time": "2026-03-01T03:00:00.000Z", "level": "warning", "message": "Slow by far",
            "policy": "a\nb", "rows": 7, "forced": true, "error": "x",
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), wanted);
        let journal = logged_as(&JSON, Lead::Priority, false, || tracing::warn!("Slow"));
        assert_eq!(journal, "<4>Slow\n", "a journal has fields of its own");
    }

    #[test]
    fn a_hostile_name_can_not_steer_the_terminal() {
        let line = logged(Lead::Level, false, || tracing::warn!(path = "a\n\u{1b}[2Jb", "Kept {}", "x\ry"));
        assert_eq!(line, "warning: Kept x\\ry path=a\\n\\u{1b}[2Jb\n");
    }

    #[test]
    fn colour_only_when_asked() {
        let log = || tracing::error!("Broken");
        assert!(logged(Lead::Level, true, log).contains("\u{1b}["));
        assert!(!logged(Lead::Level, false, log).contains('\u{1b}'));
    }
}

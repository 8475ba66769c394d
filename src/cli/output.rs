//! Streams of a command: data to standard output, everything else to standard error. Never panics on a closed pipe.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

use super::args::{Color, Shared};
use crate::outcome::FORMAT_VERSION;
use crate::report::{Layout, style};

/// Narrower than this no table is readable; a terminal that says so is not believed.
const NARROWEST: u16 = 20;

/// True once a document was written: a program that asked gets one.
static HAS_ANSWERED: AtomicBool = AtomicBool::new(false);

/// Answer of every command with `--json` that did not do what it was asked to.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub struct RefusedCommand<'a> {
    /// Complaint of the command.
    error: Complaint<'a>,
}

/// Complaint by a stable word, and in words.
#[derive(serde::Serialize, schemars::JsonSchema)]
pub struct Complaint<'a> {
    /// Word of the complaint, which stays the same.
    pub code: &'a str,
    /// Words for a person.
    pub message: &'a str,
    /// Advice on what to do.
    pub hint: Option<&'a str>,
}

/// The two streams, and how to write to them.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub layout: Layout,
    /// True if progress may be drawn: standard error is a terminal, and no log lines come between.
    pub bars: bool,
}

impl Output {
    /// Looks at the terminal, and settles for the whole process whether colour is used.
    pub fn new(shared: &Shared) -> Self {
        choose_color(shared.color);
        let layout = if io::stdout().is_terminal() { Layout::Tables { width: width() } } else { Layout::Lines };
        Self { json: shared.json, layout, bars: io::stderr().is_terminal() && shared.verbose == 0 }
    }

    /// Writes a page to standard output.
    pub fn page(&self, text: &str) -> anyhow::Result<()> {
        written(anstream::stdout().lock().write_all(text.as_bytes()))
    }

    /// Writes a value to standard output as JSON. An object says of which version it is; a list has no place for that.
    pub fn value(&self, value: &impl serde::Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value).context("the result cannot be written as JSON")?;
        let text = match text.strip_prefix('{') {
            Some("}") => format!("{{\n  \"format_version\": {FORMAT_VERSION}\n}}"),
            Some(fields) => format!("{{\n  \"format_version\": {FORMAT_VERSION},{fields}"),
            None => text,
        };
        self.plain(&text)
    }

    /// Writes a document that is of a form of its own.
    pub fn plain(&self, text: &str) -> anyhow::Result<()> {
        HAS_ANSWERED.store(true, Ordering::Relaxed);
        written(io::stdout().lock().write_all(format!("{text}\n").as_bytes()))
    }

    /// Writes why a command did not do what it was asked to. Programs read it on standard output, where nothing else was
    /// written.
    pub fn refuse(&self, code: &str, error: &anyhow::Error, hint: Option<&str>) {
        complain(error, hint);
        if self.json && !HAS_ANSWERED.load(Ordering::Relaxed) {
            let causes = causes(error);
            let message = std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ");
            // Standard output that cannot be written was no better than the error.
            let _ = self.value(&RefusedCommand { error: Complaint { code, message: &message, hint } });
        }
    }

    /// Writes a value as JSON or as a page, as was asked.
    pub fn show<T: serde::Serialize>(&self, value: &T, page: impl FnOnce(&T, Layout) -> String) -> anyhow::Result<()> {
        if self.json { self.value(value) } else { self.page(&page(value, self.layout)) }
    }
}

/// Writes a remark to standard error; a closed one is nobody's concern.
pub fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Writes something that a person should look at to standard error.
pub fn remark(matter: &str) {
    say(&format!("{} {matter}", style::paint(style::CARE, "attention:")));
}

/// Causes of an error, without those that the one before has said.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let all: Vec<String> = error.chain().map(ToString::to_string).collect();
    all.windows(2).filter(|pair| !pair[0].ends_with(&pair[1])).map(|pair| pair[1].clone()).collect()
}

/// Writes an error with its causes, one a line, and what to do.
pub fn complain(error: &anyhow::Error, hint: Option<&str>) {
    let mut text = format!("{} {error}", style::paint(style::BAD, "error:"));
    for cause in causes(error) {
        text.push_str(&format!("\n  caused by: {cause}"));
    }
    if let Some(hint) = hint {
        text.push_str(&format!("\n{} {hint}", style::paint(style::CARE, "hint:")));
    }
    say(&text);
}

/// Whoever reads may stop reading (`| head`): that is no failure.
pub fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("standard output cannot be written")
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// True if standard error takes colour.
pub fn stderr_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

fn choose_color(color: Color) {
    match color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
}

fn width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col >= NARROWEST => usize::from(size.ws_col),
        Ok(_) | Err(_) => 80,
    }
}

//! Findings of `retaind check`: each thing that was looked at, its state, and the fix.

use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, CARE, GOOD, STRONG, paint};
use super::table::{Layout, wrap};
use crate::text::human::counted;
use crate::text::printable;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warn,
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Weight of what was found.
    pub level: Level,
    /// Subject: `source nvr`, `policy detections`, `store thumbnails`, `state directory`.
    pub subject: String,
    /// State of the subject, in words.
    pub message: String,
    /// Word of the reason, where it is one for which runs take nothing: what `blocked_code` has then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// Fix: a sentence, a statement or a drop-in, ready to be copied. Null where there is no problem.
    pub fix: Option<String>,
}

/// Everything that `check --json` prints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Findings {
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

impl Findings {
    /// Something is as it should be.
    pub fn ok(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        self.push(Level::Ok, None, subject.into(), message.into(), None);
    }

    /// Something works but should be looked at; `fix` may be empty.
    pub fn warn(&mut self, subject: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) {
        self.push(Level::Warn, None, subject.into(), message.into(), Some(fix.into()));
    }

    /// Something does not work; `fix` may be empty.
    pub fn error(&mut self, subject: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) {
        self.push(Level::Error, None, subject.into(), message.into(), Some(fix.into()));
    }

    /// Something for which runs take nothing, by the word that their results have for it.
    pub fn blocks(
        &mut self,
        level: Level,
        code: &'static str,
        subject: impl Into<String>,
        message: String,
        fix: String,
    ) {
        self.push(level, Some(code), subject.into(), message, Some(fix));
    }

    fn push(
        &mut self,
        level: Level,
        code: Option<&'static str>,
        subject: String,
        message: String,
        fix: Option<String>,
    ) {
        let finding = Finding { level, subject, message, code, fix: fix.filter(|fix| !fix.is_empty()) };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Adds what was found elsewhere.
    pub fn extend(&mut self, others: Findings) {
        for finding in others.findings {
            let Finding { level, subject, message, code, fix } = finding;
            self.push(level, code, subject, message, fix);
        }
    }

    /// Number of findings of a level.
    pub fn count(&self, level: Level) -> u64 {
        self.findings.iter().filter(|finding| finding.level == level).count() as u64
    }
}

/// The findings as a page, in the order in which they were found.
pub fn render_findings(findings: &Findings, layout: Layout) -> String {
    let mut page = String::new();
    for finding in &findings.findings {
        page.push_str(&one(finding, layout));
    }
    let (errors, warnings) = (findings.count(Level::Error), findings.count(Level::Warn));
    let verdict = match (errors, warnings) {
        (0, 0) => paint(GOOD, "All is well"),
        (0, _) => paint(CARE, "Usable"),
        _ => paint(BAD, "Not usable as it is"),
    };
    page.push_str(&format!("{verdict}: {}, {}\n", counted(errors, "error"), counted(warnings, "warning")));
    page
}

fn one(finding: &Finding, layout: Layout) -> String {
    let mark = match finding.level {
        Level::Ok => paint(GOOD, "ok   "),
        Level::Warn => paint(CARE, "warn "),
        Level::Error => paint(BAD, "error"),
    };
    let subject = printable(&finding.subject);
    let head = format!("{subject}: {}", printable(&finding.message));
    let mut text = String::new();
    let lines = match layout {
        Layout::Tables { width } => wrap(&head, width.saturating_sub(8).max(20)),
        Layout::Lines => vec![head],
    };
    for (index, line) in lines.iter().enumerate() {
        let shown =
            if index == 0 { format!("{mark}  {}", bold_subject(line, &subject)) } else { format!("       {line}") };
        text.push_str(&shown);
        text.push('\n');
    }
    // What is to be copied is indented and never wrapped, so that it stays copyable.
    for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
        text.push_str(&format!("         {}\n", printable(line)));
    }
    text
}

fn bold_subject(line: &str, subject: &str) -> String {
    match line.strip_prefix(subject) {
        Some(rest) => format!("{}{rest}", paint(STRONG, subject)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn findings() -> Findings {
        let mut findings = Findings::default();
        findings.ok("source nvr", "PostgreSQL 15.6, TLS");
        findings.warn(
            "policy detections",
            "no index on age column detected_at",
            "CREATE INDEX ON detections (detected_at);",
        );
        findings.error("store thumbnails", "/srv/thumbs is not writable", "[Service]\nReadWritePaths=/srv/thumbs");
        findings.error("store thumbnails", "/srv/thumbs is not writable", "[Service]\nReadWritePaths=/srv/thumbs");
        findings
    }

    #[test]
    fn each_finding_appears_once_with_its_remedy_below() {
        let page = strip_str(&render_findings(&findings(), Layout::Lines)).to_string();
        let expected = "\
ok     source nvr: PostgreSQL 15.6, TLS
warn   policy detections: no index on age column detected_at
         CREATE INDEX ON detections (detected_at);
error  store thumbnails: /srv/thumbs is not writable
         [Service]
         ReadWritePaths=/srv/thumbs
Not usable as it is: 1 error, 1 warning
";
        assert_eq!(page, expected);
        let narrow = strip_str(&render_findings(&findings(), Layout::Tables { width: 40 })).to_string();
        assert!(narrow.contains("warn   policy detections: no index on\n       age column detected_at\n"), "{narrow}");
    }

    #[test]
    fn the_json_has_stable_keys() {
        let json = serde_json::to_value(findings()).unwrap();
        let first = serde_json::json!({
            "level": "ok", "subject": "source nvr", "message": "PostgreSQL 15.6, TLS", "fix": null
        });
        assert_eq!(json["findings"][0], first);
    }
}

//! Fixes of what was found, in the order in which they have to be made, as one shell script. Runs nothing.

use std::fmt::Write;

use super::logins::PASSWORD;
use super::service::SERVICE;
use crate::policy::Source;
use crate::report::{Finding, Findings, Level};

/// Beginning of a fix that is a drop-in of the service.
const DROP_IN: &str = "systemctl edit retaind\n[Service]\n";
/// Beginnings of fixes that are SQL, in the order in which they are run.
const SQL: [&str; 6] = ["CREATE ROLE ", "DO ", "CREATE USER ", "GRANT ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];

const HEAD: &str = "\
#!/bin/sh
# Fixes of what `retaind check` found, in order. Read it, then run it as root.
set -eu
";

/// Keeps a script from making a login with a password that everybody knows.
const STOP: &str = "echo 'Write the passwords into this script, and take this line out.' >&2; exit 1\n";

/// Fixes by kind, each once.
#[derive(Default)]
struct Fixes {
    /// Commands that let the service reach files.
    rights: Vec<String>,
    drop_in: Vec<String>,
    /// Systemd has to read the unit anew.
    reloads: bool,
    /// Steps that a person has to decide or write.
    by_hand: Vec<String>,
}

/// The script for what was found; `by_source` was found at sources, `elsewhere` anywhere else.
pub(super) fn script(by_source: &[(&Source, Findings)], elsewhere: &Findings) -> String {
    let (mut script, mut fixes) = (String::new(), Fixes::default());
    for (source, findings) in by_source {
        let mut statements = Vec::new();
        for finding in wanting(findings) {
            match rank(finding) {
                Some(_) => statements.extend(lines(finding).filter(|line| rank_of(line).is_some()).map(str::to_owned)),
                None => fixes.add(finding),
            }
        }
        script.push_str(&sql(source, statements));
    }
    wanting(elsewhere).for_each(|finding| fixes.add(finding));
    script.push_str(&fixes.rest());
    let stop = if script.contains(PASSWORD) { STOP } else { "" };
    format!("{HEAD}{stop}{script}")
}

/// Findings with a fix. Who checks is not what is fixed.
fn wanting(findings: &Findings) -> impl Iterator<Item = &Finding> {
    let wants = |finding: &&Finding| finding.level > Level::Ok && finding.subject != "user";
    findings.findings.iter().filter(wants)
}

fn lines(finding: &Finding) -> impl Iterator<Item = &str> {
    finding.fix.as_deref().unwrap_or_default().lines()
}

/// Place of a fix that is SQL among others.
fn rank(finding: &Finding) -> Option<usize> {
    rank_of(finding.fix.as_deref()?)
}

fn rank_of(statement: &str) -> Option<usize> {
    SQL.iter().position(|beginning| statement.starts_with(beginning))
}

/// The statements for a source, each once: roles, then grants, then indexes.
fn sql(source: &Source, mut statements: Vec<String>) -> String {
    statements.sort_by_key(|statement| rank_of(statement));
    let mut once: Vec<String> = Vec::new();
    for statement in statements {
        if !once.contains(&statement) {
            once.push(statement);
        }
    }
    if once.is_empty() {
        return String::new();
    }
    let commands = heredoc(&source.endpoint.administration(), "END_OF_SQL", &once.join("\n"));
    format!("\n# Source {}\n{commands}", source.name)
}

/// A command with its input, in which nothing means anything to the shell.
fn heredoc(command: &str, end: &str, input: &str) -> String {
    let mut end = end.to_owned();
    while input.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("{command} <<'{end}'\n{input}\n{end}\n")
}

fn add_once(list: &mut Vec<String>, lines: Vec<String>) {
    for line in lines {
        if !list.contains(&line) {
            list.push(line);
        }
    }
}

impl Fixes {
    fn add(&mut self, finding: &Finding) {
        let fix = finding.fix.as_deref().unwrap_or_default();
        // Alternatives follow, in words.
        let first = |text: &str| -> Vec<String> {
            text.lines().take_while(|line| !line.starts_with("or ")).map(str::to_owned).collect()
        };
        let (before, drop_in) = fix.split_once(DROP_IN).map_or((fix, None), |(before, lines)| (before, Some(lines)));
        let opens = ["setfacl ", "find ", "setpriv "].iter().any(|command| before.starts_with(command));
        if finding.subject == SERVICE {
            // The restart is the end of the script.
            self.reloads |= fix.contains("daemon-reload");
        } else if drop_in.is_some() || opens {
            add_once(&mut self.rights, first(before));
            add_once(&mut self.drop_in, drop_in.map(first).unwrap_or_default());
        } else {
            let said = format!("{}: {}", finding.subject, finding.message);
            let lines = std::iter::once(said).chain((!fix.is_empty()).then(|| format!("  {fix}")));
            add_once(&mut self.by_hand, lines.collect());
        }
    }

    /// The part of the script that follows the databases.
    fn rest(&self) -> String {
        let mut text = String::new();
        if !self.rights.is_empty() {
            text.push_str("\n# Files\n");
            if self.rights.iter().any(|line| line.starts_with("setfacl ")) {
                let needed =
                    "command -v setfacl > /dev/null || { echo 'Install the package acl first.' >&2; exit 1; }\n";
                text.push_str(needed);
            }
            self.rights.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        if !self.drop_in.is_empty() {
            let lines = format!("[Service]\n{}", self.drop_in.join("\n"));
            text.push_str("\n# Walls around the service\nmkdir -p /etc/systemd/system/retaind.service.d\n");
            let command = "cat > /etc/systemd/system/retaind.service.d/retaind-check.conf";
            text.push_str(&heredoc(command, "END_OF_UNIT", &lines));
        }
        if self.reloads || !self.drop_in.is_empty() {
            text.push_str("systemctl daemon-reload\n");
        }
        if !self.by_hand.is_empty() {
            text.push_str("\n# By hand:\n");
            for line in self.by_hand.iter().flat_map(|entry| entry.lines()) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "#   {line}");
            }
        }
        text.push_str("\n# then:\nsystemctl restart retaind\n");
        text
    }
}

//! Commands of the operator's: `before` and `after` of a task, `alive` of a policy.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::raw::RawHook;
use crate::config::{Fault, KeyPath};

use super::super::{Argument, CommandLine, Hook, Ident};
use super::Gather;
use super::value::parse_absolute;

impl Gather<'_> {
    /// The command that a task runs before or after its policies; its arguments are taken as they are.
    pub(super) fn hook(&mut self, table: &KeyPath, raw: &RawHook) -> Option<Hook> {
        let hint = "write { command = [\"/PROGRAM\", \"ARGUMENT\"] }";
        let command = self.required(table, "command", &raw.command, hint)?;
        self.plain_command(&table.key("command"), command, (raw.timeout.0, hint))
    }

    /// A command whose arguments are taken as they are.
    pub(super) fn plain_command(
        &mut self,
        path: &KeyPath,
        command: &[String],
        (timeout, hint): (Duration, &str),
    ) -> Option<Hook> {
        let (program, arguments) = self.program(path, command, hint)?;
        for (index, argument) in arguments.iter().enumerate() {
            self.check(&path.index(index + 1), without_nul(argument));
        }
        Some(Hook { program: program?, arguments: arguments.to_vec(), timeout })
    }

    /// The command of `alive`, whose arguments may be columns.
    pub(super) fn command_line(
        &mut self,
        table: &KeyPath,
        command: &[String],
        timeout: Duration,
    ) -> Option<CommandLine> {
        let path = table.key("command");
        let (program, arguments) = self.program(&path, command, "write command = [\"/PROGRAM\", \"{id}\"]")?;
        let arguments = arguments.iter().enumerate();
        let arguments =
            arguments.filter_map(|(index, text)| self.check(&path.index(index + 1), parse_argument(text))).collect();
        Some(CommandLine { program: program?, arguments, timeout })
    }

    /// The program, which is always the same, if it is one; and the rest.
    fn program<'c>(
        &mut self,
        path: &KeyPath,
        command: &'c [String],
        hint: &str,
    ) -> Option<(Option<PathBuf>, &'c [String])> {
        let Some((program, arguments)) = command.split_first() else {
            self.refuse_value(path, "the command is empty", hint);
            return None;
        };
        Some((self.check(&path.index(0), parse_program(program)), arguments))
    }
}

fn parse_program(text: &str) -> Result<PathBuf, Fault> {
    if text.contains(['{', '}']) {
        let fault = Fault::new("the program is always the same: a placeholder has no place in it");
        return Err(fault.hint("placeholders are arguments of their own behind it"));
    }
    let path = parse_absolute(text)?;
    if path.file_name().is_none() {
        return Err(Fault::new("the path names no program"));
    }
    Ok(path)
}

fn without_nul(text: &str) -> Result<(), Fault> {
    if text.contains('\0') { Err(Fault::new("the argument has a NUL character")) } else { Ok(()) }
}

/// Parses an argument: a text in which `{{` and `}}` stand for braces, or a column in braces.
fn parse_argument(text: &str) -> Result<Argument, Fault> {
    without_nul(text)?;
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    if let Some(column) = inner.filter(|column| !column.contains(['{', '}'])) {
        return Ok(Argument::Column(Ident::parse(column)?));
    }
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let doubled = rest.starts_with("{{") || rest.starts_with("}}");
        if matches!(c, '{' | '}') && !doubled {
            let hint = "write \"{COLUMN}\" as an argument of its own; {{ and }} stand for braces";
            return Err(Fault::new("a placeholder is a whole argument").hint(hint));
        }
        literal.push(c);
        rest = &rest[if doubled { 2 } else { c.len_utf8() }..];
    }
    Ok(Argument::Text(literal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_a_text_or_a_column() {
        let column = |name: &str| Argument::Column(Ident::parse(name).unwrap());
        for (text, wanted) in [
            ("{id}", column("id")),
            ("{odd name}", column("odd name")),
            ("--all", Argument::Text("--all".to_owned())),
            ("", Argument::Text(String::new())),
            ("{{id}}", Argument::Text("{id}".to_owned())),
            ("{{\"a\": 1}}", Argument::Text("{\"a\": 1}".to_owned())),
        ] {
            assert_eq!(parse_argument(text), Ok(wanted), "{text}");
        }
        for text in ["x{id}", "{id}x", "{id}{id}", "{}", "{", "}", "{{id}", "a\0"] {
            assert!(parse_argument(text).is_err(), "{text}");
        }
    }
}

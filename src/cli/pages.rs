//! What the package ships beside the binary, from the command line's own description: manual pages and completions.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Args;
use super::output::written;

/// Prints the completion script of a shell.
pub fn completions(shell: clap_complete::Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    // Into memory first: the generator panics where it cannot write.
    clap_complete::generate(shell, &mut Args::command(), "retaind", &mut script);
    written(std::io::stdout().lock().write_all(&script))
}

/// Writes `retaind.1` and a page for each command that is not hidden.
pub fn man(dir: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let mut main = Args::command();
    main.build();
    write_page(dir, &main, "retaind")?;
    for command in main.get_subcommands().filter(|command| !command.is_hide_set()) {
        write_page(dir, command, &format!("retaind-{}", command.get_name()))?;
    }
    Ok(())
}

fn write_page(dir: &Path, command: &Command, name: &str) -> anyhow::Result<()> {
    let path = dir.join(format!("{name}.1"));
    fs::write(&path, page(command, name)?).with_context(|| format!("{} cannot be written", path.display()))
}

fn page(command: &Command, name: &str) -> std::io::Result<Vec<u8>> {
    // Pages have sections where a help text has headings.
    let text = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let spaced = name.replacen('-', " ", 1);
    let command = command.clone().bin_name(spaced).display_name(name).after_long_help("");
    let man = Man::new(command.clone()).section("1").source(format!("retaind {}", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(sections(&text).into_bytes());
    if name != "retaind" {
        page.extend(b".SH SEE ALSO\n\\fBretaind\\fR(1)\n");
    }
    Ok(page)
}

/// The blocks of a help text as sections: each begins with `Title:`.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    for block in text.split("\n\n") {
        if let Some((title, body)) = block.split_once(":\n") {
            roff.push_str(&format!(".SH {}\n.nf\n{}\n.fi\n", title.to_uppercase(), escaped(body)));
        }
    }
    roff
}

/// Text in which roff finds nothing to act upon.
fn escaped(text: &str) -> String {
    let guarded = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    text.lines().map(guarded).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_help_text_becomes_sections_in_which_nothing_is_acted_upon() {
        let roff = sections("Examples:\n  a -b \\ 'c'\n.d\n\nExit status:\n  0  done");
        let expected =
            ".SH EXAMPLES\n.nf\n  a \\-b \\e \\(aqc\\(aq\n\\&.d\n.fi\n.SH EXIT STATUS\n.nf\n  0  done\n.fi\n";
        assert_eq!(roff, expected);
    }

    #[test]
    fn every_command_has_a_page_and_hidden_ones_have_none() {
        let dir = tempfile::tempdir().unwrap();
        man(dir.path()).unwrap();
        let mut pages: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        pages.sort();
        let expected = [
            "retaind-adopt.1",
            "retaind-approve.1",
            "retaind-check.1",
            "retaind-completions.1",
            "retaind-daemon.1",
            "retaind-diff.1",
            "retaind-plan.1",
            "retaind-restore.1",
            "retaind-run.1",
            "retaind-runs.1",
            "retaind-stats.1",
            "retaind-status.1",
            "retaind-why.1",
            "retaind.1",
        ];
        assert_eq!(pages, expected);
        let plan = fs::read_to_string(dir.path().join("retaind-plan.1")).unwrap();
        for piece in ["retaind plan", ".SH EXAMPLES", "retaind\\-plan \\- Show what a run would do"] {
            assert!(plan.contains(piece), "{piece} is not in:\n{plan}");
        }
        assert!(!plan.contains("EXTRA"), "{plan}");
    }
}

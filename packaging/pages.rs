//! Manual pages of the package, from what the program says of itself: `cargo run --example pages -- DIRECTORY` writes
//! `retaind.1`, a page for each command, and `retaind.toml.5`. Not a part of the program.

use std::fmt::Write;
use std::io::Result;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use retaind::config::keys::{self, KeyRow};

/// Sections of the configuration, with what each is.
const SECTIONS: [(&str, &str, &str); 9] = [
    ("daemon", "[daemon]", "The daemon itself."),
    ("ledger", "[ledger]", "The ledger is the daemon's own database: runs, results, errors, files that are pending."),
    ("server", "[server]", "The daemon answers commands and HTTP requests on a unix socket."),
    ("publish", "[publish]", "A Redis that has the state of each run, for others to read."),
    ("notify.*", "[notify.NAME]", "Somebody who is told what a person should know."),
    ("sources.*", "[sources.NAME]", "A source is a database whose rows are governed."),
    ("stores.*", "[stores.NAME]", "A store is a directory whose files are governed."),
    ("tasks.*", "[tasks.NAME]", "A task is a schedule that runs the policies assigned to it, in declared order."),
    ("policies.*", "[policies.NAME]", "A policy says what may go, and when."),
];

const DESCRIPTION: &str = "\
`retaind` reads TOML: the main file, then `conf.d/*.toml` beside it in name order, then the environment \
(`RETAIND__POLICIES__DETECTIONS__KEEP=60d`), then `--set policies.detections.keep=60d`. A later one wins, key by key; a list is \
one value. A key that is not known is an error, and so is a variable that begins with `RETAIND_` and means nothing. \
`retaind check` says whether a configuration is right, and `retaind plan` what it would delete.";

const VALUES: [(&str, &str); 5] = [
    (
        "duration",
        "A number and a unit, `s`, `m`, `h`, `d` or `w`: `\"30d\"`, `\"1d 12h\"`. A bare number and zero are refused.",
    ),
    ("size", "A whole number and a unit: `\"500MB\"` by thousands, `\"10GiB\"` by 1024."),
    ("share", "A number above 0 and up to 1."),
    (
        "pattern",
        "A path beneath a store's root in which `*`, `?`, `[a-z]`, `{a,b}` and `**` stand for others: `\"**/*.log\"`.",
    ),
    ("name", "Of a source, store, task or policy: lower-case letters, digits, `-` and `_`; at most 64 characters."),
];

#[allow(dead_code)]
fn main() -> Result<()> {
    match std::env::args_os().nth(1) {
        Some(directory) => write(Path::new(&directory)),
        None => Err(std::io::Error::other("usage: pages DIRECTORY")),
    }
}

/// Writes every page into a directory.
pub fn write(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    let mut main = retaind::cli::Args::command();
    main.build();
    std::fs::write(directory.join("retaind.1"), page(&main, "retaind")?)?;
    for command in main.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("retaind-{}", command.get_name());
        std::fs::write(directory.join(format!("{name}.1")), page(command, &name)?)?;
    }
    std::fs::write(directory.join("retaind.toml.5"), configuration())
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>> {
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
    let others = if name == "retaind" { "" } else { "\\fBretaind\\fR(1), " };
    page.extend(format!(".SH SEE ALSO\n{others}\\fBretaind.toml\\fR(5)\n").into_bytes());
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

/// Text in Markdown as a paragraph: what stands in backticks is bold.
fn paragraph(text: &str) -> String {
    let text = escaped(&keys::without_links(text));
    let pieces = text.split('`').enumerate();
    pieces.map(|(at, piece)| if at % 2 == 1 { format!("\\fB{piece}\\fR") } else { piece.to_owned() }).collect()
}

/// The page of the configuration.
fn configuration() -> String {
    let mut page = format!(
        ".TH retaind.toml 5 \"\" \"retaind {}\"\n.SH NAME\nretaind.toml \\- configuration of retaind(1)\n\
         .SH SYNOPSIS\n/etc/retaind/retaind.toml\n.br\n/etc/retaind/conf.d/*.toml\n.SH DESCRIPTION\n{}\n.SH VALUES\n",
        env!("CARGO_PKG_VERSION"),
        paragraph(DESCRIPTION)
    );
    for (kind, what) in VALUES {
        let _ = writeln!(page, ".TP\n{kind}\n{}", paragraph(what));
    }
    let all = keys::all();
    for (path, title, what) in SECTIONS {
        let _ = writeln!(page, ".SH {title}\n{}", paragraph(what));
        let within = format!("{path}.");
        for (key, name) in all.iter().filter_map(|key| Some((key, key.path.strip_prefix(&within)?))) {
            page.push_str(&entry(key, &name.replace('*', "NAME")));
        }
    }
    page + ".SH SEE ALSO\n\\fBretaind\\fR(1), \\fBretaind\\-check\\fR(1), \\fBretaind\\-config\\fR(1),\n\
            /usr/share/doc/retaind/configuration.md\n"
}

fn entry(key: &KeyRow, name: &str) -> String {
    let default = if key.default.is_empty() { String::new() } else { format!("; default {}", key.default) };
    let of = if key.of.is_empty() { String::new() } else { format!("; of {}", key.of.join(" and ")) };
    let what = paragraph(&format!("{}{default}{of}", key.kind.word()));
    format!(".TP\n\\fB{}\\fR ({what})\n{}\n", escaped(name), paragraph(&key.meaning))
}

//! Grammar of the command line, as clap reads it. Carries nothing out.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter};

use super::since::Since;
use super::{candidates, help, notify_args, pending_args, token_args};
use crate::config::Inputs;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

/// The command line, parsed.
#[derive(Debug, Parser)]
#[command(name = "retaind", version, about = help::ABOUT, long_about = help::LONG_ABOUT, after_long_help = help::MAIN)]
#[command(styles = STYLES, max_term_width = 100, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
}

impl Args {
    /// True if this is the service and not a command for a person.
    pub fn is_daemon(&self) -> bool {
        matches!(self.command, Command::Daemon)
    }
}

/// Flags of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Shared options")]
pub struct Shared {
    #[arg(short, long, global = true, value_name = "FILE", default_value_os_t = Inputs::default_file())]
    #[arg(hide_default_value = true, help = help::CONFIG_FILE)]
    pub config: PathBuf,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Override a key of the configuration; may be given several times
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = Inputs::parse_set)]
    #[arg(add = ArgValueCompleter::new(candidates::overrides))]
    pub set: Vec<(String, String)>,
    /// Give the policies of a plan or run a parameter; may be given several times
    #[arg(long, global = true, value_name = "NAME=VALUE", value_parser = parse_param)]
    #[arg(add = ArgValueCandidates::new(candidates::parameters))]
    pub param: Vec<(String, String)>,
    /// Say more on standard error; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Use of colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    #[arg(help = "Whether to use colour: auto, always or never")]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the policies on schedule; this is what systemd starts
    #[command(long_about = help::DAEMON, after_long_help = help::DAEMON_EXAMPLES)]
    Daemon,
    /// Check configuration, connections, tables, stores and permissions
    #[command(long_about = help::CHECK, after_long_help = help::CHECK_EXAMPLES)]
    Check {
        /// Check the configuration only, without any connection
        #[arg(long)]
        config_only: bool,
        /// Print the fixes of what is found, as one shell script
        #[arg(long, conflicts_with = "config_only")]
        script: bool,
    },
    /// Show what a run would do, and delete nothing
    #[command(long_about = help::PLAN, after_long_help = help::PLAN_EXAMPLES)]
    Plan {
        /// Tasks and policies; without any: all that are scheduled
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        names: Vec<String>,
        #[command(flatten)]
        form: PlanForm,
    },
    /// Run policies now
    #[command(long_about = help::RUN, after_long_help = help::RUN_EXAMPLES)]
    Run {
        /// Tasks and policies; without any: all that are scheduled
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        names: Vec<String>,
        /// Show what would be done, as `retaind plan` does, and do nothing
        #[arg(short = 'n', long)]
        dry_run: bool,
        #[command(flatten)]
        form: RunForm,
    },
    /// Stop a run of the daemon between two batches
    #[command(long_about = help::CANCEL, after_long_help = help::CANCEL_EXAMPLES)]
    Cancel {
        /// A run's id, or a beginning or end of it; without it: the only one that is under way
        #[arg(value_name = "RUN", add = ArgValueCompleter::new(candidates::runs))]
        run: Option<String>,
    },
    /// Let nothing be taken by a policy, or rest the schedule of a task
    #[command(long_about = help::PAUSE, after_long_help = help::PAUSE_EXAMPLES)]
    Pause {
        /// A task or a policy
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        name: String,
        /// Why, for whoever wonders
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let a task or a policy that is paused go on
    #[command(long_about = help::RESUME, after_long_help = help::RESUME_EXAMPLES)]
    Resume {
        /// A task or a policy
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        name: String,
    },
    /// Look at what is held, and agree to it
    #[command(long_about = help::APPROVE, after_long_help = help::APPROVE_EXAMPLES)]
    Approve {
        /// Tasks and policies; without any: those that are held
        #[arg(value_name = "POLICY", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        policies: Vec<String>,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Everything that is held, and what has neither run nor been approved
        #[arg(long, conflicts_with = "policies")]
        all: bool,
        /// Say that the machine's clock is right, instead
        #[arg(long, conflicts_with_all = ["policies", "all"])]
        clock: bool,
    },
    /// Show what a reload would change, and what it would hold
    #[command(long_about = help::DIFF, after_long_help = help::DIFF_EXAMPLES)]
    Diff {
        /// Count what each policy that differs would take, before and after
        #[arg(long)]
        plan: bool,
        /// Only what would be held; nothing where nothing would be
        #[arg(long, conflicts_with = "plan")]
        held: bool,
    },
    /// Mark a store's root as that of the store, so that files in it may be removed
    #[command(long_about = help::ADOPT, after_long_help = help::ADOPT_EXAMPLES)]
    Adopt {
        /// A store of the configuration
        #[arg(value_name = "STORE", add = ArgValueCandidates::new(candidates::stores))]
        store: String,
        /// Take the place of a marker that is there
        #[arg(long)]
        again: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Put back what a run moved into the trash
    #[command(long_about = help::RESTORE, after_long_help = help::RESTORE_EXAMPLES)]
    Restore {
        /// A run's id, or a beginning or end of it
        #[arg(value_name = "RUN", add = ArgValueCompleter::new(candidates::runs))]
        run: String,
        /// Files and directories, from the store's root on or absolute; without any: everything of the run
        #[arg(value_name = "PATH")]
        paths: Vec<OsString>,
    },
    /// Show schedules, last runs and what is pending
    #[command(long_about = help::STATUS, after_long_help = help::STATUS_EXAMPLES)]
    Status {
        /// Print one line for a monitor, and end as its plug-ins do
        #[arg(long)]
        check: bool,
        /// Show it anew every two seconds, until Ctrl-C
        #[arg(long, conflicts_with = "check")]
        watch: bool,
        /// Say only whether the daemon answers
        #[arg(long, conflicts_with_all = ["check", "watch"])]
        ready: bool,
    },
    /// Count what could be cleaned now
    #[command(long_about = help::STATS, after_long_help = help::STATS_EXAMPLES)]
    Stats {
        /// Tasks and policies; without any: all policies that are switched on
        #[arg(value_name = "NAME", add = ArgValueCandidates::new(candidates::policies_and_tasks))]
        names: Vec<String>,
    },
    /// Say why a row or a file stays, or when it goes
    #[command(long_about = help::WHY, after_long_help = help::WHY_EXAMPLES)]
    Why {
        /// The source and the table, such as nvr.detections; or a store
        #[arg(value_name = "SOURCE.TABLE|STORE", add = ArgValueCandidates::new(candidates::tables_and_stores))]
        thing: String,
        /// The row's key as results show it, several columns as a JSON array; or the file's path
        #[arg(value_name = "KEY|PATH", allow_hyphen_values = true)]
        which: OsString,
    },
    /// List runs, or show one
    #[command(long_about = help::RUNS, after_long_help = help::RUNS_EXAMPLES)]
    Runs {
        /// A run's id, or a beginning or end of it
        #[arg(value_name = "ID", add = ArgValueCompleter::new(candidates::runs))]
        id: Option<String>,
        #[command(flatten)]
        wanted: RunsArguments,
    },
    /// List what was asked for and by whom, or verify that record
    #[command(long_about = help::AUDIT, after_long_help = help::AUDIT_EXAMPLES)]
    Audit {
        /// Number of entries to list
        #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
        #[command(subcommand)]
        what: Option<AuditCommand>,
    },
    /// List files whose rows are gone and that are still there, try again, or leave one alone
    #[command(long_about = pending_args::HELP, after_long_help = pending_args::EXAMPLES)]
    Pending {
        /// Number of files to list
        #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100)]
        limit: u32,
        #[command(subcommand)]
        what: Option<pending_args::PendingCommand>,
    },
    /// Make, list and remove tokens by which others ask the daemon over TCP
    #[command(long_about = token_args::HELP, after_long_help = token_args::EXAMPLES)]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Token {
        #[command(subcommand)]
        what: token_args::TokenCommand,
    },
    /// Try whether those who are notified can be reached
    #[command(long_about = notify_args::HELP, after_long_help = notify_args::EXAMPLES)]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Notify {
        #[command(subcommand)]
        what: notify_args::NotifyCommand,
    },
    /// Print a completion script for a shell
    #[command(long_about = help::COMPLETIONS, after_long_help = help::COMPLETIONS_EXAMPLES)]
    Completions {
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the configuration with the origin of each key, or what keys there are
    #[command(long_about = help::CONFIG, after_long_help = help::CONFIG_EXAMPLES)]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Config {
        #[command(subcommand)]
        what: ConfigCommand,
    },
}

/// Views that `config` prints.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the JSON schema by which editors complete and check a configuration
    Schema,
    /// Show every key with its value, and where that comes from
    Show,
}

/// Work of `audit` other than listing.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Go through all entries, and say whether each is as it was written
    Verify,
}

/// Answer that `plan` gives.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct PlanForm {
    /// Print every row key and file path, one JSON object a line
    #[arg(long)]
    pub list: bool,
    /// End with 3 where a run would do something
    #[arg(long)]
    pub exit_code: bool,
    /// Ask the daemon, which plans by the configuration that it has in force
    #[arg(long, conflicts_with = "list")]
    pub in_force: bool,
}

/// Runs that `runs` lists.
#[derive(Debug, clap::Args)]
pub struct RunsArguments {
    /// Number of runs to list
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    pub limit: u32,
    /// Only runs of that task as a whole
    #[arg(long, value_name = "TASK", conflicts_with = "id", add = ArgValueCandidates::new(candidates::task_names))]
    pub task: Option<String>,
    /// Only runs that came to that policy
    #[arg(long, value_name = "POLICY", conflicts_with = "id", add = ArgValueCandidates::new(candidates::policies))]
    pub policy: Option<String>,
    /// Only runs that ended so
    #[arg(long, value_name = "STATUS", conflicts_with = "id")]
    pub status: Option<RunStatus>,
    /// Only runs that began since then: a time, a date (in UTC), or a length of time such as 7d
    #[arg(long, value_name = "WHEN", conflicts_with = "id", value_parser = Since::parse)]
    pub since: Option<Since>,
}

/// Values of `runs --status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum RunStatus {
    Completed,
    CompletedWithErrors,
    Failed,
    Cancelled,
    Blocked,
    Running,
}

/// Options of `run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub struct RunForm {
    /// "report": decide and record everything, delete nothing
    #[arg(long, value_name = "MODE")]
    pub mode: Option<ModeFlag>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Leave the run to the daemon, and do not wait for its end
    #[arg(short, long)]
    pub detach: bool,
}

/// Values of `run --mode`: a command line can make a run more careful than its configuration, never less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModeFlag {
    Report,
}

fn parse_param(argument: &str) -> Result<(String, String), String> {
    match argument.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as session_id=42".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_has_long_help_with_an_example() {
        for command in Args::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Examples:\n"), "{}", command.get_name());
        }
    }

    #[test]
    fn shared_flags_stand_before_or_after_the_command() {
        let before = Args::try_parse_from(["retaind", "--json", "-c", "a.toml", "plan", "x"]).unwrap();
        let after = Args::try_parse_from(["retaind", "plan", "x", "--json", "-c", "a.toml"]).unwrap();
        for args in [before, after] {
            assert!(args.shared.json);
            assert_eq!(args.shared.config, PathBuf::from("a.toml"));
        }
    }

    #[test]
    fn a_run_cannot_be_made_less_careful() {
        assert!(Args::try_parse_from(["retaind", "run", "--mode", "report"]).is_ok());
        assert!(Args::try_parse_from(["retaind", "run", "--mode", "enforce"]).is_err());
    }
}

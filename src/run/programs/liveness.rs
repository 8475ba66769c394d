//! Asks the operator's command whether the work of rows is still going on. Whatever is not a clear answer is a doubt,
//! and the row with the doubt is to be kept.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::sync::OnceLock;

use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::decide::rows::ReasonKind;
use crate::policy::{Argument, CommandLine};
use crate::process::{Ending, ProcessEnd, Program};
use crate::run::account::Account;
use crate::run::stop::Stop;
use crate::sources::{OwnedRow, Target};

/// Commands that run at the same time.
const AT_ONCE: usize = 8;

/// Answer of a command about a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Exit code 0: its work goes on.
    Alive,
    /// Exit code 1 to 125: it does not.
    NotAlive,
    /// No answer, and why.
    Doubt(String),
}

/// Asks for each row, given by the values of `command.columns()` in their order; the verdicts come in the order of the
/// rows. A program that can't be run at all is not tried for every row.
pub(crate) async fn probe(command: &CommandLine, rows: Vec<Vec<Option<String>>>, stop: &Stop) -> Vec<Verdict> {
    let hopeless = &OnceLock::new();
    let verdicts = rows.into_iter().map(|row| async move {
        if let Some(why) = hopeless.get() {
            return Verdict::Doubt(String::clone(why));
        }
        let arguments = match arguments(command, &row) {
            Ok(arguments) => arguments,
            Err(why) => return Verdict::Doubt(why),
        };
        let program = &command.program;
        let ended = Program { program, arguments, variables: Vec::new(), input: None, timeout: command.timeout }
            .run(stop.token())
            .await;
        if is_hopeless(&ended) {
            let _ = hopeless.set(ended.describe(program));
        }
        Verdict::of(&ended, command)
    });
    futures_util::stream::iter(verdicts).buffered(AT_ONCE).collect().await
}

/// Asks about one row, for a person who wants to know; nothing is stopped or decided by it.
pub async fn ask_one(command: &CommandLine, target: &Target, row: &OwnedRow) -> Verdict {
    let stop = Stop::new(&CancellationToken::new(), None);
    let verdicts = probe(command, vec![target.probe_values(row)], &stop).await;
    verdicts.into_iter().next().unwrap_or_else(|| Verdict::Doubt("the command was not asked".to_owned()))
}

/// The arguments for a row; the value of a column may be neither missing nor taken for an option.
fn arguments<'a>(command: &'a CommandLine, row: &'a [Option<String>]) -> Result<Vec<&'a OsStr>, String> {
    let mut values = row.iter();
    let mut arguments = Vec::with_capacity(command.arguments.len());
    for argument in &command.arguments {
        let text = match argument {
            Argument::Text(text) => text,
            Argument::Column(column) => match values.next() {
                Some(Some(value)) if value.starts_with('-') => {
                    return Err(format!("column {column} begins with \"-\", which a command takes for an option"));
                }
                Some(Some(value)) if value.contains('\0') => {
                    return Err(format!("column {column} holds a zero byte, which no argument can"));
                }
                Some(Some(value)) => value,
                Some(None) | None => return Err(format!("column {column} is NULL, so nothing can be asked")),
            },
        };
        arguments.push(OsStr::new(text));
    }
    Ok(arguments)
}

/// True if the program could not be run for a reason that holds for every row.
fn is_hopeless(ended: &ProcessEnd) -> bool {
    match &ended.ending {
        // Too long an argument is the row's own, and too many processes may be fewer in a moment.
        Ending::CouldNotStart(error) => !matches!(
            error.kind(),
            ErrorKind::ArgumentListTooLong | ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::TimedOut
        ),
        Ending::Exited(_) | Ending::Signalled(_) | Ending::TimedOut(_) | Ending::Stopped => false,
    }
}

impl Verdict {
    fn of(ended: &ProcessEnd, command: &CommandLine) -> Self {
        match ended.ending {
            Ending::Exited(0) => Verdict::Alive,
            // From 126 on a shell, or a program like env, says that it could not run what it was to run.
            Ending::Exited(1..=125) => Verdict::NotAlive,
            Ending::Exited(_) | Ending::Signalled(_) | Ending::TimedOut(_) | Ending::CouldNotStart(_) => {
                Verdict::Doubt(ended.describe(&command.program))
            }
            Ending::Stopped => Verdict::Doubt("the run was stopped before the command had answered".to_owned()),
        }
    }
}

/// Answers about some rows, told apart.
#[derive(Default)]
pub(crate) struct LivenessAnswers {
    /// Rows whose work is over.
    pub(crate) over: Vec<OwnedRow>,
    /// Keys of the others.
    pub(crate) kept: Vec<Vec<String>>,
    /// Rows that are kept: counted as protected; each doubt is an error.
    pub(crate) account: Account,
}

/// Asks about eligible rows and parts those whose work is over from those to keep.
pub(crate) async fn ask(command: &CommandLine, target: &Target, rows: Vec<OwnedRow>, stop: &Stop) -> LivenessAnswers {
    let values = rows.iter().map(|row| target.probe_values(row)).collect();
    let verdicts = probe(command, values, stop).await;
    let mut asked = LivenessAnswers::default();
    for (row, verdict) in rows.into_iter().zip(verdicts) {
        match verdict {
            Verdict::NotAlive => asked.over.push(row),
            Verdict::Alive => {
                asked.account.tally.rows_protected += 1;
                asked.kept.push(row.key);
            }
            Verdict::Doubt(why) => {
                asked.account.tally.rows_protected += 1;
                asked.kept.push(row.key);
                let why = format!("kept: it is not known whether its work still goes on: {why}");
                asked.account.keep(Some(row.shown), None, ReasonKind::AliveUnknown.word(), why);
            }
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::time::{Duration, Instant};

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::policy::Ident;

    fn column(name: &str) -> Argument {
        Argument::Column(Ident::parse(name).unwrap())
    }

    /// A shell script that gets the value of `id` as `$1`.
    fn script(text: &str) -> CommandLine {
        let fixed = ["-c", text, "probe"].map(|text| Argument::Text(text.to_owned()));
        let arguments = fixed.into_iter().chain([column("id")]).collect();
        CommandLine { program: PathBuf::from("/bin/sh"), arguments, timeout: Duration::from_secs(30) }
    }

    fn rows<const N: usize>(values: [&str; N]) -> Vec<Vec<Option<String>>> {
        values.into_iter().map(|value| vec![Some(value.to_owned())]).collect()
    }

    async fn ask(command: &CommandLine, rows: Vec<Vec<Option<String>>>) -> Vec<Verdict> {
        probe(command, rows, &Stop::new(&CancellationToken::new(), None)).await
    }

    fn doubt(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Doubt(why) => why,
            Verdict::Alive | Verdict::NotAlive => panic!("{verdict:?}"),
        }
    }

    #[tokio::test]
    async fn only_an_exit_code_is_an_answer() {
        let verdicts = ask(&script("exit $1"), rows(["0", "1", "2", "125", "126", "127", "128", "255"])).await;
        let not_alive = Verdict::NotAlive;
        assert_eq!(verdicts[..4], [Verdict::Alive, not_alive.clone(), not_alive.clone(), not_alive]);
        for (verdict, code) in verdicts[4..].iter().zip([126, 127, 128, 255]) {
            assert_eq!(doubt(verdict), format!("/bin/sh ended with exit code {code}"));
        }
        let verdicts = ask(&script("kill -$1 $$"), rows(["9", "15"])).await;
        assert_eq!(doubt(&verdicts[0]), "/bin/sh was killed by signal 9");
        assert_eq!(doubt(&verdicts[1]), "/bin/sh was killed by signal 15");
        let verdicts = ask(&script("/no/such/program $1"), rows(["1"])).await;
        assert!(doubt(&verdicts[0]).starts_with("/bin/sh ended with exit code 127: "), "{verdicts:?}");
    }

    #[tokio::test]
    async fn a_late_answer_is_none() {
        let command = CommandLine { timeout: Duration::from_millis(100), ..script("sleep $1; exit 1") };
        let verdicts = ask(&command, rows(["0", "60"])).await;
        assert_eq!(verdicts[0], Verdict::NotAlive);
        assert_eq!(doubt(&verdicts[1]), "/bin/sh did not end within 100ms and was killed");
    }

    #[tokio::test]
    async fn a_value_is_one_argument_whatever_it_holds() {
        let hostile = ["a b", "$(touch /tmp/x)", "a;exit 0", "'\"\\", "ü\n", ""];
        let command = script("[ $# = 1 ] && [ \"$1\" = 'a;exit 0' ]");
        let verdicts = ask(&command, rows(hostile)).await;
        for (verdict, value) in verdicts.iter().zip(hostile) {
            assert_eq!(*verdict, if value == "a;exit 0" { Verdict::Alive } else { Verdict::NotAlive }, "{value:?}");
        }
    }

    #[tokio::test]
    async fn unusable_values_are_doubts_and_start_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let command = script(&format!("echo \"$1\" >> {}; exit 1", directory.path().join("asked").display()));
        let mut values = rows(["-rf", "--", "a\0b", "fine"]);
        values.push(vec![None]);
        values.push(Vec::new());
        let verdicts = ask(&command, values).await;
        for (at, told) in
            [(0, "begins with \"-\""), (1, "begins with \"-\""), (2, "zero byte"), (4, "NULL"), (5, "NULL")]
        {
            assert!(
                doubt(&verdicts[at]).starts_with("column id ") && doubt(&verdicts[at]).contains(told),
                "{verdicts:?}"
            );
        }
        assert_eq!(verdicts[3], Verdict::NotAlive);
        assert_eq!(std::fs::read_to_string(directory.path().join("asked")).unwrap(), "fine\n");
    }

    #[tokio::test]
    async fn columns_are_filled_in_where_they_stand() {
        let texts = ["-c", "[ \"$*\" = 'x 1 y 2' ]", "probe", "x"].map(|text| Argument::Text(text.to_owned()));
        let rest = [column("a"), Argument::Text("y".to_owned()), column("b")];
        let command = CommandLine { arguments: texts.into_iter().chain(rest).collect(), ..script("") };
        let row = |a: &str, b: &str| vec![Some(a.to_owned()), Some(b.to_owned())];
        let verdicts = ask(&command, vec![row("1", "2"), row("2", "1")]).await;
        assert_eq!(verdicts, [Verdict::Alive, Verdict::NotAlive]);
    }

    #[tokio::test]
    async fn missing_programs_are_not_tried_for_every_row() {
        let values = || (0..20_000).map(|id| vec![Some(id.to_string())]).collect();
        let plain = tempfile::NamedTempFile::new().unwrap();
        for (program, told) in [
            (Path::new("/no/such/probe"), "No such file"),
            (plain.path(), "Permission denied"),
            (Path::new("/"), "denied"),
        ] {
            let command = CommandLine { program: program.to_owned(), ..script("") };
            let since = Instant::now();
            let verdicts = ask(&command, values()).await;
            assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
            assert_eq!(verdicts.len(), 20_000);
            assert!(verdicts.iter().all(|verdict| doubt(verdict).contains(told)), "{:?}", verdicts[0]);
        }
    }

    #[tokio::test]
    async fn too_long_a_value_concerns_its_row_alone() {
        let long = "x".repeat(1 << 20);
        let verdicts = ask(&script("[ \"$1\" = a ]"), rows(["a", &long, "b", "a"])).await;
        assert!(doubt(&verdicts[1]).contains("too long"), "{verdicts:?}");
        assert_eq!((&verdicts[0], &verdicts[2], &verdicts[3]), (&Verdict::Alive, &Verdict::NotAlive, &Verdict::Alive));
    }

    #[tokio::test]
    async fn several_but_at_most_eight_run_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        // Each counts those that run while it does.
        let text = format!("touch {path}/$1; ls {path} | grep -vc seen >> {path}/seen; sleep 0.2; rm {path}/$1");
        let names: Vec<String> = (0..24).map(|n| format!("r{n}")).collect();
        let verdicts = ask(&script(&text), names.iter().map(|name| vec![Some(name.clone())]).collect()).await;
        assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Alive), "{verdicts:?}");
        let seen = std::fs::read_to_string(directory.path().join("seen")).unwrap();
        let most = seen.lines().map(|line| line.parse::<usize>().unwrap()).max().unwrap();
        assert!((2..=AT_ONCE).contains(&most), "{seen}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_task_of_its_own_can_ask() {
        let asked = tokio::spawn(async { ask(&script("exit $1"), rows(["0", "1"])).await });
        assert_eq!(asked.await.unwrap(), [Verdict::Alive, Verdict::NotAlive]);
    }

    #[tokio::test]
    async fn after_a_stop_nothing_is_known() {
        let cancel = CancellationToken::new();
        let stop = Stop::new(&cancel, Some(Duration::from_millis(300)));
        let since = Instant::now();
        let verdicts = probe(&script("sleep $1; exit 1"), rows(["0", "60", "60", "60"]), &stop).await;
        assert_eq!(verdicts[0], Verdict::NotAlive);
        assert!(verdicts[1..].iter().all(|verdict| doubt(verdict).contains("stopped")), "{verdicts:?}");
        let many = (0..50_000).map(|id| vec![Some(id.to_string())]).collect();
        assert!(probe(&script("exit 1"), many, &stop).await.iter().all(|verdict| doubt(verdict).contains("stopped")));
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    }
}

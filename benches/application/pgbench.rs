//! `pgbench` at half of what it can, without a purge and beside one.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};

use super::transactions;
use crate::bench::Bench;
use crate::engines::{Database, EngineKind, Product, Server, ServerOptions, scratch_dir};
use crate::measure::{median, quantile, retaind, rounds, run_watched};
use crate::purge::{self, Layout};
use crate::report::{Figure, Goal, Unit};

/// Scale of pgbench: so many times 100,000 accounts.
const SCALE: &str = "10";
const CLIENTS: &str = "4";
/// Rows of which a round takes as many as it can.
const ROWS: u64 = 3_000_000;
/// Seconds over which the maximum is measured.
const MAXIMUM_SECS: u64 = 10;
/// Seconds of each round.
const ROUND_SECS: u64 = 12;
/// Time after which the purge begins, and before which no transaction counts.
const LEAD: Duration = Duration::from_secs(2);
/// Most of the latency without a purge.
const LATENCY_LIMIT: f64 = 1.2;
/// Milliseconds that the longest transactions of a purge may take.
const TRANSACTION_LIMIT: f64 = 120.0;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Alone,
    Beside,
}

/// The latency of 99 of 100 transactions, and how long those of the purge were.
pub fn latency(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let world = World::fill(bench.rounds, bench.scaled(ROWS))?;
    let rate = world.maximum()? / 2.0;
    eprintln!(" half of the maximum: {rate:.0} transactions a second");
    let mut tables = 0..bench.rounds;
    let times = rounds(0..bench.rounds, &[Side::Alone, Side::Beside], |side| match side {
        Side::Alone => world.round(rate, None),
        Side::Beside => world.round(rate, Some(tables.next().context("a table for each round")?)),
    })?;
    let millis = |side| times.of(side).iter().map(|secs| secs * 1e3).collect::<Vec<f64>>();
    let (alone, beside) = (millis(Side::Alone), millis(Side::Beside));
    let ratio = median(&beside).zip(median(&alone)).map(|(beside, alone)| beside / alone);
    let work = format!("p99 of pgbench at {rate:.0} transactions a second, beside a purge");
    let figure = Figure { value: ratio, ..Figure::ratio(&work, "without it", &beside, &alone) };
    let figure = Figure { secs: times.median(Side::Alone).ok().zip(times.median(Side::Beside).ok()), ..figure };
    let transactions = transactions::of(&world.server.log_text());
    ensure!(!transactions.is_empty(), "the server logged the transactions of the purge");
    let p99: Vec<f64> = quantile(&transactions, 0.99).into_iter().collect();
    let longest = Figure {
        spread: quantile(&transactions, 0.0).zip(quantile(&transactions, 1.0)),
        ..Figure::value("p99 of the transactions of that purge, and of their locks", "", Unit::Millis, &p99)
    };
    Ok(vec![
        figure.goal(Goal::AtMost(LATENCY_LIMIT)),
        longest.goal(Goal::AtMost(TRANSACTION_LIMIT)).remark(format!("{} transactions", transactions.len())),
    ])
}

/// A server with pgbench's tables and one of old rows for each round.
struct World {
    server: Server,
    database: Database,
    dir: PathBuf,
}

impl World {
    fn fill(rounds: u32, rows: u64) -> anyhow::Result<Self> {
        let settings = vec!["log_line_prefix=%m %p ".to_owned(), "log_timezone=UTC".to_owned()];
        let server =
            Server::start(EngineKind::Postgres, ServerOptions { durable: true, settings, ..ServerOptions::default() });
        let database = Database::on(&server);
        let dir = scratch_dir("pgbench");
        std::fs::create_dir(dir.join("state"))?;
        let now_secs = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let world = Self { server, database, dir };
        let mut config = format!(
            "[daemon]\nstate_dir = \"{}\"\n\n[sources.bench]\nurl = \"{}\"\n",
            world.dir.join("state").display(),
            world.database.url()
        );
        for round in 0..rounds {
            let table = format!("readings_{round}");
            purge::fill(&world.database, &table, Layout::Ascending, rows, rows, now_secs);
            purge::settle(&world.database, &table);
            config.push_str(&purge::policy(&table));
        }
        std::fs::write(world.dir.join("retaind.toml"), config)?;
        let done = world.pgbench(&["-i", "-q", "-s", SCALE]).status()?;
        ensure!(done.success(), "pgbench -i: {done}");
        // The server says of each statement of the purge how long it took.
        let mut client = world.database.connect_as_superuser();
        let say = "ALTER ROLE retaind SET log_min_duration_statement = 0; CHECKPOINT";
        client.execute(say).map_err(anyhow::Error::from_boxed)?;
        Ok(world)
    }

    fn pgbench(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Product::Postgres.server().with_file_name("pgbench"));
        command.args(arguments).arg("-h").arg(self.server.socket());
        command.args(["-U", "postgres", self.database.name()]).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    }

    /// Transactions a second, without a limit.
    fn maximum(&self) -> anyhow::Result<f64> {
        let output = self.pgbench(&["-n", "-c", CLIENTS, "-T", &MAXIMUM_SECS.to_string()]).output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let tps = said.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.with_context(|| format!("pgbench says its rate: {said}"))
    }

    /// Time within which 99 of 100 transactions were answered, of those that the purge of a table was beside.
    fn round(&self, rate: f64, table: Option<u32>) -> anyhow::Result<Duration> {
        let mut client = self.database.connect_as_superuser();
        client.execute("CHECKPOINT").map_err(anyhow::Error::from_boxed)?;
        let arguments = ["-n", "-c", CLIENTS, "-l", "-T", &ROUND_SECS.to_string(), "--rate", &rate.to_string()];
        let mut pgbench = Ended(self.pgbench(&arguments).spawn()?);
        std::thread::sleep(LEAD);
        let begin = SystemTime::now();
        if let Some(table) = table {
            let started = Instant::now();
            let config = self.dir.join("retaind.toml");
            run_watched(retaind(&config).args(["run", &format!("readings_{table}"), "--json"]))?;
            eprint!(" [purge {:.2} s]", started.elapsed().as_secs_f64());
        }
        let end = table.map(|_| SystemTime::now());
        ensure!(pgbench.0.wait()?.success(), "pgbench failed");
        let latencies = self.latencies(begin, end)?;
        let p99 = quantile(&latencies, 0.99).context("there were transactions")?;
        if let Some(table) = table {
            self.database.execute(&format!("DROP TABLE readings_{table}"));
        }
        Ok(Duration::from_secs_f64(p99))
    }

    /// Seconds that transactions took that ended between two instants, from when they were due. Removes pgbench's logs.
    fn latencies(&self, begin: SystemTime, end: Option<SystemTime>) -> anyhow::Result<Vec<f64>> {
        let (begin, end) =
            (begin.duration_since(UNIX_EPOCH)?, end.map(|end| end.duration_since(UNIX_EPOCH)).transpose()?);
        let mut latencies = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"pgbench_log")) {
                continue;
            }
            for line in std::fs::read_to_string(&path)?.lines() {
                // Client, number, microseconds, script, seconds since 1970, microseconds of these, lag.
                let fields: Vec<u64> = line.split(' ').filter_map(|field| field.parse().ok()).collect();
                let [_, _, micros, _, secs, of_secs, ..] = fields[..] else { continue };
                let at = Duration::from_secs(secs) + Duration::from_micros(of_secs);
                if at >= begin && end.is_none_or(|end| at <= end) {
                    latencies.push(micros as f64 / 1e6);
                }
            }
            std::fs::remove_file(&path)?;
        }
        Ok(latencies)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A child that does not outlive a failure.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

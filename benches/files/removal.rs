//! Old files that go, beside the programs that systems have for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::tree::{self, DIRECTORIES, Scratch};
use super::volume::Volume;
use crate::bench::Bench;
use crate::engines::scratch_dir;
use crate::measure::{retaind, rounds, run_watched, time};
use crate::report::{Figure, Goal};

const FILES: u64 = 200_000;
/// Time over that of the fastest of the other programs.
const LIMIT: f64 = 0.72;
/// Part by which the time for each file may grow with their number.
const GROWTH_LIMIT: f64 = 1.15;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Side {
    Find,
    Tmpfiles,
    Tmpreaper,
    Retaind,
}

const OTHERS: [(Side, &str); 3] = [
    (Side::Find, "`find -mtime +0 -delete`"),
    (Side::Tmpfiles, "`systemd-tmpfiles --clean`"),
    (Side::Tmpreaper, "`tmpreaper`"),
];

/// 200,000 files beside each program; the fastest one counts.
pub fn removal(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let files = bench.scaled(FILES);
    let logs = Logs::new(files)?;
    let sides = [Side::Find, Side::Tmpfiles, Side::Tmpreaper, Side::Retaind];
    let times = rounds(0..bench.rounds, &sides, |side| logs.remove(files, side))?;
    let mut fastest = (f64::INFINITY, Side::Find);
    for (side, _) in OTHERS {
        fastest = if times.median(side)? < fastest.0 { (times.median(side)?, side) } else { fastest };
    }
    let figure = |(side, name)| {
        let figure = Figure::ratio("200,000 files", name, times.of(Side::Retaind), times.of(side));
        if side == fastest.1 { figure.goal(Goal::AtMost(LIMIT)).remark("the fastest") } else { figure }
    };
    Ok(OTHERS.map(figure).to_vec())
}

/// Ten million files, beside `find` and beside a tenth of them.
pub fn large_removal(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (fewer, more) = (bench.scaled(1_000_000), bench.scaled(10_000_000));
    let logs = Logs::new(more)?;
    let few = rounds(0..bench.rounds, &[Side::Retaind], |side| logs.remove(fewer, side))?;
    let many = rounds(0..bench.rounds, &[Side::Find, Side::Retaind], |side| logs.remove(more, side))?;
    let each = |secs: &[f64], files: u64| secs.iter().map(|secs| secs / files as f64).collect::<Vec<f64>>();
    let (ours, fewer_secs) = (many.of(Side::Retaind), few.of(Side::Retaind));
    let growth =
        Figure::ratio("time for each of 10 M files", "of 1 M files", &each(ours, more), &each(fewer_secs, fewer));
    let growth = Figure { secs: Some((few.median(Side::Retaind)?, many.median(Side::Retaind)?)), ..growth };
    Ok(vec![
        Figure::ratio("10 M files", OTHERS[0].1, ours, many.of(Side::Find)).goal(Goal::AtMost(LIMIT)),
        growth.goal(Goal::AtMost(GROWTH_LIMIT)),
    ])
}

/// A directory of logs, all of which are old.
struct Logs {
    root: PathBuf,
    config: PathBuf,
    tmpfiles: PathBuf,
    _dir: Scratch,
    _volume: Volume,
}

impl Logs {
    fn new(files: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("logs");
        let volume = Volume::of(files)?;
        let root = volume.root().join("logs");
        std::fs::create_dir(&root)?;
        std::fs::create_dir(dir.join("state"))?;
        let config = dir.join("retaind.toml");
        let text = format!(
            r#"
[daemon]
state_dir = "{dir}/state"

[stores.logs]
path = "{root}"
age_by = "mtime"

[policies.logs]
kind = "files"
store = "logs"
match = "**/*.log"
keep = "1d"
"#,
            dir = dir.display(),
            root = root.display()
        );
        std::fs::write(&config, text)?;
        run_watched(retaind(&config).args(["adopt", "logs", "--yes"]))?;
        let tmpfiles = dir.join("tmpfiles.conf");
        // By the time of writing, as the others.
        std::fs::write(&tmpfiles, format!("d {} - - - m:1d\n", root.display()))?;
        Ok(Self { root, config, tmpfiles, _dir: Scratch(dir), _volume: volume })
    }

    /// Makes files and has them removed, all of which have to be gone.
    fn remove(&self, files: u64, by: Side) -> anyhow::Result<Duration> {
        tree::make(&self.root, files, b"", |number| format!("d{}/{number}.log", number % DIRECTORIES))?;
        tree::sync()?;
        let root: &Path = &self.root;
        let duration = match by {
            Side::Find => time(Command::new("find").arg(root).args(["-name", "*.log", "-mtime", "+0", "-delete"]))?,
            Side::Tmpfiles => time(Command::new("systemd-tmpfiles").arg("--clean").arg(&self.tmpfiles))?,
            // It gives up after 55 seconds if it is not told otherwise.
            Side::Tmpreaper => time(Command::new("tmpreaper").args(["--mtime", "--runtime=0", "1d"]).arg(root))?,
            Side::Retaind => run_watched(retaind(&self.config).args(["run", "logs", "--json"]))?.duration,
        };
        tree::ensure_files(root, 0)?;
        Ok(duration)
    }
}

//! The rows of the bench, in the order in which they are measured and stand in the documentation.

use crate::bench::Bench;
use crate::report::Figure;
use crate::{application, daemon, files, purge};

/// One thing that is measured by itself.
pub struct Row {
    pub name: &'static str,
    pub about: &'static str,
    /// Only `make bench-large` measures it.
    pub large: bool,
    pub measure: fn(&Bench) -> anyhow::Result<Vec<Figure>>,
}

/// Each of them.
pub const ROWS: &[Row] = &[
    row("purge-postgres", "half of two million rows, beside one DELETE, PostgreSQL", purge::postgres),
    row("purge-mariadb", "the same on MariaDB, also beside pt-archiver", purge::mariadb),
    row("purge-sqlite", "the same on SQLite", purge::sqlite),
    row("loop", "the same, beside `id IN (SELECT … LIMIT n)` in a loop, PostgreSQL", purge::beside_loop),
    row("plan", "a plan beside its run", purge::plan),
    row("growth", "two million rows beside one million", purge::growth),
    row("sigterm", "a purge that is stopped in the middle", purge::sigterm),
    row("family", "rows with children and files, beside the same by hand", files::family),
    row("owned", "directories that rows own, beside the same by hand", files::owned),
    row("scan", "a million files and as many rows, beside find, psql and comm", files::scan),
    row("scan-python", "a tenth of them, beside the usual loop in Python", files::beside_python),
    row("removal", "200,000 old files, beside find, systemd-tmpfiles and tmpreaper", files::removal),
    row("pgbench", "an application beside a purge", application::latency),
    row("idle", "a daemon that has nothing to do", daemon::idle),
    row("served", "a daemon that is asked, and abused, while it purges", daemon::served),
    row("noise", "a purge beside the same purge", purge::noise),
    large("large-growth", "50 million rows beside 10 million", purge::growth_of_large),
    large("large-scan", "ten million files and as many rows", files::large_scan),
    large("large-removal", "ten million old files", files::large_removal),
];

const fn row(name: &'static str, about: &'static str, measure: fn(&Bench) -> anyhow::Result<Vec<Figure>>) -> Row {
    Row { name, about, large: false, measure }
}

const fn large(name: &'static str, about: &'static str, measure: fn(&Bench) -> anyhow::Result<Vec<Figure>>) -> Row {
    Row { large: true, ..row(name, about, measure) }
}

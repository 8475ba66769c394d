//! How long transactions were, by a PostgreSQL server's log of every statement with its duration.

use std::collections::BTreeMap;

/// Milliseconds of each transaction that a log has from its `BEGIN` to its end. Lines begin with `%m %p `, in UTC.
pub fn of(log: &str) -> Vec<f64> {
    let mut begun: BTreeMap<&str, f64> = BTreeMap::new();
    let mut lengths = Vec::new();
    for line in log.lines() {
        let Some((millis, pid, duration, statement)) = parse(line) else { continue };
        let word = statement.trim_start().split([' ', ';']).next().unwrap_or_default();
        if word.eq_ignore_ascii_case("begin") || word.eq_ignore_ascii_case("start") {
            begun.insert(pid, millis - duration);
        } else if word.eq_ignore_ascii_case("commit") || word.eq_ignore_ascii_case("rollback") {
            // One over midnight is left out.
            lengths.extend(begun.remove(pid).map(|begin| millis - begin).filter(|length| *length >= 0.0));
        }
    }
    lengths
}

/// Millisecond of the day at which a statement ended, its process, its own milliseconds, its text.
fn parse(line: &str) -> Option<(f64, &str, f64, &str)> {
    let mut words = line.splitn(5, ' ');
    let (_date, time, _zone, pid) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let (duration, said) = words.next()?.split_once("duration: ")?.1.split_once(" ms")?;
    let statement = said.split_once(": ")?.1;
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let (hours, minutes, secs) = (parts.next()??, parts.next()??, parts.next()??);
    Some((((hours * 60.0 + minutes) * 60.0 + secs) * 1e3, pid, duration.parse().ok()?, statement))
}

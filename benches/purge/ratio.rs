//! Times `retaind run` beside one raw `DELETE`.

use anyhow::ensure;

use crate::fixture::Fixture;
use crate::process::{Watched, median};

/// Resident memory that a purge may take.
const MEMORY_LIMIT_MIB: f64 = 40.0;

/// Prints a line of figures, and says whether the limits held.
pub fn measure(fixture: &Fixture, engine: &str, ratio_limit: f64, rounds: u32) -> anyhow::Result<bool> {
    let (mut ours, mut theirs, mut peak_kib) = (Vec::new(), Vec::new(), 0);
    for round in 0..rounds {
        // Who goes first changes, in case the machine tires.
        for turn in 0..2 {
            fixture.restore()?;
            if (round + turn) % 2 == 0 {
                theirs.push(fixture.delete_at_once()?.as_secs_f64());
            } else {
                let finished = Watched::start(fixture.retaind().args(["run", "readings", "--json"]))?.finish()?;
                ensure!(finished.status.success(), "retaind run: {}\n{}", finished.status, finished.stderr);
                ours.push(finished.duration.as_secs_f64());
                peak_kib = peak_kib.max(finished.peak_kib);
            }
            fixture.ensure_purged()?;
        }
    }
    let (Some(our_secs), Some(their_secs)) = (median(&ours), median(&theirs)) else {
        anyhow::bail!("no round was measured");
    };
    let (ratio, peak_mib) = (our_secs / their_secs, peak_kib as f64 / 1024.0);
    let pairs: Vec<String> = theirs.iter().zip(&ours).map(|(theirs, ours)| format!("{theirs:.2}/{ours:.2}")).collect();
    println!(
        "{engine:<11} {their_secs:>9.2} s {our_secs:>9.2} s {ratio:>6.2} {ratio_limit:>6.2} {peak_mib:>8.1} MiB  {}",
        pairs.join(" ")
    );
    Ok(ratio <= ratio_limit && peak_mib < MEMORY_LIMIT_MIB)
}

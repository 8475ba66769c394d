//! Hints that more than one diagnostic gives.

use strsim::damerau_levenshtein;

/// Longest name for which a similar one is sought: comparing two takes time by the product of their lengths.
const LONGEST: usize = 256;
/// Most candidates that are compared.
const MOST_CANDIDATES: usize = 2000;
/// Names that a hint lists.
const LISTED: usize = 20;

/// The text to write instead of a number without a unit: days for what is kept, seconds for what is waited for.
pub fn unit_hint(key: &str, number: u64) -> String {
    let unit = match key {
        "keep" | "keep.values" | "grace" | "trash" => "d",
        "target" | "pause" => "ms",
        _ => "s",
    };
    format!("write \"{number}{unit}\"")
}

/// The text to write instead of a duration of nothing.
pub fn zero_hint(key: &str) -> String {
    match key {
        "keep" => "to keep for ever, leave the policy out or set mode = \"report\"",
        "keep.values" => "to keep such rows for ever, leave them out and give no default",
        "grace" => "leave it out: rows go as soon as they expire",
        "trash" => "leave it out: files are removed at once",
        _ => "leave the key out for its default",
    }
    .to_owned()
}

/// "did you mean `x`?", for the nearest candidate that is near enough.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if wrong.len() > LONGEST {
        return None;
    }
    let wrong = wrong.to_ascii_lowercase();
    candidates
        .into_iter()
        .take(MOST_CANDIDATES)
        .filter(|candidate| candidate.len().abs_diff(wrong.len()) <= (candidate.len() / 3).max(1))
        .map(|candidate| (damerau_levenshtein(&wrong, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// Some names, one after the other; of very many the first few and how many more there are.
pub fn listed(names: &[&str]) -> String {
    let shown = names.get(..LISTED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["detections", "events", "gpu_stats"];
        assert_eq!(did_you_mean("detectoins", known).as_deref(), Some("did you mean `detections`?"));
        assert_eq!(did_you_mean("Events", known).as_deref(), Some("did you mean `events`?"));
        assert_eq!(did_you_mean("orders", known), None);
    }
}

//! Approval of policies: the page of `retaind approve`, and the question on it. Gathers nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::style::{BAD, CARE, FAINT, GOOD, STRONG, paint};
use super::table::Layout;
use crate::outcome::{GuardReading, Held, Sample};
use crate::policy::Name;
use crate::text::human::{count, counted, instant, share, size};
use crate::text::printable;

/// Things of a sample that a page shows.
const SAMPLE_SHOWN: usize = 5;

/// Amount that a policy would take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Amounts {
    /// Number of rows.
    pub rows: u64,
    /// Number of files.
    pub files: u64,
    /// Bytes.
    pub size_bytes: u64,
}

/// A policy that somebody is to look at, as `approve --json` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ToApprove {
    /// Name of the policy.
    pub policy: Name,
    /// Of its configuration.
    pub fingerprint: String,
    /// True if there is anything to approve.
    pub is_needed: bool,
    /// True if it has run or was approved before.
    pub is_known: bool,
    /// Reason that it waits.
    pub held: Option<Held>,
    /// Keys that differ, as the approved configuration has them.
    pub old: BTreeMap<String, String>,
    /// The words that are written now.
    pub new: BTreeMap<String, String>,
    /// Amount that it would take under the approved configuration, where that is another one.
    pub before: Option<Amounts>,
    /// Why that is not known.
    pub before_unknown: Option<String>,
    /// Amount that it would take now.
    pub now: Amounts,
    /// It takes rows, and not files of a store.
    pub is_about_rows: bool,
    /// Rows or files that guards count: no more than this is approved.
    pub amount: u64,
    /// Instant of this look.
    pub shown_at: Timestamp,
    /// Guards that are lifted once, for the amount.
    pub guards: Vec<GuardReading>,
    /// The first few keys and paths that would go.
    pub sample: Vec<Sample>,
    /// Why an approval would not let it run.
    pub obstacle: Option<String>,
    /// True once it is approved.
    pub approved: bool,
}

impl ToApprove {
    /// True if an approval is all that it needs.
    pub fn can_be_approved(&self) -> bool {
        self.is_needed && self.obstacle.is_none()
    }
}

/// The machine's clock, as `approve --clock --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClockToConfirm {
    /// Time that the clock says.
    pub now: Timestamp,
    /// When it was last trusted.
    pub seen_at: Option<Timestamp>,
    /// True once it was confirmed.
    pub confirmed: bool,
}

/// Page of what is to be approved.
pub fn render_approvals(all: &[&ToApprove], layout: Layout) -> String {
    all.iter().map(|each| block(each, layout)).collect()
}

/// Page about the clock.
pub fn render_clock(clock: &ClockToConfirm) -> String {
    let seen = match clock.seen_at {
        Some(seen) => format!("; it was last trusted at {}", instant(seen)),
        None => "; it was never looked at before".to_owned(),
    };
    format!("The clock of this machine says {}{seen}\n", instant(clock.now))
}

/// The question whether to approve what can be.
pub fn approval_question(all: &[&ToApprove]) -> Option<String> {
    let mine: Vec<_> = all.iter().filter(|each| each.can_be_approved()).collect();
    let names: Vec<_> = mine.iter().map(|each| each.policy.as_str()).collect();
    let amounts: Vec<_> = mine.iter().map(|each| amount_words(each)).collect();
    match names.len() {
        0 => None,
        1 => Some(format!("Approve policy {} with {}?", names.join(""), amounts.join(""))),
        _ => Some(format!("Approve the policies {} with {}?", names.join(", "), amounts.join(", "))),
    }
}

/// Approved amount, in words.
pub fn amount_words(each: &ToApprove) -> String {
    counted(each.amount, if each.is_about_rows { "row" } else { "file" })
}

/// Sentence on what is eligible and stays for other reasons than an approval, though the approval counts it; none where
/// nothing does.
pub fn staying_words(each: &ToApprove) -> Option<String> {
    let (going, noun) = if each.is_about_rows { (each.now.rows, "row") } else { (each.now.files, "file") };
    let staying = each.amount.checked_sub(going).filter(|staying| *staying > 0)?;
    Some(format!(
        "{} of {} that are eligible, for other reasons: `retaind plan` says why",
        counted(staying, noun),
        count(each.amount)
    ))
}

fn block(each: &ToApprove, layout: Layout) -> String {
    let name = each.policy.as_str();
    let mut text = match layout {
        Layout::Tables { .. } => format!("{}  {}\n", paint(STRONG, name), verdict(each)),
        Layout::Lines => format!("{name}: {}\n", verdict(each)),
    };
    for (title, value) in facts(each) {
        match layout {
            Layout::Tables { .. } => {
                let space = " ".repeat(10_usize.saturating_sub(title.len()));
                text.push_str(&format!("  {}{space}{value}\n", paint(FAINT, title)));
            }
            Layout::Lines => text.push_str(&format!("{name}: {title} {value}\n")),
        }
    }
    if let Layout::Tables { .. } = layout {
        text.push('\n');
    }
    text
}

fn verdict(each: &ToApprove) -> String {
    match (&each.held, each.is_needed) {
        (_, false) => paint(GOOD, "nothing to approve: it is not held, and no guard stops it"),
        (Some(held), true) => {
            let sentence = held.sentence();
            paint(CARE, &format!("{} (since {})", printable(&sentence), instant(held.since)))
        }
        (None, true) if !each.guards.is_empty() => paint(CARE, "stopped by a guard"),
        (None, true) if each.is_known => paint(CARE, "changed"),
        (None, true) => paint(CARE, "has neither run nor been approved"),
    }
}

fn facts(each: &ToApprove) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let keys: BTreeSet<&String> = each.old.keys().chain(each.new.keys()).collect();
    for key in keys {
        let words =
            |of: &BTreeMap<String, String>| of.get(key).map_or("–".to_owned(), |value| printable(value).into_owned());
        facts.push(("changed", format!("{key} {} → {}", words(&each.old), words(&each.new))));
    }
    if let Some(why) = &each.before_unknown {
        facts.push(("before", format!("not known: {}", printable(why))));
    }
    match each.before {
        Some(before) => {
            let now = amounts_words(each.now, each.is_about_rows);
            facts.push(("takes", format!("{now} instead of {}", amounts_words(before, each.is_about_rows))));
        }
        None => facts.push(("takes", amounts_words(each.now, each.is_about_rows))),
    }
    facts.extend(staying_words(each).map(|words| ("stays", words)));
    facts.extend(each.guards.iter().map(|guard| ("guard", lifted_words(guard, each))));
    facts.extend(each.sample.iter().take(SAMPLE_SHOWN).map(|sample| ("sample", sample_words(sample))));
    if let Some(why) = &each.obstacle {
        facts.push(("obstacle", paint(BAD, &format!("not approved, because it would not run: {}", printable(why)))));
    }
    if each.approved {
        facts.push(("approved", paint(GOOD, &format!("{}, as of {}", amount_words(each), instant(each.shown_at)))));
    }
    facts
}

/// Amounts in words: `26,762 rows, 800 files (1.2 GiB)`.
pub(super) fn amounts_words(amounts: Amounts, is_about_rows: bool) -> String {
    let files = format!("{} ({})", counted(amounts.files, "file"), size(amounts.size_bytes));
    match (is_about_rows, amounts.files) {
        (true, 0) => counted(amounts.rows, "row"),
        (true, _) => format!("{}, {files}", counted(amounts.rows, "row")),
        (false, _) => files,
    }
}

/// Guard that an approval lifts once, with its style.
pub fn lifted_words(guard: &GuardReading, each: &ToApprove) -> String {
    let number = |value: f64| match guard.guard.ends_with("_fraction") {
        true => share(value),
        false => count(value.max(0.0).round() as u64),
    };
    let (value, limit) = (number(guard.value), number(guard.limit));
    let words = format!("{}: {value} of at most {limit}; lifted once, for {}", guard.guard, amount_words(each));
    paint(CARE, &words)
}

fn sample_words(sample: &Sample) -> String {
    let key = if sample.key.is_empty() { String::new() } else { format!("key {}", printable(&sample.key)) };
    let files: Vec<_> = sample.files.iter().take(3).map(|file| printable(file)).collect();
    match (key.is_empty(), files.is_empty()) {
        (false, false) => format!("{key}: {}", files.join(", ")),
        (false, true) => key,
        (true, _) => files.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::HoldKind;
    use anstream::adapter::strip_str;

    fn held() -> ToApprove {
        let words = |keep: &str| BTreeMap::from([("keep".to_owned(), keep.to_owned())]);
        let reasons = vec!["keep 30d → 3d".to_owned()];
        let at: Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
        ToApprove {
            policy: Name::parse("items").unwrap(),
            fingerprint: "f00".to_owned(),
            is_needed: true,
            is_known: true,
            held: Some(Held {
                since: at,
                kind: HoldKind::Changed,
                reasons,
                old: None,
                new: None,
                facts: Default::default(),
            }),
            old: words("30d"),
            new: words("3d"),
            before: Some(Amounts::default()),
            before_unknown: None,
            now: Amounts { rows: 26_762, files: 800, size_bytes: 2048 },
            is_about_rows: true,
            amount: 26_762,
            shown_at: at,
            guards: vec![GuardReading { guard: "max_rows".to_owned(), value: 26_762.0, limit: 1000.0 }],
            sample: vec![Sample { key: "17\u{1b}".to_owned(), files: vec!["a.jpg".to_owned()] }],
            obstacle: None,
            approved: false,
        }
    }

    #[test]
    fn the_page_compares_old_and_new_with_counts() {
        let page = strip_str(&render_approvals(&[&held()], Layout::Tables { width: 80 })).to_string();
        let expected = "\
items  held: keep 30d → 3d (since 2026-01-01T03:00:00Z)
  changed   keep 30d → 3d
  takes     26,762 rows, 800 files (2.0 KiB) instead of 0 rows
  guard     max_rows: 26,762 of at most 1,000; lifted once, for 26,762 rows
  sample    key 17\\x1b: a.jpg

";
        assert_eq!(page, expected);
        let question = approval_question(&[&held()]).unwrap();
        assert_eq!(question, "Approve policy items with 26,762 rows?");
        let lines = strip_str(&render_approvals(&[&held()], Layout::Lines)).to_string();
        assert!(lines.lines().all(|line| line.starts_with("items: ")), "{lines}");
    }

    #[test]
    fn rows_that_stay_all_the_same() {
        let each = ToApprove { amount: 26_766, ..held() };
        let page = strip_str(&render_approvals(&[&each], Layout::Lines)).to_string();
        assert!(page.contains("items: stays 4 rows of 26,766 that are eligible"), "{page}");
    }

    #[test]
    fn what_would_not_run_is_not_asked_about() {
        let obstacle = Some("clock_skew".to_owned());
        let each = ToApprove { obstacle, ..held() };
        assert_eq!(approval_question(&[&each]), None);
        let page = strip_str(&render_approvals(&[&each], Layout::Lines)).to_string();
        assert!(page.contains("items: obstacle not approved, because it would not run: clock_skew\n"), "{page}");
    }
}

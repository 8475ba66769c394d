//! Policies of kind `files`, and the sizes they count in.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use jiff::Timestamp;

use super::{FileMatch, Fraction, Name, OpenFiles, Per};

/// Files of a store that go by age, number or size, whatever rows say.
///
/// Valid by construction: at least one of `keep`, `keep_last`, `max_total` and `min_free` is there, and `per` and
/// `bypass_trash` only beside what they are about.
#[derive(Debug, Clone)]
pub struct FilesPolicy {
    pub store: Name,
    pub matching: FileMatch,
    /// A file whose last change is longer ago goes.
    pub keep: Option<Duration>,
    /// The newest that many stay, whatever else is asked; by itself, all others go.
    pub keep_last: Option<NonZeroU64>,
    /// While matching files take more, the oldest go, even when younger than `keep`.
    pub max_total: Option<ByteCount>,
    /// Until the file system has that much free the oldest go.
    pub min_free: Option<Space>,
    /// Scope in which `keep_last` and `max_total` count, where the operator gives one.
    pub per: Option<Per>,
    /// Directories that are left empty go, too.
    pub prune_empty: bool,
    pub open: OpenFiles,
    /// Files that go for `min_free` are removed for good where the store has a trash.
    pub bypass_trash: bool,
    /// Guard: more files than that block the run.
    pub max_files: Option<NonZeroU64>,
    /// Guard: a larger share of the matching files blocks the run.
    pub max_fraction: Option<Fraction>,
}

impl FilesPolicy {
    /// The instant before which a file was last changed that goes by age, for a run that begins at `now`; a time before
    /// the first that there is makes nothing eligible. None without `keep`.
    pub fn cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        self.keep.map(|keep| now.checked_sub(keep).unwrap_or(Timestamp::MIN))
    }

    /// Scope of `keep_last`: each directory by itself unless the operator says otherwise.
    pub fn keep_last_per(&self) -> Per {
        self.per.unwrap_or(Per::Directory)
    }

    /// Scope of `max_total`: the whole store unless the operator says otherwise.
    pub fn max_total_per(&self) -> Per {
        self.per.unwrap_or(Per::Store)
    }
}

/// Room on a file system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Space {
    Bytes(ByteCount),
    /// Of the file system's size.
    Share(Fraction),
}

impl Space {
    /// The room in bytes, on a file system of `total` bytes.
    pub fn of(self, total: u64) -> u64 {
        match self {
            Space::Bytes(bytes) => bytes.get(),
            // Rounded: a byte more or less does not matter, and below 2^53 none is lost.
            Space::Share(share) => (total as f64 * share.get()) as u64,
        }
    }
}

impl fmt::Display for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Space::Bytes(bytes) => bytes.fmt(f),
            // Two digits: 0.07 of a hundred would be 7.000000000000001.
            Space::Share(share) => {
                let percent = format!("{:.2}", share.get() * 100.0);
                write!(f, "{}%", percent.trim_end_matches('0').trim_end_matches('.'))
            }
        }
    }
}

/// A number of bytes, one or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(NonZeroU64);

/// Units of sizes, with their bytes; from large to small.
const UNITS: [(&str, u64); 11] = [
    ("PiB", 1 << 50),
    ("PB", 1_000_000_000_000_000),
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1000),
    ("B", 1),
];

impl ByteCount {
    /// That many bytes; none for zero.
    pub fn new(bytes: u64) -> Option<Self> {
        NonZeroU64::new(bytes).map(Self)
    }

    /// The number of bytes.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// Number of bytes in a unit: `GiB` is 1024³, `GB` is 1000³. `GiB` is 1024³, `GB` is 1000³. `KB` is taken for `kB`.
    pub fn unit(text: &str) -> Option<u64> {
        let text = if text == "KB" { "kB" } else { text };
        UNITS.iter().find(|(unit, _)| *unit == text).map(|(_, bytes)| *bytes)
    }

    /// Every unit there is, from large to small.
    pub fn units() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|(unit, _)| *unit)
    }
}

impl fmt::Display for ByteCount {
    /// As the configuration writes it, in the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.get();
        let (unit, size) = UNITS.iter().find(|(_, size)| bytes.is_multiple_of(*size)).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", bytes / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_as_they_are_written() {
        for (bytes, text) in [
            (1, "1B"),
            (1023, "1023B"),
            (1024, "1KiB"),
            (1500, "1500B"),
            (2000, "2kB"),
            (500_000_000, "500MB"),
            (10 << 30, "10GiB"),
            (1 << 40, "1TiB"),
            (1536 << 20, "1536MiB"),
        ] {
            assert_eq!(ByteCount::new(bytes).unwrap().to_string(), text);
        }
        assert!(ByteCount::new(0).is_none());
        assert_eq!(ByteCount::unit("KB"), Some(1000));
        assert_eq!(ByteCount::unit("G"), None);
    }

    #[test]
    fn space_is_a_size_or_a_share() {
        let share = |share| Space::Share(Fraction::new(share).unwrap());
        assert_eq!((share(0.1).of(1000), share(0.07).to_string()), (100, "7%".to_owned()));
        assert_eq!(share(0.125).to_string(), "12.5%");
        let bytes = Space::Bytes(ByteCount::new(5 << 30).unwrap());
        assert_eq!((bytes.of(1000), bytes.to_string()), (5 << 30, "5GiB".to_owned()));
    }
}

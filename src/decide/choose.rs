//! Choice of the files of a store that may go by their age, number and size. Pure: facts in, a choice out.
//!
//! The order is that of their time of change, oldest first; of files of one time the later name is the newer one.

use std::collections::HashMap;

use crate::policy::Per;

/// Facts about a matching file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Fingerprint of its directory's path.
    pub directory: u64,
    /// Nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Place of its path in the order of names, among files of the same time.
    pub rank: u64,
    /// Bytes that its removal would free.
    pub size_bytes: u64,
}

/// Rules by which files may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Instant before which what was changed goes; none where age alone is no reason.
    pub cutoff_ns: Option<i128>,
    /// The newest stay, so many of what counts together; where there is no other rule, all others go.
    pub keep_last: Option<(u64, Per)>,
    /// Beyond so many bytes of what counts together, the oldest go.
    pub max_total: Option<(u64, Per)>,
    /// Bytes that are to be freed, oldest first.
    pub to_free: Option<RoomToMake>,
}

/// RoomToMake that is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomToMake {
    pub bytes: u64,
    /// Set if what goes for another reason makes room, too: not where it only goes to the trash, and this does not.
    pub others_count: bool,
}

/// Fate of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    Stays,
    Goes,
    /// It goes because room is needed, and for no other reason.
    MakesRoom,
}

impl Rules {
    /// True if a file can be judged by itself.
    pub fn is_age_alone(&self) -> bool {
        self.keep_last.is_none() && self.max_total.is_none() && self.to_free.is_none()
    }

    /// These rules without those that make room; none where nothing else is a reason for files to go.
    pub fn without_room(self) -> Option<Self> {
        let is_reason = self.cutoff_ns.is_some() || self.is_number_alone();
        is_reason.then_some(Self { max_total: None, to_free: None, ..self })
    }

    /// True if the number alone is the reason for files to go.
    fn is_number_alone(&self) -> bool {
        self.cutoff_ns.is_none() && self.max_total.is_none() && self.to_free.is_none()
    }
}

/// Says of each record what becomes of the file.
pub fn choose(records: &[Record], rules: Rules) -> Vec<Choice> {
    let mut oldest_first: Vec<u32> = (0..u32::try_from(records.len()).unwrap_or(u32::MAX)).collect();
    oldest_first.sort_unstable_by_key(|place| {
        let record = &records[*place as usize];
        (record.mtime_ns, record.rank)
    });
    let mut choosing = Choosing { records, choices: vec![Choice::Stays; records.len()] };
    if let Some((most, per)) = rules.keep_last {
        let mut left = HashMap::new();
        // What is not among the newest may be judged; the others are not even looked at below.
        oldest_first.reverse();
        oldest_first.retain(|place| {
            let left = left.entry(choosing.group(*place, per)).or_insert(most);
            let is_newest = *left > 0;
            *left -= u64::from(is_newest);
            !is_newest
        });
        oldest_first.reverse();
    }
    for place in &oldest_first {
        let is_old = rules.cutoff_ns.is_some_and(|cutoff| records[*place as usize].mtime_ns < cutoff);
        if is_old || rules.is_number_alone() {
            choosing.choices[*place as usize] = Choice::Goes;
        }
    }
    if let Some((most, per)) = rules.max_total {
        choosing.shrink(&oldest_first, most, per);
    }
    if let Some(room) = rules.to_free {
        choosing.make_room(&oldest_first, room);
    }
    choosing.choices
}

struct Choosing<'a> {
    records: &'a [Record],
    choices: Vec<Choice>,
}

impl Choosing<'_> {
    fn group(&self, place: u32, per: Per) -> u64 {
        match per {
            Per::Directory => self.records[place as usize].directory,
            Per::Store => 0,
        }
    }

    fn size(&self, place: u32) -> u128 {
        u128::from(self.records[place as usize].size_bytes)
    }

    /// Takes the oldest until no group is larger than `most`.
    fn shrink(&mut self, oldest_first: &[u32], most: u64, per: Per) {
        let mut totals: HashMap<u64, u128> = HashMap::new();
        for place in 0..u32::try_from(self.records.len()).unwrap_or(u32::MAX) {
            if self.choices[place as usize] == Choice::Stays {
                *totals.entry(self.group(place, per)).or_default() += self.size(place);
            }
        }
        for &place in oldest_first {
            let (group, size) = (self.group(place, per), self.size(place));
            let total = totals.entry(group).or_default();
            if self.choices[place as usize] == Choice::Stays && *total > u128::from(most) {
                *total -= size;
                self.choices[place as usize] = Choice::Goes;
            }
        }
    }

    /// Takes the oldest until there is room.
    fn make_room(&mut self, oldest_first: &[u32], room: RoomToMake) {
        let mut freed: u128 = 0;
        if room.others_count {
            let going = oldest_first.iter().filter(|place| self.choices[**place as usize] == Choice::Goes);
            freed = going.map(|place| self.size(*place)).sum();
        }
        for place in oldest_first {
            if freed >= u128::from(room.bytes) {
                break;
            }
            // A file whose removal frees nothing does not help.
            if self.choices[*place as usize] == Choice::Stays && self.size(*place) > 0 {
                self.choices[*place as usize] = Choice::MakesRoom;
                freed += self.size(*place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn goes(records: &[Record], rules: Rules) -> Vec<bool> {
        choose(records, rules).into_iter().map(|choice| choice != Choice::Stays).collect()
    }

    fn file(directory: u64, mtime_ns: i128, size_bytes: u64) -> Record {
        Record { directory, mtime_ns, rank: u64::try_from(mtime_ns).unwrap(), size_bytes }
    }

    #[test]
    fn what_is_older_goes() {
        let rules = Rules { cutoff_ns: Some(5), ..Rules::default() };
        assert_eq!(goes(&[file(0, 4, 1), file(0, 5, 1), file(0, 6, 1)], rules), [true, false, false]);
    }

    #[test]
    fn the_newest_of_each_group_stay_however_old() {
        let rules = Rules { cutoff_ns: Some(100), keep_last: Some((1, Per::Directory)), ..Rules::default() };
        let records = [file(1, 1, 1), file(1, 2, 1), file(2, 3, 1)];
        assert_eq!(goes(&records, rules), [true, false, false]);
        let rules = Rules { cutoff_ns: None, ..rules };
        assert_eq!(goes(&records, rules), [true, false, false]);
    }

    #[test]
    fn beyond_a_total_the_oldest_go_however_young() {
        let rules = Rules { cutoff_ns: Some(2), max_total: Some((10, Per::Store)), ..Rules::default() };
        let records = [file(0, 1, 100), file(0, 3, 6), file(0, 4, 6), file(0, 5, 4)];
        assert_eq!(goes(&records, rules), [true, true, false, false]);
        // The newest stay even where they alone are too much.
        let rules = Rules { keep_last: Some((2, Per::Store)), max_total: Some((1, Per::Store)), ..Rules::default() };
        assert_eq!(goes(&records, rules), [true, true, false, false]);
    }

    #[test]
    fn space_is_made_oldest_first_over_all_groups() {
        let rules = Rules { to_free: Some(RoomToMake { bytes: 5, others_count: true }), ..Rules::default() };
        let records = [file(1, 3, 4), file(2, 1, 3), file(2, 2, 0), file(1, 4, 9)];
        assert_eq!(goes(&records, rules), [true, true, false, false]);
    }

    #[test]
    fn files_of_one_time_do_not_all_go() {
        let rules = Rules { max_total: Some((15, Per::Directory)), ..Rules::default() };
        let records: Vec<_> = (0..4).map(|rank| Record { directory: 0, mtime_ns: 7, rank, size_bytes: 5 }).collect();
        assert_eq!(goes(&records, rules), [true, false, false, false]);
    }

    fn record() -> impl Strategy<Value = Record> {
        (0..3_u64, 0..20_i128, any::<u64>(), 0..10_u64).prop_map(|(directory, mtime_ns, rank, size_bytes)| Record {
            directory,
            mtime_ns,
            rank,
            size_bytes,
        })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let some = proptest::option::of::<std::ops::Range<u64>>;
        let per = || prop_oneof![Just(Per::Directory), Just(Per::Store)];
        (proptest::option::of(0..20_i128), some(1..4), per(), some(0..40), per(), some(0..40)).prop_map(
            |(cutoff_ns, keep_last, keep_last_per, max_total, max_total_per, bytes)| {
                let to_free = bytes.map(|bytes| RoomToMake { bytes, others_count: bytes % 2 == 0 });
                let keep_last = keep_last.map(|most| (most, keep_last_per));
                let max_total = max_total.map(|most| (most, max_total_per));
                Rules { cutoff_ns, keep_last, max_total, to_free }
            },
        )
    }

    proptest! {
        #[test]
        fn no_rule_is_broken(records in proptest::collection::vec(record(), 0..40), rules in rules()) {
            let goes = goes(&records, rules);
            let newer = |one: &Record, other: &Record| (one.mtime_ns, one.rank) > (other.mtime_ns, other.rank);
            let together = |one: &Record, other: &Record, per: Per| per == Per::Store || one.directory == other.directory;
            let newer_than = |record: &Record, per: Per| {
                records.iter().filter(|other| together(record, other, per) && newer(other, record)).count() as u64
            };
            for (_, record) in records.iter().enumerate().filter(|(place, _)| goes[*place]) {
                // The newest stay.
                let (most, per) = rules.keep_last.unwrap_or((0, Per::Store));
                prop_assert!(newer_than(record, per) >= most);
                // For want of space nothing goes while an older one that may go stays.
                let is_old = rules.cutoff_ns.is_some_and(|cutoff| record.mtime_ns < cutoff);
                if let (false, Some((_, per)), None, None) = (is_old, rules.max_total, rules.to_free, rules.keep_last) {
                    let older_stays = records.iter().zip(&goes).any(|(other, other_goes)| {
                        !other_goes && together(record, other, per) && newer(record, other)
                    });
                    prop_assert!(!older_stays);
                }
            }
        }

        #[test]
        fn the_order_of_the_records_does_not_matter(
            records in proptest::collection::vec(record(), 0..40), rules in rules(), turn in 0..40_usize,
        ) {
            let mut records = records;
            // Two files never have one rank.
            records.iter_mut().enumerate().for_each(|(place, record)| record.rank = place as u64);
            let choices = choose(&records, rules);
            let mut turned: Vec<_> = records.clone();
            let turn = turn.min(turned.len());
            turned.rotate_left(turn);
            let mut expected = choices;
            expected.rotate_left(turn);
            prop_assert_eq!(choose(&turned, rules), expected);
        }
    }
}

//! Which files of a store may go by their age, number and size. Pure: facts in, a choice out.
//!
//! The order is that of their time of change, oldest first; files of one time are in the order of their paths'
//! fingerprints, so that a plan and a run that follows it choose alike.

/// What is known of a matching file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Fingerprint of its directory; the same for all where limits hold for the whole store.
    pub(super) group: u64,
    /// Nanoseconds since 1970.
    pub(super) mtime_ns: i64,
    /// Fingerprint of its path, the same in every run.
    pub(super) path: u64,
    /// What its removal would free.
    pub(super) size_bytes: u64,
}

/// What may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// What was changed before it goes; none where age alone is no reason.
    pub(super) cutoff_ns: Option<i64>,
    /// The newest of each group stay, so many; where there is no other rule, all others go.
    pub(super) keep_last: Option<u64>,
    /// Beyond so many bytes in a group, the oldest go.
    pub(super) max_total: Option<u64>,
    /// So many bytes are to be freed, oldest first.
    pub(super) to_free: Option<u64>,
}

impl Rules {
    /// Whether a file can be judged by itself.
    pub(super) fn is_age_alone(&self) -> bool {
        self.keep_last.is_none() && self.max_total.is_none() && self.to_free.is_none()
    }

    /// Whether the number alone is the reason for files to go.
    fn is_number_alone(&self) -> bool {
        self.cutoff_ns.is_none() && self.max_total.is_none() && self.to_free.is_none()
    }
}

/// Says of each record whether the file may go.
pub(super) fn choose(records: &[Record], rules: Rules) -> Vec<bool> {
    let mut oldest_first: Vec<u32> = (0..u32::try_from(records.len()).unwrap_or(u32::MAX)).collect();
    let at = |place: &u32| &records[*place as usize];
    oldest_first.sort_unstable_by_key(|place| (at(place).group, at(place).mtime_ns, at(place).path));
    let mut goes = vec![false; records.len()];
    let mut stays = vec![false; records.len()];
    for group in oldest_first.chunk_by(|a, b| at(a).group == at(b).group) {
        let kept = usize::try_from(rules.keep_last.unwrap_or(0)).unwrap_or(usize::MAX).min(group.len());
        let (others, newest) = group.split_at(group.len() - kept);
        newest.iter().for_each(|place| stays[*place as usize] = true);
        for place in others {
            let is_old = rules.cutoff_ns.is_some_and(|cutoff| at(place).mtime_ns < cutoff);
            goes[*place as usize] = is_old || rules.is_number_alone();
        }
        if let Some(most) = rules.max_total {
            let left = group.iter().filter(|place| !goes[**place as usize]);
            let mut total: u128 = left.map(|place| u128::from(at(place).size_bytes)).sum();
            for place in others {
                if total <= u128::from(most) {
                    break;
                }
                let goes = &mut goes[*place as usize];
                if !std::mem::replace(goes, true) {
                    total -= u128::from(at(place).size_bytes);
                }
            }
        }
    }
    if let Some(to_free) = rules.to_free {
        oldest_first.sort_unstable_by_key(|place| (at(place).mtime_ns, at(place).path));
        let freed = oldest_first.iter().filter(|place| goes[**place as usize]);
        let mut freed: u128 = freed.map(|place| u128::from(at(place).size_bytes)).sum();
        for place in &oldest_first {
            if freed >= u128::from(to_free) {
                break;
            }
            let place = *place as usize;
            // A file whose removal frees nothing does not help.
            if !stays[place] && !goes[place] && records[place].size_bytes > 0 {
                goes[place] = true;
                freed += u128::from(records[place].size_bytes);
            }
        }
    }
    goes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(group: u64, mtime_ns: i64, size_bytes: u64) -> Record {
        Record { group, mtime_ns, path: mtime_ns.unsigned_abs(), size_bytes }
    }

    #[test]
    fn what_is_older_goes() {
        let rules = Rules { cutoff_ns: Some(5), ..Rules::default() };
        assert_eq!(choose(&[file(0, 4, 1), file(0, 5, 1), file(0, 6, 1)], rules), [true, false, false]);
    }

    #[test]
    fn the_newest_of_each_group_stay_however_old() {
        let rules = Rules { cutoff_ns: Some(100), keep_last: Some(1), ..Rules::default() };
        let records = [file(1, 1, 1), file(1, 2, 1), file(2, 3, 1)];
        assert_eq!(choose(&records, rules), [true, false, false]);
        let rules = Rules { cutoff_ns: None, ..rules };
        assert_eq!(choose(&records, rules), [true, false, false]);
    }

    #[test]
    fn beyond_a_total_the_oldest_go_even_when_young() {
        let rules = Rules { cutoff_ns: Some(2), max_total: Some(10), ..Rules::default() };
        let records = [file(0, 1, 100), file(0, 3, 6), file(0, 4, 6), file(0, 5, 4)];
        assert_eq!(choose(&records, rules), [true, true, false, false]);
        // The newest stay even where they alone are too much.
        let rules = Rules { keep_last: Some(2), max_total: Some(1), ..Rules::default() };
        assert_eq!(choose(&records, rules), [true, true, false, false]);
    }

    #[test]
    fn space_is_made_oldest_first_over_all_groups() {
        let rules = Rules { to_free: Some(5), ..Rules::default() };
        let records = [file(1, 3, 4), file(2, 1, 3), file(2, 2, 0), file(1, 4, 9)];
        assert_eq!(choose(&records, rules), [true, true, false, false]);
    }

    #[test]
    fn files_of_one_time_do_not_all_go() {
        let rules = Rules { max_total: Some(15), ..Rules::default() };
        let records: Vec<_> = (0..4).map(|path| Record { group: 0, mtime_ns: 7, path, size_bytes: 5 }).collect();
        assert_eq!(choose(&records, rules), [true, false, false, false]);
    }

    fn record() -> impl Strategy<Value = Record> {
        (0..3_u64, 0..20_i64, any::<u64>(), 0..10_u64)
            .prop_map(|(group, mtime_ns, path, size_bytes)| Record { group, mtime_ns, path, size_bytes })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let some = proptest::option::of::<std::ops::Range<u64>>;
        (proptest::option::of(0..20_i64), some(1..4), some(0..40), some(0..40)).prop_map(
            |(cutoff_ns, keep_last, max_total, to_free)| Rules { cutoff_ns, keep_last, max_total, to_free },
        )
    }

    proptest! {
        #[test]
        fn no_rule_is_broken(records in proptest::collection::vec(record(), 0..40), rules in rules()) {
            let goes = choose(&records, rules);
            let newer = |one: &Record, other: &Record| (one.mtime_ns, one.path) > (other.mtime_ns, other.path);
            for (place, record) in records.iter().enumerate().filter(|(place, _)| goes[*place]) {
                let mine = records.iter().filter(|other| other.group == record.group);
                // The newest stay.
                let younger = mine.filter(|other| newer(other, record)).count() as u64;
                prop_assert!(younger >= rules.keep_last.unwrap_or(0));
                // Nothing goes for want of space or number while an older one that may go stays.
                let is_old = rules.cutoff_ns.is_some_and(|cutoff| record.mtime_ns < cutoff);
                if !is_old && rules.to_free.is_none() && !rules.is_number_alone() {
                    prop_assert!(rules.max_total.is_some());
                    let older_stays = records.iter().enumerate().any(|(other_place, other)| {
                        !goes[other_place] && other.group == record.group && newer(record, other)
                    });
                    prop_assert!(!older_stays, "{place}");
                }
            }
        }

        #[test]
        fn the_order_of_the_records_does_not_matter(
            records in proptest::collection::vec(record(), 0..40), rules in rules(), turn in 0..40_usize,
        ) {
            let mut records = records;
            // Two files never have one path.
            records.iter_mut().enumerate().for_each(|(place, record)| record.path = place as u64);
            let goes = choose(&records, rules);
            let mut turned: Vec<_> = records.clone();
            let turn = turn.min(turned.len());
            turned.rotate_left(turn);
            let mut expected = goes;
            expected.rotate_left(turn);
            prop_assert_eq!(choose(&turned, rules), expected);
        }
    }
}

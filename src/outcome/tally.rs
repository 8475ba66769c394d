//! Sums of a run: counted batch by batch, added up by policy and by run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that a sum of its kind can be added to.
trait Sum {
    fn sum(&mut self, other: &Self);
    /// Takes away what was added.
    fn take(&mut self, other: &Self);
}

impl Sum for u64 {
    fn sum(&mut self, other: &Self) {
        *self += other;
    }

    fn take(&mut self, other: &Self) {
        *self = self.saturating_sub(*other);
    }
}

impl<T: Sum + Default> Sum for BTreeMap<String, T> {
    fn sum(&mut self, other: &Self) {
        other.iter().for_each(|(name, share)| self.entry(name.clone()).or_default().sum(share));
    }

    fn take(&mut self, other: &Self) {
        other.iter().for_each(|(name, share)| self.entry(name.clone()).or_default().take(share));
    }
}

/// Declares sums: what JSON and the ledger have, and what is added, are these fields.
macro_rules! sums {
    ($($(#[$about:meta])* pub struct $name:ident { $($(#[$field_about:meta])* pub $field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct $name {
            $($(#[$field_about])* pub $field: $kind,)*
        }

        impl Sum for $name {
            fn sum(&mut self, other: &Self) {
                $(self.$field.sum(&other.$field);)*
            }

            fn take(&mut self, other: &Self) {
                $(self.$field.take(&other.$field);)*
            }
        }
    )*};
}

sums! {
    /// Counts of one policy in one run. Plan and run count the same things.
    pub struct Tally {
        /// Rows that are eligible: the same number for the same world, whether they go, would go, or only are counted.
        #[serde(flatten, with = "eligible")]
        #[schemars(with = "eligible::Names")]
        pub rows_matched: u64,
        /// Rows that were deleted; in a plan, rows that would be.
        pub rows_deleted: u64,
        /// Rows that were updated; in a plan, rows that would be.
        pub rows_updated: u64,
        /// Rows that stay because a row of `protected_by` names them.
        pub rows_protected: u64,
        /// Rows that `where` includes and that stay because their time is missing, or beyond the floor or the ceiling of all
        /// dates.
        pub rows_without_time: u64,
        /// Rows that stay because a path of theirs, or of a row that goes with them, is not one of its store's.
        pub rows_unmapped: u64,
        /// Rows of the tables that go along, by table.
        pub children: BTreeMap<String, u64>,
        /// Files whose last owner goes, or that a policy of files or orphans is to take: deleted, missing and failed ones
        /// together.
        pub files_matched: u64,
        /// Bytes that these would free; only where a policy is about a store.
        pub bytes_matched: u64,
        /// Files of a store that a policy is about, whether they go or stay.
        pub files_scanned: u64,
        /// Of those, the ones that were written long enough ago and stay because they were made or changed since.
        pub files_recently_changed: u64,
        /// Files that were removed; in a plan, files that would be.
        pub files_deleted: u64,
        /// Files that rows name and that were not there to be removed.
        pub files_missing: u64,
        /// Files that stayed although a row of theirs went, because another row named them when they were looked at. A file
        /// that two rows of two batches name is counted with the first, although it may go with the second.
        pub files_referenced: u64,
        /// Paths of rows that went although they are not of the store: `outside = "release"`. Their files were not touched.
        pub files_outside: u64,
        /// Files that are still pending: their removal failed and is tried again before the policy's next run.
        #[serde(flatten, with = "pending")]
        #[schemars(with = "pending::Names")]
        pub files_pending: u64,
        /// Bytes that came free; in a plan, bytes that would.
        pub bytes_reclaimed: u64,
        /// Of the deleted files, those that lie in their store's trash.
        pub files_trashed: u64,
        /// Bytes of those: they come free when it is emptied.
        pub bytes_trashed: u64,
        /// Files that rows name and that are not there.
        pub references_missing: u64,
        /// Rows of a store's references that lead out of it: each protects the files that have the name it ends with.
        pub references_outside: u64,
        /// Files that stay because a row without a file names them in another spelling.
        pub files_alike: u64,
        /// Files and bytes by store.
        pub stores: BTreeMap<String, StoreTally>,
    }

    /// The share of one store in a tally.
    pub struct StoreTally {
        /// Files that were removed from the store.
        pub files_deleted: u64,
        /// Files that were not there to be removed.
        pub files_missing: u64,
        /// Bytes that came free in the store.
        pub bytes_reclaimed: u64,
        /// Of the deleted files, those that lie in its trash.
        pub files_trashed: u64,
        /// Bytes of those: they come free when it is emptied.
        pub bytes_trashed: u64,
    }

    /// Sums over the policies of a run that only reported: what would have gone.
    pub struct Reported {
        /// Rows that are eligible.
        pub rows_eligible: u64,
        /// Files that are eligible.
        pub files_eligible: u64,
        /// Only of policies that are about a store.
        pub bytes_eligible: u64,
    }

    /// Sums over the policies of a run.
    pub struct Totals {
        /// Rows that were deleted.
        pub rows_deleted: u64,
        /// Rows that were updated.
        pub rows_updated: u64,
        /// Files that were removed.
        pub files_deleted: u64,
        /// Bytes that came free.
        pub bytes_reclaimed: u64,
        /// Number of errors.
        pub errors: u64,
    }
}

impl Reported {
    /// Adds a policy that only reported.
    pub fn add(&mut self, tally: &Tally) {
        self.rows_eligible += tally.rows_matched;
        self.files_eligible += tally.files_matched;
        self.bytes_eligible += tally.bytes_matched;
    }
}

/// JSON of the rows that are eligible: `rows_matched` is the name that was there first.
mod eligible {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    pub(super) struct Names {
        /// The former name of `rows_eligible`.
        #[schemars(with = "u64")]
        rows_matched: Option<u64>,
        /// Rows that are eligible: the same number for the same world, whether they go, would go, or only are counted.
        #[schemars(with = "u64")]
        rows_eligible: Option<u64>,
    }

    pub(super) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Names { rows_matched: Some(*count), rows_eligible: Some(*count) }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let Names { rows_matched, rows_eligible } = Names::deserialize(deserializer)?;
        Ok(rows_matched.or(rows_eligible).unwrap_or(0))
    }
}

/// JSON of the files that are pending: `files_owed` is the name that earlier versions wrote.
mod pending {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    pub(super) struct Names {
        /// Files that are still pending: their removal failed and is tried again before the policy's next run.
        #[schemars(with = "u64")]
        files_pending: Option<u64>,
        /// The former name of `files_pending`.
        #[schemars(with = "u64")]
        files_owed: Option<u64>,
    }

    pub(super) fn serialize<S: Serializer>(count: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        Names { files_pending: Some(*count), files_owed: Some(*count) }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let Names { files_pending, files_owed } = Names::deserialize(deserializer)?;
        Ok(files_pending.or(files_owed).unwrap_or(0))
    }
}

impl Tally {
    /// Files of a store that went, and what that freed; trashed ones free nothing yet.
    pub fn of_files(store: String, files: u64, size_bytes: u64, trashed: bool) -> Self {
        let (bytes_reclaimed, bytes_trashed) = if trashed { (0, size_bytes) } else { (size_bytes, 0) };
        let files_trashed = if trashed { files } else { 0 };
        let share =
            StoreTally { files_deleted: files, files_missing: 0, bytes_reclaimed, files_trashed, bytes_trashed };
        Self {
            files_deleted: files,
            bytes_reclaimed,
            files_trashed,
            bytes_trashed,
            stores: BTreeMap::from([(store, share)]),
            ..Self::default()
        }
    }

    /// Rows that went or were updated; files, where the policy is about a store.
    pub fn taken(&self) -> u64 {
        match self.rows_deleted + self.rows_updated {
            0 => self.files_deleted,
            rows => rows,
        }
    }

    /// Rows of the policy's own table, and of the tables that go with it.
    pub fn rows_and_children(&self) -> (u64, u64) {
        (self.rows_matched, self.children.values().sum())
    }

    /// Adds another tally to this one.
    pub fn add(&mut self, other: &Tally) {
        self.sum(other);
    }

    /// Takes away another one that was added.
    pub fn subtract(&mut self, other: &Tally) {
        self.take(other);
    }
}

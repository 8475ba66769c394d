//! What a plan foresaw against what a run did, by identity; and what may not be gone and may not be left.

use std::collections::{BTreeMap, BTreeSet};

use retaind::outcome::{PolicyResult, RunResult, Tally};
use retaind::run::{Fate, Listed};

use super::build::{number, policy_name, value};
use super::spec::{Action, Owner, Spec, Store, Table};
use super::{explained, oracle};
use crate::world::World;

type Files = BTreeSet<(Store, String)>;

/// Rows and files at some time.
pub struct State {
    /// Whether each row was updated.
    pub rows: BTreeMap<(Table, u64), bool>,
    pub files: Files,
}

impl State {
    pub fn of(world: &World) -> Self {
        let mut rows = BTreeMap::new();
        for table in Table::ALL {
            for row in world.db.query(&format!("SELECT num, touched FROM {}", table.name())) {
                let number = |column: usize| row[column].as_deref().and_then(|text| text.parse::<u64>().ok());
                rows.insert((table, number(0).expect("a number")), number(1) > Some(0));
            }
        }
        let stores = [Store::Thumbs, Store::Images].into_iter();
        let files = stores.flat_map(|store| world.files(store.name()).into_iter().map(move |path| (store, path)));
        Self { rows, files: files.collect() }
    }
}

/// What the lines of a plan say.
#[derive(Default)]
struct Foreseen {
    deleted: BTreeSet<(Table, u64)>,
    updated: BTreeSet<(Table, u64)>,
    files: Files,
}

/// Plans, runs, and compares; what the run did.
pub async fn compare(spec: &Spec, world: &World) -> RunResult {
    let before = State::of(world);
    let (plan, listed) = world.plan().await;
    let untouched = State::of(world);
    assert_eq!((&before.rows, &before.files), (&untouched.rows, &untouched.files), "a plan changes nothing");
    explained::compare(spec, world, &plan, &listed).await;
    let result = world.run().await;
    let after = State::of(world);
    let told = || format!("\nthe plan: {listed:#?}\nthe run: {result:#?}");
    let mut foreseen = foreseen(spec, &listed);
    // What a trigger does is not foreseen.
    foreseen.deleted.retain(|(table, num)| !spec.is_vetoed(*table, *num));
    let gone: BTreeSet<_> = before.rows.keys().filter(|row| !after.rows.contains_key(row)).copied().collect();
    assert_eq!(foreseen.deleted, gone, "rows{}", told());
    let updated: BTreeSet<_> = after.rows.iter().filter(|(_, touched)| **touched).map(|(row, _)| *row).collect();
    let foreseen_updated: BTreeSet<_> = foreseen.updated.difference(&gone).copied().collect();
    assert_eq!(foreseen_updated, updated, "updated rows{}", told());
    let removed: Files = before.files.difference(&after.files).cloned().collect();
    let all = Owned { spec, world, before: &before, after: &after };
    if spec.veto.is_some() {
        assert!(removed.is_subset(&foreseen.files), "files{}", told());
    } else {
        assert_eq!(foreseen.files, removed, "files{}", told());
        compare_results(&plan, &result);
    }
    oracle::judge(spec, &before, &after, &told);
    all.nothing_of_a_survivor_is_gone(&told);
    all.nothing_of_the_gone_is_left(&gone, &told);
    result
}

fn foreseen(spec: &Spec, listed: &[Listed]) -> Foreseen {
    let mut foreseen = Foreseen::default();
    for line in listed {
        let is_new = match line {
            Listed::Row { mode: Fate::Enforce, policy, table, key, .. } => {
                let table = Table::named(table);
                let by =
                    spec.policies.iter().enumerate().find(|(index, by)| policy_name(*index, by) == policy.as_str());
                let row = (table, number(spec.table(table).key, key));
                match by.expect("one of the policies").1.action {
                    Action::Delete => foreseen.deleted.insert(row),
                    Action::Literal | Action::Null | Action::Plain => foreseen.updated.insert(row),
                }
            }
            Listed::File { mode: Fate::Enforce, store, path, .. } => {
                let store = if store.as_str() == "thumbs" { Store::Thumbs } else { Store::Images };
                foreseen.files.insert((store, path.clone()))
            }
            Listed::Row { .. } | Listed::File { .. } => true,
        };
        assert!(is_new, "{line:?} is listed twice");
    }
    foreseen
}

fn compare_results(plan: &RunResult, result: &RunResult) {
    for (planned, done) in plan.policies.iter().zip(&result.policies) {
        // Which batch a file is met in depends on where batches end, and a run's earlier policies move that.
        // A plan owes nothing, and lists what a run will owe as an error.
        let exact = |tally: &Tally| Tally { files_referenced: 0, files_pending: 0, ..tally.clone() };
        let told = || format!("{}\nthe plan: {planned:#?}\nthe run: {done:#?}", planned.policy);
        assert_eq!(planned.status, done.status, "{}", told());
        if planned.blocked_code.is_some() {
            // A plan tells what is eligible all the same; a run that is blocked does not look for it.
            assert!(done.blocked_code.is_some(), "{}", told());
            continue;
        }
        assert_eq!(exact(&planned.tally), exact(&done.tally), "{}", told());
        assert_eq!(planned.error_count, done.error_count, "{}", told());
        assert_eq!(failures(planned), failures(done), "{}", told());
        assert_eq!(planned.notes, done.notes, "{}", told());
        let details = |result: &PolicyResult| -> BTreeSet<String> {
            result.details.iter().map(|row| serde_json::to_string(row).expect("JSON")).collect()
        };
        assert_eq!(details(planned), details(done), "{}", told());
    }
    assert_eq!(plan.totals.rows_deleted, result.totals.rows_deleted);
    assert_eq!(plan.totals.rows_updated, result.totals.rows_updated);
    assert_eq!(plan.totals.files_deleted, result.totals.files_deleted);
    assert_eq!(plan.totals.bytes_reclaimed, result.totals.bytes_reclaimed);
}

/// A row without a key is told by all its columns, some of which an update may have changed meanwhile: by the first.
fn failures(result: &PolicyResult) -> BTreeSet<(Option<String>, Option<&str>, &str)> {
    let told = |key: &str| match serde_json::from_str::<Vec<Option<String>>>(key) {
        Ok(values) if values.len() > 2 => values[0].clone(),
        _ => Some(key.to_owned()),
    };
    result
        .errors
        .iter()
        .map(|failure| (failure.key.as_deref().and_then(told), failure.path.as_deref(), failure.error.as_str()))
        .collect()
}

struct Owned<'a> {
    spec: &'a Spec,
    world: &'a World,
    before: &'a State,
    after: &'a State,
}

/// What a row says of a file.
struct Said {
    store: Store,
    path: String,
    directory: bool,
    /// The row's deletion is to take it along.
    claims: bool,
    /// The row may mean it, or something else.
    in_doubt: bool,
}

impl Owned<'_> {
    /// What a row says of its files, as it was before the run.
    fn said(&self, table: Table, num: u64) -> Vec<Said> {
        let facts = self.spec.table(table);
        let row = &facts.rows[num as usize - 1];
        let declared = facts.files.iter().filter(|owner| self.spec.is_declared(table, **owner));
        let said = declared.filter_map(|owner| match owner {
            Owner::Column(store) => {
                let root = self.world.root(store.name()).display().to_string();
                let value = value(*store, row.file, &root);
                let in_doubt = value.path.is_none();
                let path = value.path.or(value.means.map(str::to_owned))?;
                Some(Said { store: *store, path, directory: false, claims: value.is_plain, in_doubt })
            }
            Owner::Preview => {
                let path = format!("{}-{num}/preview", table.name());
                Some(Said { store: Store::Images, path, directory: false, claims: true, in_doubt: false })
            }
            Owner::Directory => {
                let path = format!("{}-{num}", table.name());
                Some(Said { store: Store::Images, path, directory: true, claims: true, in_doubt: false })
            }
        });
        said.collect()
    }

    /// The files that were there before the run and that a row speaks of.
    fn files<'s>(&'s self, said: &'s Said) -> impl Iterator<Item = &'s (Store, String)> + 's {
        // What a column names by mistake, a directory, is kept with all that is in it.
        self.before.files.iter().filter(move |(store, path)| {
            let beneath = path.strip_prefix(&said.path).is_some_and(|rest| rest.starts_with('/'));
            *store == said.store && (*path == said.path || beneath)
        })
    }

    /// Whether an updated row may have let go of its files.
    fn may_have_let_go(&self, table: Table, num: u64) -> bool {
        let lets_go = |action: Action| matches!(action, Action::Literal | Action::Null);
        self.after.rows.get(&(table, num)) == Some(&true)
            && self.spec.policies.iter().any(|policy| policy.on == table && lets_go(policy.action))
    }

    fn nothing_of_a_survivor_is_gone(&self, told: &dyn Fn() -> String) {
        for (table, num) in self.after.rows.keys().filter(|(table, num)| !self.may_have_let_go(*table, *num)) {
            for said in self.said(*table, *num).into_iter().filter(|said| !said.in_doubt) {
                // A column that names a directory by mistake does not own the files in it.
                for file in self.files(&said).filter(|file| said.directory || file.1 == said.path) {
                    assert!(self.after.files.contains(file), "{table:?} {num} lost {file:?}{}", told());
                }
            }
        }
    }

    fn nothing_of_the_gone_is_left(&self, gone: &BTreeSet<(Table, u64)>, told: &dyn Fn() -> String) {
        let mut stays = Files::new();
        for (table, num) in self.before.rows.keys() {
            for said in self.said(*table, *num) {
                // What a row names by mistake is kept, and told, also when the row goes last.
                let by_mistake = |file: &&(Store, String)| !said.claims || (!said.directory && file.1 != said.path);
                let survives = self.after.rows.contains_key(&(*table, *num));
                stays.extend(self.files(&said).filter(|file| survives || by_mistake(file)).cloned());
            }
        }
        for (table, num) in gone {
            for said in self.said(*table, *num) {
                for file in self.files(&said).filter(|file| !stays.contains(file)) {
                    assert!(!self.after.files.contains(file), "{table:?} {num} left {file:?}{}", told());
                }
            }
        }
    }
}

//! Random sequences of configurations, reloads, runs and approvals: no scheduled run takes what neither the approved
//! configuration nor an approval covers, and what is narrower is never held.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config as Cases;

use super::*;
use crate::needs::is_quick;
use crate::world::{effort, generated_cases};

/// What one policy is configured to take, in the model's words.
#[derive(Debug, Clone, PartialEq)]
struct Config {
    keep: u32,
    except: Option<char>,
    other_table: bool,
    files: bool,
    protected: bool,
    max_rows: Option<u64>,
    max_growth: u64,
}

/// How it is written and whether it is switched on: means nothing for what may be taken.
#[derive(Debug, Clone, Copy, Default)]
struct Brakes {
    report: bool,
    report_all: bool,
    off: bool,
    backwards: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Keep(u32),
    Except(Option<char>),
    OtherTable(bool),
    Files(bool),
    Protected(bool),
    MaxRows(Option<u64>),
    MaxGrowth(u64),
    Brakes(Brakes),
    /// The configuration that was approved last.
    Back,
    Reload,
    Night,
    ByHand,
    /// A run with a `keep` of its own.
    Temporary(u32),
    Approve,
    Insert(Vec<(u32, char, bool)>),
}

fn step() -> impl Strategy<Value = Step> {
    let brakes = any::<[bool; 5]>().prop_map(|[report, report_all, off, backwards, none]| match none {
        true => Step::Brakes(Brakes::default()),
        false => Step::Brakes(Brakes { report, report_all, off, backwards }),
    });
    let row = (1_u32..60, prop::sample::select(vec!['a', 'b', 'c']), any::<bool>());
    prop_oneof![
        4 => prop::sample::select(vec![3_u32, 10, 30, 50]).prop_map(Step::Keep),
        2 => prop::sample::select(vec![None, Some('a'), Some('b')]).prop_map(Step::Except),
        1 => any::<bool>().prop_map(Step::OtherTable),
        1 => any::<bool>().prop_map(Step::Files),
        1 => any::<bool>().prop_map(Step::Protected),
        2 => prop::sample::select(vec![None, Some(1), Some(3), Some(50)]).prop_map(Step::MaxRows),
        1 => prop::sample::select(vec![2_u64, 10, 100]).prop_map(Step::MaxGrowth),
        2 => brakes,
        2 => Just(Step::Back),
        3 => Just(Step::Reload),
        9 => Just(Step::Night),
        2 => Just(Step::ByHand),
        1 => prop::sample::select(vec![3_u32, 50]).prop_map(Step::Temporary),
        3 => Just(Step::Approve),
        6 => vec(row, 1..5).prop_map(Step::Insert),
    ]
}

impl Config {
    fn table(&self) -> &'static str {
        if self.other_table { "other" } else { "item" }
    }

    fn toml(&self, brakes: Brakes) -> String {
        let mut keys = vec![
            "kind = \"rows\"".to_owned(),
            "source = \"app\"".to_owned(),
            format!("table = \"{}\"", self.table()),
            "age = \"at\"".to_owned(),
            format!("keep = \"{}d\"", self.keep),
            format!("max_growth = {}", self.max_growth),
            format!("mode = \"{}\"", if brakes.report { "report" } else { "enforce" }),
            format!("enabled = {}", !brakes.off),
        ];
        keys.extend(self.except.map(|note| format!("where = \"note <> '{note}'\"")));
        keys.extend(self.max_rows.map(|most| format!("max_rows = {most}")));
        if self.files {
            keys.push("files = [{ store = \"thumbs\", column = \"thumb\", may_be_missing = true }]".to_owned());
        }
        if self.protected {
            let on = format!("pin.item_id = {}.id", self.table());
            keys.push(format!("protected_by = [{{ table = \"pin\", on = \"{on}\" }}]"));
        }
        if brakes.backwards {
            keys.reverse();
        }
        format!("[policies.items]\n{}\n", keys.join("\n"))
    }

    fn takes(&self, row: &Row) -> bool {
        row.other == self.other_table
            && row.days >= self.keep
            && self.except != Some(row.note)
            && !(self.protected && row.pinned)
    }

    /// Whether it surely takes nothing that the other one does not, and is stopped as early.
    fn is_within(&self, other: &Config) -> bool {
        self.other_table == other.other_table
            && self.keep >= other.keep
            && (other.except.is_none() || self.except == other.except)
            && (!self.files || other.files)
            // What keeps rows is written for a table.
            && (self.protected || !other.protected)
            && self.is_guarded_as(other)
    }

    fn is_guarded_as(&self, other: &Config) -> bool {
        let fewer = other.max_rows.is_none_or(|most| self.max_rows.is_some_and(|own| own <= most));
        fewer && self.max_growth <= other.max_growth
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    id: u64,
    days: u32,
    note: char,
    pinned: bool,
    other: bool,
}

/// The world, and what the model knows of it.
struct Life {
    world: World,
    config: Config,
    brakes: Brakes,
    rows: BTreeSet<Row>,
    baseline: Option<Config>,
    approval: Option<(Config, u64)>,
    taken: u64,
    held: u64,
}

impl Life {
    fn new() -> Self {
        let world = World::new(Database::create(EngineKind::Sqlite));
        world.create_items();
        world.db.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, at TIMESTAMP NULL, note TEXT, thumb TEXT)");
        world.db.execute("CREATE TABLE pin (item_id INTEGER)");
        let config = Config {
            keep: 30,
            except: None,
            other_table: false,
            files: false,
            protected: false,
            max_rows: None,
            max_growth: 10,
        };
        let (brakes, rows) = (Brakes::default(), BTreeSet::new());
        Self { world, config, brakes, rows, baseline: None, approval: None, taken: 0, held: 0 }
    }

    fn is_braked(&self) -> bool {
        self.brakes.off || self.brakes.report || self.brakes.report_all
    }

    fn declare(&mut self, config: &Config) {
        let daemon = format!("[daemon]\nmode = \"{}\"\n", if self.brakes.report_all { "report" } else { "enforce" });
        self.world.redeclare(&config.toml(self.brakes)).conf_d("90-brake", &daemon);
    }

    fn insert(&mut self, rows: &[(u32, char, bool)]) {
        for (place, (days, note, pinned)) in rows.iter().enumerate() {
            let id = self.taken + self.rows.len() as u64 + 1;
            let row = Row { id, days: *days, note: *note, pinned: *pinned, other: place % 2 == 1 };
            let (table, at) = (if row.other { "other" } else { "item" }, self.world.days_ago(f64::from(*days) + 0.5));
            let thumb = format!("{table}-{id}");
            self.world.db.execute(&format!(
                "INSERT INTO {table} (id, at, note, thumb) VALUES ({id}, {at}, '{note}', 'data/thumbs/{thumb}')"
            ));
            self.world.put("thumbs", &thumb, 1);
            if *pinned {
                self.world.db.execute(&format!("INSERT INTO pin VALUES ({id})"));
            }
            self.rows.insert(row);
        }
    }

    /// Rows that went, of those that the model has; it forgets them.
    fn gone(&mut self) -> Vec<Row> {
        let ids = |table: &str| self.world.db.column(&format!("SELECT id FROM {table}"));
        let (items, others) = (ids("item"), ids("other"));
        let is_left = |row: &Row| if row.other { &others } else { &items }.contains(&row.id.to_string());
        let (left, gone): (Vec<Row>, Vec<Row>) = self.rows.iter().cloned().partition(is_left);
        self.rows = left.into_iter().collect();
        self.taken += gone.len() as u64;
        gone
    }

    /// What is agreed to once the configuration came into force, or once a run came to its end.
    fn agree(&mut self, ran: bool) {
        let is_approved = self.approval.as_ref().is_some_and(|(config, _)| *config == self.config);
        let is_agreed = match &self.baseline {
            Some(baseline) => self.config.is_within(baseline),
            None => ran,
        };
        if is_agreed || is_approved {
            self.baseline = Some(self.config.clone());
        }
        if ran && is_approved {
            self.approval = None;
        }
    }

    async fn night(&mut self) {
        self.declare(&self.config.clone());
        let wanted: Vec<Row> = self.rows.iter().filter(|row| self.config.takes(row)).cloned().collect();
        let result = night(&self.world).await;
        let gone = self.gone();
        let Some(done) = result.policies.first().filter(|_| !self.is_braked()) else {
            assert_eq!(gone, [], "{result:?}");
            return;
        };
        let approved = self.approval.clone().filter(|(config, _)| *config == self.config);
        if let Some(baseline) = &self.baseline {
            let covers =
                |row: &Row| baseline.takes(row) || approved.as_ref().is_some_and(|(config, _)| config.takes(row));
            assert!(gone.iter().all(covers), "{baseline:?} {approved:?} covers not all of {gone:?}");
            let most = baseline.max_rows.max(approved.as_ref().map(|(_, amount)| *amount));
            let is_free =
                baseline.max_rows.is_none() || approved.as_ref().is_some_and(|(config, _)| config.max_rows.is_none());
            let most = most.max(approved.as_ref().and_then(|(config, _)| config.max_rows));
            assert!(is_free || gone.len() as u64 <= most.unwrap_or(0), "{most:?} allow not as many as {gone:?}");
            if self.config.is_within(baseline) {
                assert_eq!(done.held, None, "within {baseline:?}");
            }
        } else {
            assert_eq!(done.held, None, "a policy that never ran");
        }
        match done.status {
            Status::Completed => {
                assert_eq!(gone, wanted, "{done:?}");
                self.agree(true);
            }
            Status::Blocked => {
                assert_eq!(gone, []);
                self.held += u64::from(done.held.is_some());
            }
            status => panic!("{status:?} {done:?}"),
        }
    }

    async fn by_hand(&mut self, temporary: Option<u32>) {
        let config = Config { keep: temporary.unwrap_or(self.config.keep), ..self.config.clone() };
        self.declare(&config);
        let request = Request { is_temporary: temporary.is_some(), ..self.world.request(RunMode::Enforce) };
        let result = self.world.runner().await.run(request).await.unwrap();
        self.gone();
        let is_completed = result.policies.first().is_some_and(|done| done.status == Status::Completed);
        let is_approved = self.approval.as_ref().is_some_and(|(approved, _)| *approved == config);
        if is_completed && !self.is_braked() && temporary.is_none() && (is_approved || self.baseline.is_none()) {
            self.baseline = Some(config);
            self.approval = self.approval.take().filter(|_| !is_approved);
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Keep(days) => self.config.keep = days,
            Step::Except(note) => self.config.except = note,
            Step::OtherTable(other) => self.config.other_table = other,
            Step::Files(files) => self.config.files = files,
            Step::Protected(protected) => self.config.protected = protected,
            Step::MaxRows(most) => self.config.max_rows = most,
            Step::MaxGrowth(factor) => self.config.max_growth = factor,
            Step::Brakes(brakes) => self.brakes = brakes,
            Step::Back => self.config = self.baseline.clone().unwrap_or(self.config.clone()),
            Step::Insert(rows) => self.insert(&rows),
            Step::Reload => {
                self.declare(&self.config.clone());
                let reviewed = reload(&self.world).await;
                let is_within = self.baseline.as_ref().is_none_or(|baseline| self.config.is_within(baseline));
                assert!(!is_within || reviewed.is_empty(), "within {:?}: {reviewed:?}", self.baseline);
                self.agree(false);
            }
            Step::Night => self.night().await,
            Step::ByHand => self.by_hand(None).await,
            Step::Temporary(days) => self.by_hand(Some(days)).await,
            Step::Approve => {
                self.declare(&self.config.clone());
                let amount = self.rows.iter().filter(|row| self.config.takes(row)).count() as u64;
                approve_amount(&self.world, "items", amount).await;
                self.approval = Some((self.config.clone(), amount));
            }
        }
    }
}

#[test]
fn no_scheduled_run_takes_what_nobody_agreed_to() {
    let config = Cases { cases: effort(5), failure_persistence: None, max_shrink_iters: 60, ..Cases::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seen = std::cell::Cell::new((0, 0));
    generated_cases(config)
        .run(&vec(step(), 15..30), |steps| {
            runtime.block_on(async {
                let mut life = Life::new();
                for step in steps {
                    life.take(step).await;
                }
                let (taken, held) = seen.get();
                seen.set((taken + life.taken, held + life.held));
            });
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let (taken, held) = seen.get();
    assert!(
        is_quick() || (taken > 0 && held > 0),
        "cases in which nothing happens would prove nothing: {taken} {held}"
    );
}

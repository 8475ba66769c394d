//! Makes of what was drawn something that a configuration can say and a database can do.

use super::draw::NUMBERS;
use super::{
    AGES, Action, Alive, FIRST_FAR, ForeignKey, Key, Link, OnDelete, Owner, Row, Spec, Table, Time, Times, When,
};
use crate::engines::EngineKind;

impl Spec {
    /// Makes of what was drawn something that a configuration can say and a database can do.
    pub fn settled(mut self, kind: EngineKind) -> Self {
        self.settle_keys(kind);
        self.settle_links();
        self.settle_itself();
        self.settle_policies();
        self.settle_veto();
        if kind.is_mysql() {
            self.settle_keyless(kind);
        }
        self
    }

    fn settle_keys(&mut self, kind: EngineKind) {
        self.table_mut(Table::Lease).key = Key::Integer;
        self.table_mut(Table::Lease).files.clear();
        for table in &mut self.tables {
            table.without_rowid &= !matches!(table.key, Key::Integer | Key::None);
        }
        // A child without a key cannot go with its parent there.
        for table in [Table::Shot, Table::Mark] {
            if kind.is_mysql() && self.table(table).key == Key::None {
                self.table_mut(table).key = Key::Text;
            }
        }
    }

    fn settle_links(&mut self) {
        for (parent, shots) in [(Table::Job, true), (Table::Shot, false)] {
            let keyless = self.table(parent).key == Key::None;
            let link = if shots { &mut self.shots } else { &mut self.marks };
            if keyless {
                link.key = ForeignKey::None;
            }
            if link.key == ForeignKey::Plain && link.declared.is_none() {
                link.declared = Some(OnDelete::Delete);
            }
        }
        if self.shots.declared.is_none() {
            self.others = None;
        }
        // What goes with one row must keep no other of its table: a plan judges all of them as of its beginning.
        let keeps = self.policies.iter().any(|policy| policy.protected_by == Some(Table::Shot))
            || self.shots.declared == Some(OnDelete::KeepParent);
        let goes = self.shots.declared == Some(OnDelete::Delete);
        if (keeps && self.others == Some(OnDelete::Delete)) || (goes && self.others == Some(OnDelete::KeepParent)) {
            self.others = Some(OnDelete::SetNull);
        }
        // What the database deletes by itself is found by the declared references alone, which are columns; and what
        // belongs to it cannot be declared.
        let by_itself = |link: Link| link.key == ForeignKey::Cascade && link.declared.is_none();
        let columns = |files: &mut Vec<Owner>| files.retain(|owner| matches!(owner, Owner::Column(_)));
        if by_itself(self.shots) {
            columns(&mut self.table_mut(Table::Shot).files);
            if self.marks.key == ForeignKey::Plain {
                self.marks.key = ForeignKey::Cascade;
            }
            if self.marks.key == ForeignKey::Cascade {
                columns(&mut self.table_mut(Table::Mark).files);
            }
        }
        if by_itself(self.marks) {
            columns(&mut self.table_mut(Table::Mark).files);
        }
    }

    /// A row is pointed to by a key of its own.
    fn settle_itself(&mut self) {
        if self.table(Table::Job).key == Key::None {
            self.previous = None;
        }
    }

    /// A veto within a cascade leaves what belongs to nothing, which is the schema's own fault: only rows that nothing
    /// goes along with, and that go along with nothing, are vetoed.
    fn settle_veto(&mut self) {
        let jobs_alone = self.shots.key == ForeignKey::None && self.shots.declared.is_none() && self.previous.is_none();
        let marks_alone = self.marks.key == ForeignKey::None && self.marks.declared.is_none();
        self.veto = self.veto.filter(|table| match table {
            Table::Job => jobs_alone && self.table(Table::Job).key != Key::None,
            Table::Mark => marks_alone && self.table(Table::Mark).key != Key::None,
            Table::Lease => true,
            Table::Shot => false,
        });
    }

    fn settle_policies(&mut self) {
        let (shots, marks) = (self.shots, self.marks);
        let mut updated = Vec::new();
        let texts = Table::ALL.map(|table| {
            let times = self.table(table).times;
            times == Times::Texts || (!NUMBERS && times != Times::Instants)
        });
        self.policies.retain_mut(|policy| {
            // Texts of several notations have no order that SQL could go by.
            if let (Time::BySql(days), true) = (policy.time, texts[policy.on as usize]) {
                policy.time = Time::Keep(days);
            }
            if policy.time == Time::None {
                policy.condition.get_or_insert("flag > 0");
            }
            if policy.on != Table::Job {
                policy.protected_by = None;
            }
            if policy.on == Table::Lease {
                policy.action = Action::Delete;
            }
            // Undeclared children are left alone only where no foreign key has a say.
            let says = |key| key != ForeignKey::None;
            policy.declares_children |= match policy.on {
                Table::Job => says(shots.key),
                Table::Shot => says(marks.key),
                Table::Mark | Table::Lease => false,
            };
            if policy.action == Action::Delete {
                return true;
            }
            policy.reports = false;
            let first = !updated.contains(&policy.on);
            updated.push(policy.on);
            first
        });
        // A condition may be held to depend on no time where only years before any clock are before its cutoff.
        let by_sql = self.policies.iter().filter(|policy| matches!(policy.time, Time::BySql(_)));
        for table in by_sql.map(|policy| policy.on).collect::<Vec<_>>() {
            let far = |row: &&mut Row| matches!(AGES[row.age], When::At(_));
            self.table_mut(table).rows.iter_mut().filter(far).for_each(|row| row.age -= FIRST_FAR);
        }
        // An update moves a row that its place alone tells from others: the next policy meets them in another order.
        let on = |table| self.policies.iter().filter(|policy| policy.on == table).count();
        let (on_jobs, on_shots) = (on(Table::Job), on(Table::Shot));
        if self.table(Table::Job).key == Key::None && on_jobs > 1 {
            self.policies.iter_mut().for_each(|policy| policy.action = Action::Delete);
        }
        if self.table(Table::Shot).key == Key::None && on_jobs > 0 && on_shots > 0 {
            self.table_mut(Table::Shot).key = Key::Integer;
        }
        // What an update makes of a file's column cannot be foreseen by the policies after it.
        self.policies.sort_by_key(|policy| policy.action == Action::Null);
    }

    /// MySQL tells the rows of a table without a key apart by nothing.
    fn settle_keyless(&mut self, kind: EngineKind) {
        if self.table(Table::Job).key != Key::None {
            return;
        }
        self.shots = Link { key: ForeignKey::None, declared: None };
        self.others = None;
        if kind == EngineKind::MariaDbNoReturning {
            self.table_mut(Table::Job).files.clear();
        }
        for policy in self.policies.iter_mut().filter(|policy| policy.on == Table::Job) {
            policy.shows = false;
            if policy.alive == Alive::Command {
                policy.alive = Alive::Sql;
            }
            if policy.action != Action::Delete {
                policy.action = Action::Plain;
            }
        }
    }
}

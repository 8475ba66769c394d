//! Gathers what `why` shows: what each policy says of one row, by the statements that a run uses. Changes nothing.

mod files;
mod namers;
mod neighbours;
mod question;
mod remembered;
mod store_file;
mod verdict;

use anyhow::Context;
use jiff::Timestamp;
use remembered::{Remembered, remember};

use crate::clock::Clock;
use crate::decide::policy::standstills;
use crate::decide::rows::{ReasonKind, RowReason, of_age, of_row, shown};
use crate::policy::{Action, Alive, OnDelete, Outside, Params, Policy, RowsPolicy, Settings, Source};
use crate::report::{PolicyWhy, Reason, RowFate, RowName, RowWhy};
use crate::run::{Verdict, ask_one};
use crate::sources::{
    AskedRow, Claim, ClaimedFile, FileOwner, Following, Instants, Judgement, ResolveInput, Session, TableFacts, Target,
    Unmapped, WhichRow,
};
use crate::text::human;
use files::Files;
pub use question::{Question, WhyError};
use question::{find_table, names, policies_of, unknown_param, unknown_table};
pub use store_file::{FileQuestion, FileWhyError, why_file};

/// Asks every policy of the source that has a say in the row. None where there is no such row.
pub async fn why(
    settings: &Settings,
    question: Question<'_>,
    clock: &Clock,
) -> anyhow::Result<Result<Option<RowWhy>, WhyError>> {
    let (source, named) = match find_table(settings, question.table) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(error) = unknown_param(settings, source, question.params) {
        return Ok(Err(error));
    }
    let no_policy = || unknown_table(settings, source, &named);
    let mut session = Session::open(source).await?;
    let Some(facts) = TableFacts::load(&mut session, &named).await? else {
        if !policies_of(settings, source).any(|(_, rows)| names(rows, &named)) {
            return Ok(Err(no_policy()));
        }
        anyhow::bail!("there is no table {named} in source {}, or its user may not see it", source.name);
    };
    let row = match AskedRow::parse(session.engine(), &facts, question.key) {
        Ok(row) => row,
        Err(why) => return Ok(Err(WhyError::BadKey(why))),
    };
    let now = clock.now();
    let mut asker = Asker {
        settings,
        source,
        remembered: remember(settings, now).await?,
        given: question.params,
        row: &row,
        now,
        session,
        files: Files::new(settings),
    };
    let (mut policies, mut has_say) = (Vec::new(), false);
    for (policy, rows) in policies_of(settings, source) {
        let said = asker.ask(policy, rows).await;
        if let Some(said) = said.with_context(|| format!("policy {} cannot be asked", policy.name))? {
            has_say = true;
            policies.extend(said);
        }
    }
    if !has_say {
        return Ok(Err(no_policy()));
    }
    if !row.exists(&mut asker.session).await? {
        return Ok(Ok(None));
    }
    let (table, key) = (named.to_string(), question.key.to_owned());
    Ok(Ok(Some(RowWhy { at: now, source: source.name.clone(), table, key, policies })))
}

/// Paths that are told of a row.
const REASONS_AT_MOST: usize = 10;

struct Asker<'a> {
    settings: &'a Settings,
    source: &'a Source,
    remembered: Remembered,
    given: &'a [(String, String)],
    row: &'a AskedRow,
    now: Timestamp,
    session: Session,
    files: Files<'a>,
}

impl Asker<'_> {
    /// Asks a policy about the row; none where the table is none of its business.
    async fn ask(&mut self, policy: &Policy, rows: &RowsPolicy) -> anyhow::Result<Option<Vec<PolicyWhy>>> {
        let params = self.params(rows);
        let asked =
            ResolveInput { source: self.source, policy: rows, params: params.as_ref(), settings: self.settings };
        let target = match Target::load(&mut self.session, asked).await? {
            Ok(target) => target,
            Err(_) if !names(rows, &self.row.table) => return Ok(None),
            Err(misfits) => {
                let misfits: Vec<_> = misfits.iter().map(ToString::to_string).collect();
                return Ok(Some(vec![unfit(policy, misfits.join("; "))]));
            }
        };
        let (is_own, ways) = (target.node.table == self.row.table, target.following(&self.row.table));
        let mut said = Vec::new();
        if is_own {
            let row = self.row;
            said.extend(self.own(policy, rows, &target, &WhichRow::Asked(row), params.is_some()).await?);
        }
        for following in &ways {
            said.push(self.child(policy, rows, &target, following, params.is_some()).await?);
        }
        Ok((is_own || !ways.is_empty()).then_some(said))
    }

    /// The policy's parameters, where all of them are given.
    fn params(&self, rows: &RowsPolicy) -> Option<Params> {
        let given: Params = self.given.iter().cloned().collect();
        rows.params.iter().all(|declared| given.contains_key(&declared.name)).then_some(given)
    }

    async fn own(
        &mut self,
        policy: &Policy,
        rows: &RowsPolicy,
        target: &Target,
        which: &WhichRow<'_>,
        has_params: bool,
    ) -> anyhow::Result<Option<PolicyWhy>> {
        let at = Instants::new(self.now, rows.cutoff(self.now));
        let Some(judgement) = target.judge(&mut self.session, at, which).await? else { return Ok(None) };
        let (eligible_at, mut reasons) = self.reasons(policy, rows, target, &judgement, has_params).await?;
        if judgement.facts.eligible
            && !rows.allow_time_independent
            && let Some(timeless) = target.timeless(&mut self.session, at, &[]).await?
        {
            reasons.push(RowReason::TimeIndependent(timeless));
            reasons.sort_by_key(RowReason::kind);
        }
        let (row, claims) = (target.identity(&judgement.row), target.claims_of(std::slice::from_ref(&judgement.row)));
        let files = self.files.ask(&mut self.session, target, &row, claims).await?;
        let troubles = self.remembered.troubles.iter().filter(|(name, _)| *name == policy.name);
        let mut why = PolicyWhy {
            policy: policy.name.clone(),
            parent: None,
            fate: RowFate::Kept,
            summary: String::new(),
            eligible: judgement.facts.eligible,
            eligible_at,
            taken_at: None,
            reasons: reasons.iter().map(Reason::from).collect(),
            files,
            remarks: troubles.map(|(_, why)| why.clone()).collect(),
        };
        self.conclude(policy, rows, &mut why);
        Ok(Some(why))
    }

    /// From when on the row is old enough, and all that keeps it.
    async fn reasons(
        &mut self,
        policy: &Policy,
        rows: &RowsPolicy,
        target: &Target,
        judgement: &Judgement,
        has_params: bool,
    ) -> anyhow::Result<(Option<Timestamp>, Vec<RowReason>)> {
        let standstills = standstills(self.settings, policy);
        let mut reasons: Vec<_> = standstills.into_iter().map(RowReason::Standstill).collect();
        let (eligible_at, of_age) = of_age(rows, &judgement.facts, self.now);
        reasons.extend(of_age);
        if has_params {
            reasons.extend(of_row(rows, &judgement.facts));
            reasons.extend(self.probe(rows, target, judgement).await);
        } else {
            let names = rows.params.iter().map(|declared| declared.name.clone()).collect();
            reasons.push(RowReason::NeedsParameters { names });
        }
        reasons.extend(self.unmapped(target, judgement).await?);
        if target.is_locked(&mut self.session, &judgement.row).await? == Some(true) {
            reasons.push(RowReason::Locked);
        }
        if reasons.is_empty() && !judgement.facts.eligible {
            reasons.push(RowReason::NotEligible);
        }
        reasons.sort_by_key(RowReason::kind);
        Ok((eligible_at, reasons))
    }

    /// Says what comes of it all.
    fn conclude(&self, policy: &Policy, rows: &RowsPolicy, why: &mut PolicyWhy) {
        let (fate, done) = match rows.action {
            Action::Delete => (RowFate::Deleted, "deleted"),
            Action::Update(_) => (RowFate::Updated, "updated"),
        };
        if let Some(reason) = why.reasons.iter().find(|reason| !reason.reason.passes()) {
            why.summary = format!("kept: {}", reason.message);
            return;
        }
        let from = why.eligible_at.map_or(self.now, |at| at.max(self.now));
        let slot = policy
            .task
            .as_ref()
            .and_then(|task| Some((task, self.remembered.schedules.next_after(self.settings, task, from, self.now)?)));
        why.taken_at = slot.map(|(_, slot)| slot);
        let by = match slot {
            Some((task, slot)) => {
                format!("{done} by the run of task {task} at {}", human::instant_from(slot, self.now))
            }
            None => format!("{done} when somebody runs it: retaind run {}", policy.name),
        };
        let until = why.eligible_at.filter(|at| *at >= self.now).map(|at| human::instant_from(at, self.now));
        why.summary = match (why.reasons.first(), until) {
            (None, _) => by,
            (Some(Reason { reason: ReasonKind::TooYoung, message, .. }), Some(until)) => {
                format!("kept until {until}: {message}; then {by}")
            }
            (Some(reason), _) => format!("kept for now: {}; {by}", reason.message),
        };
        if why.reasons.is_empty() {
            why.fate = fate;
        }
    }

    /// Paths that keep the row: its own, and those of rows that go with it.
    async fn unmapped(&mut self, target: &Target, judgement: &Judgement) -> anyhow::Result<Vec<RowReason>> {
        if target.owners.is_empty() {
            return Ok(Vec::new());
        }
        let claims = target.foresee(&mut self.session, vec![judgement.row.clone()], &[]).await?.claims;
        let mut reasons = Vec::new();
        for Claim { key, owner, file } in claims {
            let FileOwner { file: owned, table, .. } = &target.owners[owner];
            let (ClaimedFile::Outside(Unmapped { written, why, .. }), Outside::Keep) = (file, owned.outside) else {
                continue;
            };
            reasons.push(RowReason::Unmapped {
                of: (*table != target.node.table).then(|| (table.table.to_string(), key)),
                column: owned.path.to_string(),
                value: shown(&written),
                store: owned.store.to_string(),
                why: why.to_string(),
            });
            if reasons.len() == REASONS_AT_MOST {
                break;
            }
        }
        Ok(reasons)
    }

    async fn probe(&self, rows: &RowsPolicy, target: &Target, judgement: &Judgement) -> Option<RowReason> {
        let Some(Alive::Command(command)) = &rows.alive else { return None };
        match ask_one(command, target, &judgement.row).await {
            Verdict::NotAlive => None,
            Verdict::Alive => Some(RowReason::Alive { by: format!("{} says so", command.program.display()) }),
            Verdict::Doubt(why) => Some(RowReason::AliveUnknown { why }),
        }
    }

    /// A row that follows one of the policy's own table.
    async fn child(
        &mut self,
        policy: &Policy,
        rows: &RowsPolicy,
        target: &Target,
        following: &Following,
        has_params: bool,
    ) -> anyhow::Result<PolicyWhy> {
        let (columns, table) = (following.columns.join(", "), target.node.table.table.to_string());
        let parent = match target.followed(&mut self.session, self.row, following).await? {
            Some(which) => self.own(policy, rows, target, &which, has_params).await?.map(|why| (which, why)),
            None => None,
        };
        let Some((which, mut why)) = parent else {
            return Ok(kept(policy, &RowReason::NoParent { table, columns }));
        };
        let at = Instants::new(self.now, rows.cutoff(self.now));
        let key =
            target.judge(&mut self.session, at, &which).await?.map(|judgement| judgement.row.shown).unwrap_or_default();
        why.files = match target.claims_of_following(&mut self.session, self.row, following).await? {
            Some((identity, claims)) => self.files.ask(&mut self.session, target, &identity, claims).await?,
            None => Vec::new(),
        };
        follow(&mut why, following.on_delete, &format!("row {key} of {table}"), &columns);
        why.parent = Some(RowName { table, key });
        Ok(why)
    }
}

/// Turns what is said of a row into what that means for one that follows it by `columns`.
fn follow(why: &mut PolicyWhy, on_delete: OnDelete, parent: &str, columns: &str) {
    let goes = why.fate != RowFate::Kept;
    match on_delete {
        OnDelete::Delete => {
            why.summary = format!("goes with {parent}, which is {}", why.summary);
            why.fate = if goes { RowFate::Deleted } else { RowFate::Kept };
        }
        OnDelete::SetNull => {
            why.summary = format!("stays, and its {columns} becomes NULL with {parent}, which is {}", why.summary);
            why.fate = if goes { RowFate::Unlinked } else { RowFate::Kept };
        }
        OnDelete::KeepParent => {
            let reason = RowReason::KeepsParent { parent: parent.to_owned(), columns: columns.to_owned() };
            why.summary = reason.to_string();
            (why.fate, why.taken_at) = (RowFate::Kept, None);
            why.reasons.retain(|reason| reason.reason != ReasonKind::ChildKeeps);
            why.reasons.insert(0, Reason::from(&reason));
        }
    }
}

fn unfit(policy: &Policy, why: String) -> PolicyWhy {
    let summary = format!("cannot be told: {why}");
    PolicyWhy { fate: RowFate::Unknown, summary, ..kept(policy, &RowReason::Unfit { why }) }
}

fn kept(policy: &Policy, reason: &RowReason) -> PolicyWhy {
    PolicyWhy {
        policy: policy.name.clone(),
        parent: None,
        fate: RowFate::Kept,
        summary: format!("kept: {reason}"),
        eligible: false,
        eligible_at: None,
        taken_at: None,
        reasons: vec![Reason::from(reason)],
        files: Vec::new(),
        remarks: Vec::new(),
    }
}

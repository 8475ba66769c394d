//! A run that takes nothing: a plan, a report, or a count of what is held.

use super::facts::{Question, gather};
use super::plan::{Planned, Planner};
use crate::decide::blocked::Blocked;
use crate::decide::guards::Judged;
use crate::outcome::Held;
use crate::policy::{Mode, RowsPolicy};
use crate::run::account::Account;
use crate::run::outcome::Outcome;
use crate::run::plan_state::Foreseen;
use crate::run::policy_run::PolicyRun;
use crate::run::sessions::Sessions;
use crate::sources::{Gone, Instants};
use crate::text::chain;

impl PolicyRun<'_> {
    /// A plan, or a run that only reports.
    pub(crate) async fn look(
        &self,
        rows: &RowsPolicy,
        at: Instants,
        sessions: &mut Sessions,
        foreseen: &mut Foreseen,
        held: Option<&Held>,
    ) -> Outcome {
        let runner = self.runner;
        sessions.heed(Some(self.stop.token()));
        let question = Question { tries_sql: true, ..self.question(rows, at, &foreseen.rows) };
        let facts = match gather(question, sessions).await {
            Ok(facts) => facts,
            Err(error) => return self.refused(Account::default(), error),
        };
        self.reporter.expect(facts.eligible.map(|eligible| rows.in_a_run(eligible)));
        let (Judged { mut readings, mut blocked }, look) =
            match self.judge(rows, &facts, sessions, (&foreseen.rows, &foreseen.files)).await {
                Ok(judged) => judged,
                Err(ended) => return self.ended(Account::default(), ended),
            };
        if let Some(held) = held {
            blocked = Some(Blocked::Held(held.clone()));
        }
        // A run that only reports tells what one that enforces would do, with the earlier policies' rows gone.
        let would_go = blocked.is_none() && self.policy.mode == Mode::Enforce;
        let fate = self.fate(blocked.as_ref());
        let planner = Planner {
            name: &self.policy.name,
            policy: rows,
            fate,
            facts: &facts,
            settings: &runner.settings,
            sessions,
            clock: &runner.clock,
            stop: self.stop,
            reporter: self.reporter,
            list: self.request.list.as_ref(),
            gone: &foreseen.rows,
            files: if would_go { foreseen.files.clone() } else { foreseen.files.apart() },
            presence: look.presence.anew(),
            waiting: Vec::new(),
            reads_long: false,
            kept: Vec::new(),
            unreadable: 0,
            left: 0,
            over: 0,
            account: Account::default(),
        };
        let (planned, kept, until) = match planner.plan().await {
            Ok(Planned { account, kept, ended: None }) => (Ok(account), Some(kept), None),
            Ok(Planned { account, kept, ended: Some((window, judged)) }) => {
                readings.extend(judged.readings);
                blocked = blocked.or(judged.blocked);
                (Ok(account), Some(kept), Some(window))
            }
            Err(error) => (Err(error), None, None),
        };
        let outcome = match (planned, blocked) {
            (Ok(account), _) if self.stop.is_set() => Outcome::cancelled(account),
            (Err(_), _) if self.stop.is_set() => Outcome::cancelled(Account::default()),
            (Err(error), _) => Outcome::failed(Account::default(), [chain(&error)]),
            (Ok(account), Some(by)) => Outcome::blocked(account, by),
            (Ok(account), None) => Outcome::new(account),
        };
        if let (true, Some(kept)) = (would_go, kept) {
            foreseen.rows.extend(Gone::new(facts.target.clone(), at, until, kept));
        }
        Outcome { guards: readings, ..outcome }
    }
}

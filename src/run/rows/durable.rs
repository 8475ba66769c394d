//! Commits of a deletion that the source may still take back: rows without files are deleted in transactions that the
//! server need not write through one by one, which is most of what a small batch costs. A crash of the server brings
//! such rows back, and the next run takes them; the ledger and the result count only what is durable.

use super::deleter::Deleter;
use super::ended::RowsEnd;
use crate::outcome::Tally;
use crate::sources::{ErrorKind, SourceError};

impl Deleter<'_> {
    /// True if nothing is lost that the next run would not take again, when the server forgets the last batches.
    pub(crate) fn may_relax_commits(&self) -> bool {
        let is_refused = self.memory.unproven.is_refused;
        self.facts.referenced_stores.is_empty() && !self.facts.target.updates() && !is_refused
    }

    /// Prepares the session for a batch. Where it is another than that of the last batch, and the server has not lived on since,
    /// what that one committed does not count: some of it may have come back.
    pub(crate) async fn prepare_session(&mut self) -> Result<(), SourceError> {
        let relaxed = self.may_relax_commits();
        let session = self.sessions.get(&self.facts.target.source).await?;
        let unproven = &mut self.memory.unproven;
        if unproven.session == Some(session.number()) {
            return Ok(());
        }
        session.relax_commits(relaxed);
        // What cannot be made durable later is made durable at once.
        if let Err(error) = session.make_durable().await
            && error.kind != ErrorKind::Lost
        {
            session.relax_commits(false);
            unproven.is_refused = true;
        }
        let is_lost = match &unproven.mark {
            Some(mark) => !session.still_has(mark).await?,
            None => false,
        };
        unproven.session = Some(session.number());
        unproven.mark = None;
        if is_lost {
            self.take_back();
        }
        Ok(())
    }

    /// Counts a batch that was committed.
    pub(crate) fn count(&mut self, done: &Tally, mark: Option<String>) {
        self.account.tally.add(done);
        let unproven = &mut self.memory.unproven;
        unproven.sums.add(done);
        unproven.mark = mark.or(unproven.mark.take());
    }

    /// Makes durable what was committed; its sums, for the ledger.
    pub(crate) async fn prove(&mut self) -> Result<Tally, RowsEnd> {
        if self.memory.unproven.sums == Tally::default() {
            return Ok(Tally::default());
        }
        self.prepare_session().await?;
        let session = self.sessions.held(&self.facts.target.source)?;
        if let Err(error) = session.make_durable().await {
            // A new session tells what is there.
            self.sessions.reopen(&error.source_name).await?;
            self.prepare_session().await?;
            self.sessions.held(&self.facts.target.source)?.make_durable().await?;
        }
        self.memory.unproven.mark = None;
        Ok(std::mem::take(&mut self.memory.unproven.sums))
    }

    /// At the end of a deletion; where nothing can be asked any more, what is not known to be durable does not count.
    pub(crate) async fn prove_rest(&mut self) {
        if self.prove().await.is_err() && self.memory.unproven.mark.is_some() {
            self.take_back();
        }
    }

    fn take_back(&mut self) {
        let sums = std::mem::take(&mut self.memory.unproven.sums);
        self.account.tally.subtract(&sums);
        let (rows, _) = sums.rows_and_children();
        if rows > 0 {
            self.account.notes.push(format!(
                "the server was lost before {rows} deleted rows were known to be durable: they are not counted, and go \
                 with the next run where they came back"
            ));
        }
    }
}

//! The tables around a policy's own: whose rows go with its rows, stand in their way, or protect them. Looks at what
//! the configuration declares and at what the database's foreign keys do by themselves.

use super::policies::rows_policies;
use super::privileges::{deleting, may, may_set};
use crate::policy::{Child, Ident, Name, OnDelete, Protection, Settings, TableName};
use crate::report::Findings;
use crate::sources::{ForeignKeyAction, InboundForeignKey, Privilege, Session, TableFacts, is_named};
use crate::text::chain;

/// The surroundings of one policy.
pub(super) struct Around<'a> {
    settings: &'a Settings,
    subject: &'a str,
    /// True if the policy may delete; else it reads only.
    enforces: bool,
    /// Tables whose privileges were asked for, with what for.
    asked: Vec<(TableName, Vec<Privilege>)>,
    /// Tables whose rows the database deletes by itself.
    cascades: Vec<TableName>,
}

impl<'a> Around<'a> {
    pub(super) fn new(settings: &'a Settings, subject: &'a str, enforces: bool) -> Self {
        Self { settings, subject, enforces, asked: Vec::new(), cascades: Vec::new() }
    }

    /// Checks that the rows that protect can be read.
    pub(super) async fn protections(
        &mut self,
        session: &mut Session,
        protections: &[Protection],
        findings: &mut Findings,
    ) {
        for protection in protections {
            if let Some(facts) = self.facts(session, &protection.table, findings).await {
                self.may(session, &facts, &[Privilege::Select], findings).await;
            }
        }
    }

    /// Checks that the rows that go with those of a table are found quickly and may go, at any depth, and that no
    /// others go or stand in the way that nobody declared.
    pub(super) async fn children(
        &mut self,
        session: &mut Session,
        facts: &TableFacts,
        children: &[Child],
        findings: &mut Findings,
    ) {
        if self.enforces {
            self.foreign_keys(session, facts, children, findings).await;
        }
        for child in children {
            let Some(child_facts) = self.facts(session, &child.table, findings).await else { continue };
            self.pointing(session, &child_facts, &child.columns, child.on_delete, findings).await;
            if child.on_delete == OnDelete::Delete {
                Box::pin(self.children(session, &child_facts, &child.children, findings)).await;
            }
        }
    }

    /// Says once of all tables together whose rows the database deletes by itself; first those whose rows name files.
    pub(super) fn report_cascades(&mut self, of: &TableFacts, source: &Name, findings: &mut Findings) {
        let references = || self.settings.stores.iter().flat_map(|store| &store.references);
        let names_files = |table: &TableName| {
            references().any(|reference| reference.source == *source && is_named(table, &reference.table))
        };
        let (first, others): (Vec<_>, Vec<_>) = self.cascades.iter().partition(|table| names_files(table));
        let tables: Vec<_> = first.iter().chain(&others).map(|table| format!("{table}")).collect();
        if tables.is_empty() {
            return;
        }
        let files = match first.as_slice() {
            [] => "they are counted, and no store's references list a column of theirs".to_owned(),
            first => {
                let first: Vec<_> = first.iter().map(|table| table.to_string()).collect();
                format!(
                    "they are counted, and with those of {} every file goes that a store's references list",
                    first.join(", ")
                )
            }
        };
        let message = format!(
            "with a row of {} the database itself deletes the rows of {} that point to it (ON DELETE CASCADE), whatever their \
             age; {files}",
            of.name,
            tables.join(", ")
        );
        let fix = "list in children those whose rows own files: then you say which of them go".to_owned();
        findings.warn(self.subject, message, fix);
    }

    /// Checks that the rows of a table that point to others are found quickly, and that what is done to them is
    /// allowed.
    async fn pointing(
        &mut self,
        session: &mut Session,
        facts: &TableFacts,
        columns: &[Ident],
        on_delete: OnDelete,
        findings: &mut Findings,
    ) {
        let needs = match (self.enforces, on_delete) {
            (true, OnDelete::Delete) => deleting(session, true),
            (true, OnDelete::SetNull | OnDelete::KeepParent) | (false, _) => &[Privilege::Select],
        };
        self.may(session, facts, needs, findings).await;
        if self.enforces && on_delete == OnDelete::SetNull {
            let nullable =
                |ident: &&Ident| facts.columns.iter().any(|column| column.name == **ident && column.nullable);
            let columns: Vec<_> = columns.iter().filter(nullable).cloned().collect();
            may_set(session, facts, &columns, self.subject, findings).await;
        }
        if !columns.iter().any(|column| facts.leads_index(column)) {
            let shown: Vec<_> = columns.iter().map(Ident::as_str).collect();
            let message = format!(
                "no index begins with {}.{}: looking for what points to a batch reads the table",
                facts.name,
                shown.join(", ")
            );
            findings.warn(self.subject, message, facts.create_index(columns, session.engine()));
        }
    }

    /// The facts of a table; one that is not there was told of by fitting the policy.
    async fn facts(&self, session: &mut Session, table: &TableName, findings: &mut Findings) -> Option<TableFacts> {
        match TableFacts::load(session, table).await {
            Ok(facts) => facts,
            Err(error) => {
                findings.error(self.subject, chain(&error), "");
                None
            }
        }
    }

    async fn may(&mut self, session: &mut Session, facts: &TableFacts, needs: &[Privilege], findings: &mut Findings) {
        let asked = (facts.name.clone(), needs.to_vec());
        if !self.asked.contains(&asked) {
            may(session, facts, needs, self.subject, findings).await;
            self.asked.push(asked);
        }
    }

    /// Rows of other tables that point here and are not declared: they stand in the way, or the database deletes them
    /// by itself.
    async fn foreign_keys(
        &mut self,
        session: &mut Session,
        facts: &TableFacts,
        children: &[Child],
        findings: &mut Findings,
    ) {
        let keys = match InboundForeignKey::load(session, facts).await {
            Ok(keys) => keys,
            Err(error) => return findings.warn(self.subject, chain(&error), ""),
        };
        for key in keys {
            if children.iter().any(|child| key.is_of(child)) {
                continue;
            }
            let InboundForeignKey { table, columns, on_delete, .. } = key;
            if table == facts.name {
                self.own_key(session, facts, &columns, on_delete, findings).await;
                continue;
            }
            match on_delete {
                ForeignKeyAction::Cascade => {
                    if self.cascades.contains(&table) {
                        continue;
                    }
                    self.cascades.push(table.clone());
                    let Some(facts) = self.facts(session, &table, findings).await else { continue };
                    self.pointing(session, &facts, &columns, OnDelete::Delete, findings).await;
                    // A table that is its own ancestor was refused before.
                    Box::pin(self.foreign_keys(session, &facts, &[], findings)).await;
                }
                ForeignKeyAction::Forbid => {
                    self.indexed(session, &table, &columns, findings).await;
                    if !self.is_governed(session, &table) {
                        let message =
                            format!("a row to which one of {table} points cannot be deleted: it is kept and reported");
                        let fix = format!(
                            "list {table} in children, or give it a policy of its own that comes first in the same task"
                        );
                        findings.warn(self.subject, message, fix);
                    }
                }
                ForeignKeyAction::SetNull | ForeignKeyAction::SetDefault => {}
            }
        }
    }

    /// Checks that the database finds quickly what points to a row that goes; it looks for it with each one.
    async fn indexed(&self, session: &mut Session, table: &TableName, columns: &[Ident], findings: &mut Findings) {
        let Some(facts) = self.facts(session, table, findings).await else { return };
        if columns.iter().any(|column| facts.leads_index(column)) {
            return;
        }
        let shown: Vec<_> = columns.iter().map(Ident::as_str).collect();
        let message = format!(
            "no index begins with {}.{}, a foreign key: for each row that goes the database reads that table",
            facts.name,
            shown.join(", ")
        );
        findings.warn(self.subject, message, facts.create_index(columns, session.engine()));
    }

    /// A foreign key of a table to itself.
    async fn own_key(
        &mut self,
        session: &mut Session,
        facts: &TableFacts,
        columns: &[Ident],
        on_delete: ForeignKeyAction,
        findings: &mut Findings,
    ) {
        let names: Vec<_> = columns.iter().map(Ident::as_str).collect();
        let names = names.join(", ");
        let message = match on_delete {
            ForeignKeyAction::Forbid | ForeignKeyAction::Cascade => format!(
                "rows of {} point to others of it by {names}: a row goes when all that point to it, at any depth, go as well; \
                 what others need stays, and counts as protected",
                facts.name
            ),
            ForeignKeyAction::SetNull | ForeignKeyAction::SetDefault => format!(
                "rows of {} point to others of it by {names}: where a row goes that others point to, the database itself resets \
                 their {names}",
                facts.name
            ),
        };
        findings.ok(self.subject, message);
        self.pointing(session, facts, columns, OnDelete::Delete, findings).await;
    }

    /// True if a policy that is switched on governs a table; `table` is as the catalog resolved it.
    fn is_governed(&self, session: &Session, table: &TableName) -> bool {
        rows_policies(self.settings)
            .any(|(_, rows)| rows.source == *session.source_name() && is_named(table, &rows.table))
    }
}

//! Fitting the tables whose rows go with those of another: as the policy declares them, or as the database deletes them
//! by itself.

use super::node::{Branch, FileOwner, Node, Tree, Way};
use super::resolve::{Fitting, Unfit};
use crate::policy::{Child, Ident, OnDelete, Outside, OwnedFile, Reference, ReferenceMatch, TableName};
use crate::sources::sql::keys::{KeyTerms, keys};
use crate::sources::{ColumnType, ForeignKeyAction, InboundForeignKey, SourceError, TableFacts};

impl Fitting<'_> {
    /// A table with its files and the tables whose rows go with its own.
    pub(crate) async fn node(
        &mut self,
        facts: &TableFacts,
        files: &[OwnedFile],
        children: &[Child],
        deletes: bool,
    ) -> Result<Node, SourceError> {
        let (key, shown_key) = keys(self.engine(), facts);
        if deletes && key.0.is_empty() && !self.path.is_empty() {
            let what = "going with the rows of another table";
            self.misfits.push(Unfit::NoKey { table: facts.name.table.to_string(), what });
        }
        let mut node = Node::new(facts.name.clone(), key, shown_key);
        for file in files {
            // Compilation made sure that every file has its store.
            let Some(store) = self.asked.settings.store(&file.store).cloned() else { continue };
            let terms: Vec<_> = file.path.columns().into_iter().filter_map(|ident| self.term(facts, ident)).collect();
            let table = facts.name.table.to_string();
            let compound = terms.iter().filter(|term| term.kind() == ColumnType::Compound);
            self.misfits.extend(compound.map(|term| Unfit::not_a_path(&table, term)));
            self.owners.push(FileOwner { file: file.clone(), table: facts.name.clone(), store });
            node.own(self.owners.len() - 1, terms);
        }
        if !deletes {
            return Ok(node);
        }
        self.path.push(facts.name.clone());
        let inbound = InboundForeignKey::load(self.session, facts).await?;
        let mut covered = Vec::new();
        for child in children {
            if let Some(child_facts) = {
                let found = TableFacts::load(self.session, &child.table).await?;
                self.governable(&child.table, found)
            } {
                covered.push((child_facts.name.clone(), child));
                self.declared(&mut node, facts, child, &child_facts, &inbound).await?;
            }
        }
        self.vetoes.extend(super::triggers::Veto::load(self.session, &facts.name, false).await?);
        node.tree = self.tree(&mut node, facts, &inbound);
        let others = inbound.iter().filter(|key| key.table != facts.name);
        for key in others.filter(|key| key.on_delete == ForeignKeyAction::Cascade) {
            if !covered.iter().any(|(table, child)| *table == key.table && child.is_by(&key.columns))
                && !children.iter().any(|child| key.is_of(child))
            {
                self.cascaded(&mut node, facts, key).await?;
            }
        }
        self.path.pop();
        Ok(node)
    }

    async fn declared(
        &mut self,
        node: &mut Node,
        facts: &TableFacts,
        child: &Child,
        child_facts: &TableFacts,
        inbound: &[InboundForeignKey],
    ) -> Result<(), SourceError> {
        let Some(named) = self.referenced(facts, child, child_facts, inbound) else { return Ok(()) };
        let columns: Option<Vec<_>> = child.columns.iter().map(|ident| self.term(child_facts, ident)).collect();
        let referenced: Option<Vec<_>> = named.iter().map(|ident| self.term(facts, ident)).collect();
        let (Some(columns), Some(referenced)) = (columns, referenced) else { return Ok(()) };
        if child.on_delete == OnDelete::SetNull && !self.may_be_null(child, child_facts) {
            return Ok(());
        }
        let goes = child.on_delete == OnDelete::Delete;
        if goes && self.is_cycle(child_facts) {
            return Ok(());
        }
        let below = match goes {
            true => Box::pin(self.node(child_facts, &child.files, &child.children, true)).await?,
            false => Box::pin(self.node(child_facts, &[], &[], false)).await?,
        };
        let referenced = referenced.into_iter().map(|term| (term.clone(), node.carry(term))).collect();
        let nullable =
            |ident: &&Ident| child_facts.columns.iter().any(|column| column.name == **ident && column.nullable);
        let unlinked =
            child.columns.iter().filter(nullable).filter_map(|ident| self.term(child_facts, ident)).collect();
        let columns = KeyTerms(columns);
        node.branches.push(Branch { columns, referenced, on_delete: child.on_delete, unlinked, node: below });
        Ok(())
    }

    /// The table's foreign keys to itself; one that sets to NULL, or to a default, holds nothing back.
    fn tree(&mut self, node: &mut Node, facts: &TableFacts, inbound: &[InboundForeignKey]) -> Option<Tree> {
        let to_itself = inbound.iter().filter(|key| key.table == facts.name);
        let mut holding: Vec<_> = to_itself
            .filter(|key| matches!(key.on_delete, ForeignKeyAction::Forbid | ForeignKeyAction::Cascade))
            .collect();
        // Those that take rows along first: what they point to is what all must point to.
        holding.sort_by_key(|key| key.on_delete != ForeignKeyAction::Cascade);
        let referenced = holding.first()?.referenced.clone();
        let mut ways = Vec::new();
        for key in holding {
            if key.referenced != referenced {
                // By another key than the others: the database itself holds the row back, unless it deletes by itself.
                if key.on_delete == ForeignKeyAction::Cascade {
                    let table = facts.name.table.to_string();
                    self.misfits.push(Unfit::TwoTrees { table });
                }
                continue;
            }
            let columns: Vec<_> = key.columns.iter().filter_map(|ident| self.term(facts, ident)).collect();
            let pointed_to: Vec<_> = key.referenced.iter().filter_map(|ident| self.term(facts, ident)).collect();
            let pointers = columns.iter().map(|term| node.carry(term.clone())).collect();
            let referenced = pointed_to.into_iter().map(|term| (term.clone(), node.carry(term))).collect();
            let rows = Node::new(facts.name.clone(), node.key.clone(), node.shown_key.clone());
            let columns = KeyTerms(columns);
            let on_delete = OnDelete::Delete;
            let branch = Branch { columns, referenced, on_delete, unlinked: Vec::new(), node: rows };
            ways.push(Way { branch, pointers, cascades: key.on_delete == ForeignKeyAction::Cascade });
        }
        Some(Tree { ways })
    }

    /// Rows that the database deletes by itself: their counts and files are not to be missed.
    async fn cascaded(
        &mut self,
        node: &mut Node,
        facts: &TableFacts,
        key: &InboundForeignKey,
    ) -> Result<(), SourceError> {
        let found = TableFacts::load(self.session, &key.table).await?;
        let Some(child_facts) = self.governable(&key.table, found) else { return Ok(()) };
        if self.is_cycle(&child_facts) {
            return Ok(());
        }
        let columns: Option<Vec<_>> = key.columns.iter().map(|ident| self.term(&child_facts, ident)).collect();
        let referenced: Option<Vec<_>> = key.referenced.iter().map(|ident| self.term(facts, ident)).collect();
        let (Some(columns), Some(referenced)) = (columns, referenced) else { return Ok(()) };
        let files = self.files_named_by(&child_facts.name);
        let below = Box::pin(self.node(&child_facts, &files, &[], true)).await?;
        let referenced = referenced.into_iter().map(|term| (term.clone(), node.carry(term))).collect();
        let (columns, on_delete) = (KeyTerms(columns), OnDelete::Delete);
        node.branches.push(Branch { columns, referenced, on_delete, unlinked: Vec::new(), node: below });
        Ok(())
    }

    /// The files of rows that go by a cascade. A name alone does not say which file of the store it is: that one stays
    /// until an orphan scan finds it.
    fn files_named_by(&self, table: &TableName) -> Vec<OwnedFile> {
        let names_it = |reference: &&Reference| {
            let same_schema = reference.table.schema.is_none() || reference.table.schema == table.schema;
            let by_path = reference.matching == ReferenceMatch::Path;
            by_path && reference.source == self.asked.source.name && reference.table.table == table.table && same_schema
        };
        let files = self.asked.settings.stores.iter().flat_map(|store| {
            store.references.iter().filter(names_it).map(|reference| OwnedFile {
                store: store.name.clone(),
                path: reference.path.clone(),
                directory: reference.directory,
                outside: Outside::Keep,
                may_be_missing: false,
            })
        });
        files.filter(|file| !self.is_switched_off(table, file)).collect()
    }

    /// True if a policy of that table says that such files stay.
    fn is_switched_off(&self, table: &TableName, file: &OwnedFile) -> bool {
        self.asked.settings.policies.iter().any(|policy| {
            let Some(rows) = policy.kind.rows() else { return false };
            let same_table =
                rows.table.table == table.table && (rows.table.schema.is_none() || rows.table.schema == table.schema);
            let off = |off: &OwnedFile| off.store == file.store && off.path == file.path;
            rows.source == self.asked.source.name && same_table && rows.files_off.iter().any(off)
        })
    }

    fn is_cycle(&mut self, facts: &TableFacts) -> bool {
        let Some(at) = self.path.iter().position(|table| *table == facts.name) else { return false };
        let mut path: Vec<_> = self.path[at..].iter().map(|table| table.table.to_string()).collect();
        path.push(facts.name.table.to_string());
        self.misfits.push(Unfit::Cycle { table: facts.name.table.to_string(), path: path.join(", then ") });
        true
    }
}

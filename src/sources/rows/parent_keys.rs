//! The columns of a parent that the columns of a declared child name: they must tell one row of the parent from all
//! others.

use super::resolve::{Fitting, Unfit};
use crate::policy::{Child, Ident};
use crate::sources::{InboundForeignKey, TableFacts};

impl Fitting<'_> {
    /// The parent's columns, in the order of the child's: as declared, else as the foreign key over the same columns has
    /// them, else the primary key. A misfit where they are not a key, or where the foreign key says otherwise.
    pub(crate) fn referenced(
        &mut self,
        facts: &TableFacts,
        child: &Child,
        child_facts: &TableFacts,
        inbound: &[InboundForeignKey],
    ) -> Option<Vec<Ident>> {
        let of_child: Vec<_> = inbound.iter().filter(|key| key.table == child_facts.name).collect();
        let by_key = of_child.iter().find(|key| child.is_by(&key.columns)).map(|key| in_order_of(&child.columns, key));
        let of_more = of_child.iter().find(|key| child.columns.iter().all(|column| key.columns.contains(column)));
        let primary = (facts.key.len() == child.columns.len()).then(|| facts.key.clone());
        let named = match (&child.references, by_key, of_more) {
            (Some(named), Some(by_key), _) if *named != by_key => {
                let (parent, table) = (facts.name.table.to_string(), child_facts.name.table.to_string());
                let (columns, referenced) = (crate::sources::sql::term::joined(&child.columns), written(&by_key));
                self.misfits.push(Unfit::OtherParent { parent, table, columns, referenced });
                return None;
            }
            (Some(named), _, _) => Some(named.clone()),
            (None, Some(by_key), _) => Some(by_key),
            // Part of a foreign key names no row by itself.
            (None, None, Some(_)) => None,
            (None, None, None) => primary,
        };
        if let Some(named) = named {
            let unknown = named
                .iter()
                .filter_map(|ident| super::resolve::find(facts, &facts.name.table.to_string(), ident).err());
            let unknown: Vec<_> = unknown.collect();
            let is_known = unknown.is_empty();
            self.misfits.extend(unknown);
            if !is_known || facts.unique.iter().any(|key| key.iter().all(|column| named.contains(column))) {
                return is_known.then_some(named);
            }
        }
        let known = |ident: &&Ident| child_facts.columns.iter().any(|column| column.name == **ident);
        if let Some(column) = child.columns.iter().find(|ident| !known(ident)) {
            let unfit = super::resolve::find(child_facts, &child_facts.name.table.to_string(), column).err();
            self.misfits.extend(unfit);
            return None;
        }
        let columns = written(child.references.as_ref().unwrap_or(&child.columns));
        let (parent, table) = (facts.name.table.to_string(), child_facts.name.table.to_string());
        let key = of_more.or_else(|| of_child.first()).copied();
        let fix = fix(&parent, facts, &child_facts.name.table, key);
        let key_word = if child.references.is_some() { "references" } else { "column" };
        let columns = format!("{key_word} = {columns}");
        self.misfits.push(Unfit::NotOneParent { parent, table, columns, fix });
        None
    }

    /// True if something of what points can be set to NULL; then nothing points any more.
    pub(crate) fn may_be_null(&mut self, child: &Child, facts: &TableFacts) -> bool {
        let nullable = |ident: &Ident| facts.columns.iter().any(|column| column.name == *ident && column.nullable);
        if child.columns.iter().any(nullable) {
            return true;
        }
        let (table, column) = (facts.name.table.to_string(), crate::sources::sql::term::joined(&child.columns));
        self.misfits.push(Unfit::NeverNull { table, column });
        false
    }
}

/// The columns that a foreign key points to, in the order of `columns`, which are its own.
fn in_order_of(columns: &[Ident], key: &InboundForeignKey) -> Vec<Ident> {
    let pointed_to = |column: &Ident| key.columns.iter().position(|own| own == column);
    columns.iter().filter_map(|column| key.referenced.get(pointed_to(column)?).cloned()).collect()
}

fn fix(parent: &str, facts: &TableFacts, child: &Ident, key: Option<&InboundForeignKey>) -> String {
    if let Some(key) = key {
        let (columns, referenced) = (written(&key.columns), written(&key.referenced));
        return format!("as its foreign key says, write column = {columns}, references = {referenced}");
    }
    let keys: Vec<_> = facts.unique.iter().map(|key| written(key)).collect();
    match keys.is_empty() {
        true => format!("{parent} has neither a primary key nor a unique one, so that nothing can be its child"),
        false => format!(
            "references must have all columns of a primary key or unique index of {parent}, which are {}, and column those of \
             {child} that name them",
            keys.join(" and ")
        ),
    }
}

/// As the configuration writes them.
fn written(columns: &[Ident]) -> String {
    match columns {
        [one] => format!("\"{one}\""),
        several => {
            let quoted: Vec<_> = several.iter().map(|column| format!("\"{column}\"")).collect();
            format!("[{}]", quoted.join(", "))
        }
    }
}

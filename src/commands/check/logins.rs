//! The login of a source that is refused: the SQL that makes it and lets it do what its policies need.

use super::policies::{enforces, rows_policies};
use crate::policy::{Action, Child, Settings, Source, TableName};
use crate::sources::{NamedBy, Privilege, Privileges, RefusedLogin, SourceError};
use crate::text::chain;

/// Stands where an administrator writes a password.
pub(super) const PASSWORD: &str = "'WRITE THE PASSWORD HERE'";

/// Statements that make a login with its rights, one a line; none where something else is wrong.
pub(super) fn how_to_make(settings: &Settings, source: &Source, error: &SourceError) -> Option<String> {
    let RefusedLogin { create, grantee, locking_needs_update } =
        RefusedLogin::of(&source.endpoint, &chain(error), PASSWORD)?;
    let engine = source.endpoint.engine();
    let grants = needs(settings, source, locking_needs_update).into_iter().filter_map(|(table, needs)| {
        let none = Privileges { select: false, delete: false, update: false, schema: table.schema.is_none() };
        none.grant_hint(engine, &table, &grantee, &needs)
    });
    let name = &source.name;
    let otherwise =
        format!("or, where there is such a login, see whether user and password of [sources.{name}] are right");
    let statements: Vec<_> = std::iter::once(create).chain(grants).chain([otherwise]).collect();
    Some(statements.join("\n"))
}

/// Privileges that policies and stores need on the tables of a source, each table once.
fn needs(settings: &Settings, source: &Source, locking_needs_update: bool) -> Vec<(TableName, Vec<Privilege>)> {
    let mut all: Vec<(TableName, Vec<Privilege>)> = Vec::new();
    let mut add = |table: &TableName, needs: &[Privilege]| {
        let place = all.iter().position(|(known, _)| known == table).unwrap_or_else(|| {
            all.push((table.clone(), Vec::new()));
            all.len() - 1
        });
        for need in needs {
            if !all[place].1.contains(need) {
                all[place].1.push(*need);
            }
        }
    };
    let deleting: &[Privilege] = match locking_needs_update {
        true => &[Privilege::Select, Privilege::Delete, Privilege::Update],
        false => &[Privilege::Select, Privilege::Delete],
    };
    for (policy, rows) in rows_policies(settings).filter(|(_, rows)| rows.source == source.name) {
        let changing = match rows.action {
            _ if !enforces(settings, policy) => &[Privilege::Select][..],
            Action::Delete => deleting,
            Action::Update(_) => &[Privilege::Select, Privilege::Update],
        };
        add(&rows.table, changing);
        let mut children: Vec<&Child> = rows.children.iter().collect();
        while let Some(child) = children.pop() {
            add(&child.table, changing);
            children.extend(&child.children);
        }
        rows.protections.iter().for_each(|protection| add(&protection.table, &[Privilege::Select]));
    }
    for store in &settings.stores {
        for namer in settings.references_of(store).iter().filter(|namer| namer.reference.source == source.name) {
            add(&NamedBy::from(namer).table, &[Privilege::Select]);
        }
    }
    all
}

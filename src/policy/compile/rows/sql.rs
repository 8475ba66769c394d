//! The operator's SQL in a policy: which parameters it may use, and which it does.

use std::collections::HashSet;

use crate::config::{Aspect, Fault, KeyPath, did_you_mean};

use super::super::super::{Condition, Param, ParamDeclaration, TimePoint};
use super::super::Gather;

/// Keys that hold SQL.
const HOLD_SQL: [&str; 5] = ["where", "protected_by", "alive", "set", "details"];

/// Parameters that the SQL of one policy may name, and those that it does name.
pub(super) struct Scope {
    declared: Vec<String>,
    /// A declaration could not be read: an unknown parameter may be the one that it meant.
    is_open: bool,
    /// Some SQL could not be read: it may use anything.
    pub unreadable: bool,
    pub used: HashSet<String>,
    /// Keys in whose SQL `:cutoff` stands.
    pub cutoffs: Vec<KeyPath>,
}

impl Scope {
    /// The scope of the policy at `table` with these parameters.
    pub fn new(params: &[(KeyPath, ParamDeclaration)], gather: &Gather<'_>, table: &KeyPath) -> Self {
        let list = table.key("params");
        let found = |path: &KeyPath| gather.found.iter().any(|problem| problem.key().starts_with(&path.to_string()));
        Self {
            declared: params.iter().map(|(_, declaration)| declaration.name.clone()).collect(),
            is_open: gather.is_faulty_within(&list) || found(&list),
            unreadable: HOLD_SQL.iter().any(|key| gather.is_faulty_within(&table.key(key))),
            used: HashSet::new(),
            cutoffs: Vec::new(),
        }
    }
}

impl Gather<'_> {
    /// A piece of SQL whose every parameter is known.
    pub(super) fn sql(&mut self, path: &KeyPath, text: &str, scope: &mut Scope) -> Option<Condition> {
        let Some(condition) = self.check(path, Condition::parse(text)) else {
            scope.unreadable = true;
            return None;
        };
        for param in condition.params() {
            match param {
                Param::Time(time) => {
                    if time.point == TimePoint::Cutoff && !scope.cutoffs.contains(path) {
                        scope.cutoffs.push(path.clone());
                    }
                }
                Param::Named(name) => {
                    let is_new = scope.used.insert(name.clone());
                    if is_new && !scope.is_open && !scope.declared.contains(name) {
                        self.refuse(path, Aspect::Value, unknown(name, &scope.declared));
                    }
                }
            }
        }
        Some(condition)
    }
}

fn unknown(name: &str, declared: &[String]) -> Fault {
    let known: Vec<&str> = ["now", "cutoff"].into_iter().chain(declared.iter().map(String::as_str)).collect();
    let hint = did_you_mean(name, known.iter().copied())
        .unwrap_or_else(|| format!("declare it: params = [{name:?}]; the policy then runs on request only"));
    let known: Vec<String> = known.iter().map(|name| format!(":{name}")).collect();
    let (last, others) = known.split_last().map_or(("", &[] as &[String]), |(last, others)| (last, others));
    let message = format!("the parameter :{name} is not known; there are {} and {last}", others.join(", "));
    Fault::new(message).hint(hint)
}

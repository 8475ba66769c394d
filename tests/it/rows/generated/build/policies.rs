//! Writes the policies as configuration.

use super::tables::points_by_both;
use crate::rows::generated::spec::{Action, Alive, OnDelete, Owner, Policy, Spec, Table, Time};

/// The name of a policy.
pub fn policy_name(index: usize, policy: &Policy) -> String {
    format!("p{index}-{}", policy.on.name())
}

pub fn toml(spec: &Spec, index: usize, policy: &Policy) -> String {
    let mut toml = format!(
        "[policies.{}]\nkind = \"rows\"\nsource = \"app\"\ntable = \"{}\"\nbatch = {}\nparallel = {}\n",
        policy_name(index, policy),
        policy.on.name(),
        policy.batch,
        // Small batches come in twos.
        1 + policy.batch % 2
    );
    let mut line = |text: String| toml.push_str(&(text + "\n"));
    let times = spec.table(policy.on).times;
    let is_read = !matches!(policy.time, Time::None | Time::BySql(_));
    if let Some(format) = times.format().filter(|_| is_read) {
        line(format!("age_format = \"{format}\""));
    }
    match policy.time {
        Time::None => {}
        Time::Keep(days) => line(format!("age = \"at\"\nkeep = \"{days}d\"")),
        Time::BySql(days) => line(format!("keep = \"{days}d\"")),
        Time::Expires(None) => line("expires = \"expires_at\"".to_owned()),
        Time::Expires(Some(days)) => line(format!("expires = \"expires_at\"\ngrace = \"{days}d\"")),
        Time::ByValue { default } => {
            let default = if default { ", default = \"10d\"" } else { "" };
            line(format!(
                "age = \"at\"\nkeep = {{ column = \"kind\", values = {{ a = \"5d\", b = \"30d\" }}{default} }}"
            ));
        }
    }
    let by_time = format!("at < {}", times.cutoff());
    let conditions = [
        policy.condition,
        (policy.action == Action::Literal).then_some("state = 'new'"),
        matches!(policy.time, Time::BySql(_)).then_some(by_time.as_str()),
    ];
    let conditions: Vec<_> = conditions.into_iter().flatten().map(|sql| format!("({sql})")).collect();
    if !conditions.is_empty() {
        line(format!("where = \"{}\"", conditions.join(" AND ")));
    }
    match policy.protected_by {
        Some(Table::Lease) => line(
            "protected_by = [{ table = \"lease\", on = \"lease.parent = job.num\", where = \"lease.flag > 0\" }]"
                .to_owned(),
        ),
        Some(_) => line(format!(
            "protected_by = [{{ table = \"shot\", on = \"{}\", where = \"shot.flag = 1\" }}]",
            match (points_by_both(spec), spec.table(Table::Job).key.is_pointed_to()) {
                (true, _) => "shot.pa = job.a AND shot.pb = job.b",
                (false, true) => "shot.parent = job.id",
                (false, false) => "shot.parent = job.num",
            }
        )),
        None => {}
    }
    match policy.alive {
        Alive::None => {}
        Alive::Sql => line("alive = { sql = \"flag = 2\" }".to_owned()),
        Alive::Command => {
            line("alive = { command = [\"/usr/bin/test\", \"{flag}\", \"-eq\", \"2\"] }".to_owned());
        }
    }
    match policy.action {
        Action::Delete => {}
        Action::Literal => line(update("state = \"expired\", ")),
        Action::Null => line(update("file = { sql = \"NULL\" }, ")),
        Action::Plain => line(update("")),
    }
    line(format!("files = [{}]", files(spec, policy.on, policy.action)));
    if policy.declares_children && policy.action == Action::Delete {
        line(format!("children = [{}]", children(spec, policy.on).join(", ")));
    }
    if policy.reports {
        line("mode = \"report\"".to_owned());
    }
    if policy.shows {
        line("details = [\"num\", \"kind\"]".to_owned());
    }
    toml
}

/// Both columns of a composite key, as children name them.
const BOTH: &str = "[\"pa\", \"pb\"]";

fn update(set: &str) -> String {
    format!("action = \"update\"\nset = {{ {set}touched = {{ sql = \"touched + 1\" }} }}")
}

fn files(spec: &Spec, table: Table, action: Action) -> String {
    let name = table.name();
    let files = spec.files_of(table, action).into_iter().map(|owner| match owner {
        Owner::Column(store) => format!("{{ store = \"{}\", column = \"file\" }}", store.name()),
        Owner::Preview => format!("{{ store = \"images\", path = \"{name}-{{num}}/preview\" }}"),
        Owner::Directory => format!("{{ store = \"images\", path = \"{name}-{{num}}\", directory = true }}"),
    });
    files.collect::<Vec<_>>().join(", ")
}

fn children(spec: &Spec, table: Table) -> Vec<String> {
    let entry = |child: Table, column: &str, declared: Option<OnDelete>| -> Option<String> {
        let references = match spec.table(table).key.is_pointed_to() {
            _ if column == BOTH => ", references = [\"a\", \"b\"]",
            true => "",
            false => ", references = \"num\"",
        };
        let on_delete = match declared? {
            OnDelete::Delete => "delete",
            OnDelete::SetNull => "set-null",
            OnDelete::KeepParent => "keep-parent",
        };
        let below = match declared? {
            OnDelete::Delete => format!(
                ", files = [{}], children = [{}]",
                files(spec, child, Action::Delete),
                children(spec, child).join(", ")
            ),
            OnDelete::SetNull | OnDelete::KeepParent => String::new(),
        };
        Some(format!(
            "{{ table = \"{}\", column = {column}, on_delete = \"{on_delete}\"{references}{below} }}",
            child.name()
        ))
    };
    let shots = if points_by_both(spec) { BOTH } else { "\"parent\"" };
    match table {
        Table::Job => [entry(Table::Shot, shots, spec.shots.declared), entry(Table::Shot, "\"other\"", spec.others)]
            .into_iter()
            .flatten()
            .collect(),
        Table::Shot => entry(Table::Mark, "\"parent\"", spec.marks.declared).into_iter().collect(),
        Table::Mark | Table::Lease => vec![],
    }
}

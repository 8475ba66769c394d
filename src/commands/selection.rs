//! Selection of policies for a command: names of tasks and policies in, policies in running order out. Runs nothing.

use std::sync::Arc;

use crate::config::did_you_mean;
use crate::policy::{Name, ParamDeclaration, Policy, Settings, Task};

/// The policies of a command, in the order in which they run, none twice.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    pub policies: Vec<Arc<Policy>>,
    /// The task that is run as a whole: exactly one name was given, and it is a task's.
    pub task: Option<Arc<Task>>,
}

/// A name that selects nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    #[error("there is no task or policy named {name:?}")]
    Unknown {
        name: String,
        /// The question after a name that looks like it, if there is one.
        suggestion: Option<String>,
        /// Every name there is.
        known: Vec<String>,
    },
    #[error("{name:?} is both a task and a policy")]
    Ambiguous { name: Name },
    #[error("policy {name} is switched off")]
    PolicyOff { name: Name },
    #[error("task {name} is switched off")]
    TaskOff { name: Name },
}

impl SelectError {
    /// Advice on what to do about it.
    pub fn hint(&self) -> String {
        match self {
            SelectError::Unknown { suggestion: Some(suggestion), .. } => suggestion.clone(),
            SelectError::Unknown { known, .. } => format!("there are: {}", known.join(", ")),
            SelectError::Ambiguous { name } => format!("write task:{name} or policy:{name}"),
            SelectError::PolicyOff { name } => {
                format!("set policies.{name}.enabled = true, or add --set policies.{name}.enabled=true for this once")
            }
            SelectError::TaskOff { name } => {
                format!("set tasks.{name}.enabled = true, or name its policies one by one")
            }
        }
    }
}

/// Selects by name. Without names: every policy that is switched on and has a task that is switched on, in the order of
/// the tasks and then of declaration. A task stands for its policies that are switched on; a policy named by itself
/// must be. `task:NAME` and `policy:NAME` tell apart what has the same name.
pub fn select(settings: &Settings, names: &[String]) -> Result<Selection, SelectError> {
    let mut selection = Selection::default();
    if names.is_empty() {
        for task in settings.tasks.iter().filter(|task| task.enabled) {
            selection.add_task(settings, task);
        }
        return Ok(selection);
    }
    for name in names {
        match find(settings, name)? {
            Found::Task(task) if !task.enabled => return Err(SelectError::TaskOff { name: task.name.clone() }),
            Found::Policy(policy) if !policy.enabled => {
                return Err(SelectError::PolicyOff { name: policy.name.clone() });
            }
            Found::Policy(policy) => selection.add(policy),
            Found::Task(task) => {
                selection.add_task(settings, task);
                selection.task = (names.len() == 1).then(|| Arc::clone(task));
            }
        }
    }
    Ok(selection)
}

/// Every policy that is switched on, scheduled or not, but for those that need parameters of which none is given; these
/// come as the second.
pub fn select_enabled(settings: &Settings, given: &[(String, String)]) -> (Selection, Vec<Name>) {
    let (mut selection, mut left_out) = (Selection::default(), Vec::new());
    for policy in settings.policies.iter().filter(|policy| policy.enabled) {
        let is_given = |declared: &ParamDeclaration| given.iter().any(|(name, _)| *name == declared.name);
        let params = policy.kind.rows().map(|rows| rows.params.as_slice()).unwrap_or_default();
        match params.is_empty() || params.iter().any(is_given) {
            true => selection.add(policy),
            false => left_out.push(policy.name.clone()),
        }
    }
    (selection, left_out)
}

/// The name of a task and that of a policy that a written one may be: `task:NAME` and `policy:NAME` are one of them, what has
/// no such beginning is either.
pub fn names_in(written: &str) -> (Option<&str>, Option<&str>) {
    match written.split_once(':') {
        Some(("task", name)) => (Some(name), None),
        Some(("policy", name)) => (None, Some(name)),
        _ => (Some(written), Some(written)),
    }
}

enum Found<'a> {
    Task(&'a Arc<Task>),
    Policy(&'a Arc<Policy>),
}

fn find<'a>(settings: &'a Settings, written: &str) -> Result<Found<'a>, SelectError> {
    let (task_name, policy_name) = names_in(written);
    let task = settings.tasks.iter().find(|task| Some(task.name.as_str()) == task_name);
    let policy = settings.policies.iter().find(|policy| Some(policy.name.as_str()) == policy_name);
    match (task, policy) {
        (Some(task), None) => Ok(Found::Task(task)),
        (None, Some(policy)) => Ok(Found::Policy(policy)),
        (Some(task), Some(_)) => Err(SelectError::Ambiguous { name: task.name.clone() }),
        (None, None) => Err(unknown(settings, written)),
    }
}

fn unknown(settings: &Settings, written: &str) -> SelectError {
    let tasks = settings.tasks.iter().map(|task| task.name.to_string());
    let policies = settings.policies.iter().map(|policy| policy.name.to_string());
    let known: Vec<String> = policies.chain(tasks).collect();
    let suggestion = did_you_mean(written, known.iter().map(String::as_str));
    SelectError::Unknown { name: written.to_owned(), suggestion, known }
}

impl Selection {
    /// The tasks whose hooks do not run although policies of theirs do: hooks belong to a task that is run as a whole.
    pub fn hooks_left_out<'a>(&self, settings: &'a Settings) -> Vec<&'a Name> {
        let policies: Vec<&Name> = self.policies.iter().map(|policy| &policy.name).collect();
        settings.hooks_left_out(&policies, self.task.as_ref().map(|task| &task.name))
    }

    fn add_task(&mut self, settings: &Settings, task: &Task) {
        for policy in settings.policies_of(&task.name).filter(|policy| policy.enabled) {
            self.add(policy);
        }
    }

    fn add(&mut self, policy: &Arc<Policy>) {
        if !self.policies.iter().any(|present| present.name == policy.name) {
            self.policies.push(Arc::clone(policy));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::policy::fixtures::{self, rows_policy};
    use crate::policy::{Hook, Mode, PolicyKind};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn task(task: &str, enabled: bool) -> Arc<Task> {
        Arc::new(Task { enabled, ..fixtures::task(task) })
    }

    fn policy(policy: &str, task: Option<&str>, enabled: bool) -> Arc<Policy> {
        Arc::new(Policy {
            name: name(policy),
            task: task.map(name),
            enabled,
            mode: Mode::Enforce,
            max_growth: std::num::NonZeroU64::MIN,
            description: None,
            owner: None,
            kind: PolicyKind::Rows(rows_policy("nvr", "t", "a = 1")),
        })
    }

    fn with_params(policy: Arc<Policy>) -> Arc<Policy> {
        let mut policy = (*policy).clone();
        let PolicyKind::Rows(rows) = &mut policy.kind else { panic!("a policy of rows") };
        rows.params = vec![ParamDeclaration { name: "session_id".to_owned(), kind: None, secret: false }];
        Arc::new(policy)
    }

    fn settings() -> Settings {
        Settings {
            tasks: vec![task("retention", true), task("logs", true), task("night", false)],
            policies: vec![
                policy("app-logs", Some("logs"), true),
                policy("detections", Some("retention"), true),
                policy("events", Some("retention"), true),
                policy("gpu", Some("retention"), false),
                policy("nightly", Some("night"), true),
                with_params(policy("by-hand", None, true)),
                policy("logs", None, true),
            ],
            ..fixtures::settings(Path::new("/var/lib/retaind"))
        }
    }

    fn selected(names: &[&str]) -> Result<(Vec<String>, Option<String>), SelectError> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let selection = select(&settings(), &names)?;
        let policies = selection.policies.iter().map(|policy| policy.name.to_string()).collect();
        Ok((policies, selection.task.map(|task| task.name.to_string())))
    }

    #[test]
    fn without_names_scheduled_policies_are_selected_in_order() {
        let (policies, task) = selected(&[]).unwrap();
        assert_eq!(policies, ["detections", "events", "app-logs"]);
        assert_eq!(task, None);
    }

    #[test]
    fn everything_enabled_is_selected_except_what_needs_parameters() {
        let names =
            |policies: &[Arc<Policy>]| policies.iter().map(|policy| policy.name.to_string()).collect::<Vec<_>>();
        let (selection, left_out) = select_enabled(&settings(), &[]);
        assert_eq!(names(&selection.policies), ["app-logs", "detections", "events", "nightly", "logs"]);
        assert_eq!(left_out, [name("by-hand")]);
        let (selection, left_out) = select_enabled(&settings(), &[("session_id".to_owned(), "1".to_owned())]);
        assert!(names(&selection.policies).contains(&"by-hand".to_owned()) && left_out.is_empty());
    }

    #[test]
    fn a_task_means_its_policies_each_selected_once() {
        assert_eq!(
            selected(&["retention"]).unwrap(),
            (vec!["detections".into(), "events".into()], Some("retention".into()))
        );
        let (policies, task) = selected(&["events", "retention", "by-hand"]).unwrap();
        assert_eq!(policies, ["events", "detections", "by-hand"]);
        assert_eq!(task, None);
    }

    #[test]
    fn what_is_switched_off_is_refused_by_name() {
        assert_eq!(selected(&["gpu"]), Err(SelectError::PolicyOff { name: name("gpu") }));
        assert_eq!(selected(&["night"]), Err(SelectError::TaskOff { name: name("night") }));
        assert_eq!(selected(&["nightly"]).unwrap().0, ["nightly"]);
    }

    #[test]
    fn an_unknown_name_suggests_a_known_one() {
        let error = selected(&["detectoins"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no task or policy named \"detectoins\"");
        assert_eq!(error.hint(), "did you mean `detections`?");
        assert!(selected(&["xyz"]).unwrap_err().hint().starts_with("there are: app-logs, detections"));
        assert!(selected(&["task:detections"]).is_err());
    }

    #[test]
    fn hooks_belong_to_tasks_that_are_run_whole() {
        let hook = Hook { program: "/bin/true".into(), arguments: Vec::new(), timeout: Duration::from_secs(1) };
        let mut settings = settings();
        settings.tasks[0] = Arc::new(Task { before: Some(hook), ..Task::clone(&settings.tasks[0]) });
        for (names, left_out) in [
            (vec!["retention"], vec![]),
            (vec!["app-logs", "by-hand"], vec![]),
            (vec!["events"], vec!["retention"]),
            (vec!["retention", "app-logs"], vec!["retention"]),
            (vec![], vec!["retention"]),
        ] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            let selection = select(&settings, &names).unwrap();
            let told: Vec<&str> = selection.hooks_left_out(&settings).iter().map(|name| name.as_str()).collect();
            assert_eq!(told, left_out, "{names:?}");
        }
    }

    #[test]
    fn a_name_of_two_things_asks_which() {
        assert_eq!(selected(&["logs"]), Err(SelectError::Ambiguous { name: name("logs") }));
        assert_eq!(selected(&["task:logs"]).unwrap().0, ["app-logs"]);
        assert_eq!(selected(&["policy:logs"]).unwrap().0, ["logs"]);
    }
}

//! Pauses, one file each in `pauses/` of the state directory, so that a lost ledger loses none. What cannot be read counts
//! as a pause: nobody knows that it is none.

use std::path::{Path, PathBuf};

use super::small_files::SmallFiles;
use crate::outcome::{Pause, Subject};
use crate::policy::Name;

/// The pauses of a state directory.
#[derive(Debug, Clone)]
pub struct Pauses(SmallFiles);

/// A pause that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPause {
    pub subject: Subject,
    /// As its file has it; an error in words where that cannot be read.
    pub pause: Result<Pause, String>,
}

/// The pauses could not be read or changed.
#[derive(Debug, thiserror::Error)]
#[error("pauses in {}: {operation} failed", directory.display())]
pub struct PauseError {
    directory: PathBuf,
    operation: &'static str,
    #[source]
    cause: std::io::Error,
}

impl Pauses {
    /// Those of a state directory; their own is made by the first of them.
    pub fn of(state_dir: &Path) -> Self {
        Self(SmallFiles::of(state_dir, "pauses"))
    }

    /// The pause of something; none where it goes on.
    pub fn find(&self, subject: &Subject) -> Result<Option<FoundPause>, PauseError> {
        let text = self.0.read(&file_of(subject)).map_err(|cause| self.error("reading one", cause))?;
        Ok(text.map(|text| in_force(subject.clone(), &text)))
    }

    /// All of them, in the order of their subjects.
    pub fn all(&self) -> Result<Vec<FoundPause>, PauseError> {
        let files = self.0.names().map_err(|cause| self.error("listing them", cause))?;
        let mut all = Vec::new();
        for subject in files.iter().filter_map(|file| subject_of(file)) {
            all.extend(self.find(&subject)?);
        }
        all.sort_by(|one, other| one.subject.cmp(&other.subject));
        Ok(all)
    }

    /// Pauses something, until it is resumed, and returns the pause in force: what was paused before keeps that pause.
    pub fn set(&self, subject: &Subject, pause: Pause) -> Result<Pause, PauseError> {
        if let Some(FoundPause { pause: Ok(known), .. }) = self.find(subject)? {
            return Ok(known);
        }
        let written =
            serde_json::to_vec(&pause).map_err(Into::into).and_then(|text| self.0.write(&file_of(subject), &text));
        written.map_err(|cause| self.error("writing one", cause))?;
        Ok(pause)
    }

    /// Lets something go on; false where it was not paused.
    pub fn lift(&self, subject: &Subject) -> Result<bool, PauseError> {
        self.0.remove(&file_of(subject)).map_err(|cause| self.error("lifting one", cause))
    }

    fn error(&self, operation: &'static str, cause: std::io::Error) -> PauseError {
        PauseError { directory: self.0.directory.clone(), operation, cause }
    }
}

fn file_of(subject: &Subject) -> String {
    match subject {
        Subject::Task(name) => format!("task.{name}"),
        Subject::Policy(name) => format!("policy.{name}"),
    }
}

fn in_force(subject: Subject, text: &[u8]) -> FoundPause {
    let pause = serde_json::from_slice(text).map_err(|error| format!("its file cannot be understood: {error}"));
    FoundPause { subject, pause }
}

fn subject_of(file: &str) -> Option<Subject> {
    let (kind, name) = file.split_once('.')?;
    let name = Name::parse(name).ok()?;
    match kind {
        "task" => Some(Subject::Task(name)),
        "policy" => Some(Subject::Policy(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Operator;

    fn policy(name: &str) -> Subject {
        Subject::Policy(Name::parse(name).unwrap())
    }

    fn pause(by: &str) -> Pause {
        let by = Operator { uid: 7, user: Some(by.to_owned()), sudo_user: None, remote: None };
        Pause { since: "2026-01-01T00:00:00Z".parse().unwrap(), by, reason: None }
    }

    #[test]
    fn the_first_pause_stays_until_it_is_lifted() {
        let directory = tempfile::tempdir().unwrap();
        let pauses = Pauses::of(directory.path());
        assert_eq!(pauses.all().unwrap(), []);
        pauses.set(&policy("events"), pause("ada")).unwrap();
        pauses.set(&policy("events"), pause("bob")).unwrap();
        let expected = FoundPause { subject: policy("events"), pause: Ok(pause("ada")) };
        assert_eq!(pauses.all().unwrap(), [expected]);
        assert_eq!(pauses.find(&Subject::Task(Name::parse("events").unwrap())).unwrap(), None);
        assert!(pauses.lift(&policy("events")).unwrap());
        assert!(!pauses.lift(&policy("events")).unwrap());
        assert_eq!(pauses.find(&policy("events")).unwrap(), None);
    }

    #[test]
    fn g5_an_unreadable_file_pauses() {
        let directory = tempfile::tempdir().unwrap();
        let pauses = Pauses::of(directory.path());
        pauses.set(&policy("a"), pause("ada")).unwrap();
        std::fs::write(directory.path().join("pauses/policy.a"), "").unwrap();
        assert!(pauses.find(&policy("a")).unwrap().unwrap().pause.is_err());
        pauses.set(&policy("a"), pause("bob")).unwrap();
        assert_eq!(pauses.find(&policy("a")).unwrap().unwrap().pause, Ok(pause("bob")));
    }
}

//! Inputs of a configuration: gathered once, so that everything behind it is a function of these values.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::mask::mask_message;

/// Directory in which systemd puts the credentials of the packaged service; a command beside it finds them there.
const SERVICE_CREDENTIALS: &str = "/run/credentials/retaind.service";

/// The file, the overrides and the directories that systemd passes.
#[derive(Clone, Default)]
pub struct Inputs {
    /// The main file; `conf.d/*.toml` beside it is read after it.
    pub file: PathBuf,
    /// The environment, for `RETAIND__…` overrides and `${…}` in urls.
    pub env: Vec<(OsString, OsString)>,
    /// `--set KEY=VALUE`, in the order given.
    pub set: Vec<(String, String)>,
    /// `$CREDENTIALS_DIRECTORY`.
    pub credentials_dir: Option<PathBuf>,
    /// A credential that was not passed to this process is an error of the configuration: in the service. Beside it, only the
    /// source cannot be logged in to.
    pub in_service: bool,
    /// `$STATE_DIRECTORY`.
    pub state_dir: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`.
    pub runtime_dir: Option<PathBuf>,
}

impl Inputs {
    /// The main file where none is named.
    pub fn default_file() -> PathBuf {
        std::env::var_os("RETAIND_CONFIG").map_or_else(|| "/etc/retaind/retaind.toml".into(), PathBuf::from)
    }

    /// The file and nothing else: no environment, no overrides.
    pub fn of_file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), ..Self::default() }
    }

    /// The file, the overrides of the command line, and this process's environment.
    pub fn from_process(file: impl Into<PathBuf>, set: Vec<(String, String)>) -> Self {
        let env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let directory = |name: &str| {
            let (_, value) = env.iter().find(|(variable, value)| variable == name && !value.is_empty())?;
            // StateDirectory= with several names makes a list; the first is the ledger's.
            let text = value.to_string_lossy();
            Some(PathBuf::from(text.split(':').next().unwrap_or(&text)))
        };
        let packaged = || Some(PathBuf::from(SERVICE_CREDENTIALS)).filter(|path| path.is_dir());
        let credentials_dir = directory("CREDENTIALS_DIRECTORY").or_else(packaged);
        let (state_dir, runtime_dir) = (directory("STATE_DIRECTORY"), directory("RUNTIME_DIRECTORY"));
        // systemd sets it for each command of the unit, the check beside a reload among them.
        let in_service = state_dir.is_some();
        Self { file: file.into(), env, set, credentials_dir, in_service, state_dir, runtime_dir }
    }

    /// The inputs as the service itself has them.
    #[must_use]
    pub fn of_service(self) -> Self {
        Self { in_service: true, ..self }
    }

    /// Splits `KEY=VALUE` as `--set` takes it.
    pub fn parse_set(argument: &str) -> Result<(String, String), String> {
        match argument.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
            _ => Err("write KEY=VALUE, such as policies.detections.keep=60d".to_owned()),
        }
    }

    /// The value of an environment variable, if it is set and is text.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(variable, _)| variable == name).and_then(|(_, value)| value.to_str())
    }

    /// The directory of fragments.
    pub fn fragments_dir(&self) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join("conf.d")
    }
}

impl fmt::Debug for Inputs {
    /// Values of the environment and of `--set` may be secret and are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs")
            .field("file", &self.file)
            .field("set", &self.set.iter().map(|(key, _)| mask_message(key)).collect::<Vec<_>>())
            .field("credentials_dir", &self.credentials_dir)
            .field("state_dir", &self.state_dir)
            .field("runtime_dir", &self.runtime_dir)
            .finish_non_exhaustive()
    }
}

//! The image that `packaging/container/Containerfile` describes, made step by step in a minimal Debian.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::root::{self, succeed};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// A root file system, and how its first process is started.
#[derive(Default)]
pub struct Image {
    pub root: PathBuf,
    pub environment: Vec<String>,
    pub user: String,
    pub stop_signal: String,
    pub health: Vec<String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
}

impl Image {
    /// Follows the last stage of the file; its program is the one under test.
    pub fn make(directory: &Path) -> Self {
        let mut image = Self { root: directory.join("root"), ..Self::default() };
        root::copy_to(&image.root);
        let path = format!("{CHECKOUT}/packaging/container/Containerfile");
        let text = fs::read_to_string(path).unwrap().replace("\\\n", " ");
        let steps: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        let last_stage = steps.iter().rposition(|step| step.starts_with("FROM ")).unwrap();
        steps[last_stage + 1..].iter().for_each(|step| image.follow(step));
        image
    }

    fn follow(&mut self, step: &str) {
        let (instruction, rest) = step.split_once(' ').unwrap();
        let words: Vec<&str> = rest.split_whitespace().collect();
        let array = |text: &str| serde_json::from_str(text).unwrap_or_else(|error| panic!("{step}: {error}"));
        match (instruction, words.as_slice()) {
            ("RUN", _) => self.run(rest),
            ("COPY", ["--from=build", "/src/target/release/retaind", to]) => {
                self.copy(Path::new(env!("CARGO_BIN_EXE_retaind")), to)
            }
            ("COPY", [from, to]) => self.copy(&Path::new(CHECKOUT).join(from), to),
            ("ENV", all) => self.environment.extend(all.iter().map(|&variable| variable.to_owned())),
            ("VOLUME", [path]) => assert!(self.root.join(path.trim_start_matches('/')).is_dir(), "{step}"),
            ("USER", [user]) => self.user = (*user).to_owned(),
            ("STOPSIGNAL", [signal]) => self.stop_signal = (*signal).to_owned(),
            ("HEALTHCHECK", _) => self.health = array(rest.split_once("CMD ").unwrap().1),
            ("ENTRYPOINT", _) => self.entrypoint = array(rest),
            ("CMD", _) => self.command = array(rest),
            _ => panic!("a step that nobody follows: {step}"),
        }
    }

    /// Runs a shell command in the root, with the network and the package sources of the host.
    fn run(&self, command: &str) {
        let etc = self.root.join("etc");
        fs::copy("/etc/resolv.conf", etc.join("resolv.conf")).unwrap();
        let configured = fs::read_dir("/etc/apt/apt.conf.d").unwrap().flatten();
        for part in configured.filter(|part| part.file_name().to_string_lossy().contains("proxy")) {
            fs::copy(part.path(), etc.join("apt/apt.conf.d").join(part.file_name())).unwrap();
        }
        succeed(
            Command::new("chroot")
                .arg(&self.root)
                .args(["sh", "-euc", command])
                .env("DEBIAN_FRONTEND", "noninteractive"),
        );
    }

    fn copy(&self, from: &Path, to: &str) {
        fs::copy(from, self.root.join(to.trim_start_matches('/'))).unwrap_or_else(|error| panic!("{to}: {error}"));
    }
}

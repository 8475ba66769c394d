//! A file system for the files of one row: empty and of the same make each time, whatever the machine's own has been
//! through. On one where many files were just removed, making others can take ten times as long.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::tree;
use crate::engines::scratch_dir;
use crate::measure::time;

/// Set once mounts of this process are its own.
const APART: &str = "RETAIND_BENCH_APART";

/// Starts this program anew where its mounts go with it, if it may mount at all.
pub fn mount_apart() -> anyhow::Result<()> {
    let may_mount = rustix::process::geteuid().is_root() && std::env::var_os(APART).is_none();
    if !may_mount || !Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let program = std::env::current_exe().context("this program")?;
    let mut again = Command::new("unshare");
    again.arg("--mount").arg(program).args(std::env::args_os().skip(1)).env(APART, "1");
    Err(again.exec()).context("starting this program anew")
}

/// A directory on an ext4 of its own, or in the temporary directory where nothing may be mounted.
pub struct Volume {
    dir: PathBuf,
    root: PathBuf,
}

impl Volume {
    /// With room for so many files.
    pub fn of(files: u64) -> anyhow::Result<Self> {
        let dir = scratch_dir("volume");
        let volume = Self { root: dir.join("files"), dir };
        std::fs::create_dir(&volume.root)?;
        if std::env::var_os(APART).is_some() {
            let image = volume.dir.join("image");
            // No room is taken until it is used.
            std::fs::File::create(&image)?.set_len((files + 100_000) * 16 * 1024)?;
            time(Command::new("mkfs.ext4").args(["-q", "-N", &(files + files / 5 + 10_000).to_string()]).arg(&image))?;
            // Tables of inodes are not to be written out in the background meanwhile.
            time(Command::new("mount").args(["-o", "loop,noinit_itable"]).arg(&image).arg(&volume.root))?;
            tree::sync()?;
        }
        Ok(volume)
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        if std::env::var_os(APART).is_some() {
            let _ = Command::new("umount").arg(&self.root).status();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

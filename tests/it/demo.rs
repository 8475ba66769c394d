//! Runs the demonstration, and makes sure that it would notice a retaind that does nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::binary::{self, RETAIND};
use crate::needs::Need;

/// Runs `.ci/demo` with a binary in place of retaind's; its directories are made below `scratch`.
fn demo(binary: &Path, scratch: &Path) -> Output {
    binary::command(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/demo"))
        .env("RETAIND", binary)
        .env("TMPDIR", scratch)
        .env_remove("NOTIFY_SOCKET")
        .output()
        .unwrap()
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn the_demo_ends_well_and_leaves_nothing_behind() {
    needs!(Need::Program("sqlite3"));
    let scratch = tempfile::tempdir().unwrap();
    let output = demo(Path::new(RETAIND), scratch.path());
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("and nothing else"), "{stdout}");
    assert!(is_empty(scratch.path()));
}

#[test]
fn the_demo_fails_where_nothing_is_deleted() {
    needs!(Need::Program("sqlite3"));
    let scratch = tempfile::tempdir().unwrap();
    let idle = tempfile::tempdir().unwrap();
    let binary = idle.path().join("retaind");
    // Agrees to everything, finds nothing and does nothing.
    std::fs::write(&binary, "#!/bin/sh\necho '{\"totals\":{\"rows_deleted\":0,\"files_deleted\":0,\"x\":0}}'\n")
        .unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = demo(&binary, scratch.path());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(stderr.contains("is not what should be left"), "{stderr}");
    assert!(is_empty(scratch.path()));
}

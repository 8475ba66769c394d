//! The package to test: built once for the test binary, and a copy of it with a higher version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::machine::Machine;
use super::root::succeed;

/// The package: the one that `RETAIND_DEB` names, or else one of the program under test. An optimised program takes
/// longer to build than all these tests together.
pub fn package() -> &'static Path {
    static PACKAGE: OnceLock<PathBuf> = OnceLock::new();
    PACKAGE.get_or_init(|| match std::env::var_os("RETAIND_DEB") {
        Some(path) => path.into(),
        None => {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/build-deb");
            let printed = succeed(Command::new(script).arg(env!("CARGO_BIN_EXE_retaind")));
            PathBuf::from(printed.lines().last().expect("the script prints the path of the package"))
        }
    })
}

/// The same content in `directory`, as the release after this one.
pub fn next_release(directory: &Path) -> PathBuf {
    let (tree, deb) = (directory.join("tree"), directory.join("next.deb"));
    succeed(Command::new("dpkg-deb").arg("--raw-extract").arg(package()).arg(&tree));
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).expect("a control file");
    let version = text.lines().find_map(|line| line.strip_prefix("Version: ")).expect("a version");
    fs::write(&control, text.replace(&format!("Version: {version}"), &format!("Version: {version}+next")))
        .expect("write");
    succeed(Command::new("dpkg-deb").args(["--build", "--root-owner-group", "-Znone"]).arg(&tree).arg(&deb));
    deb
}

impl Machine {
    /// Installs a package of the host, or upgrades to it; what dpkg printed.
    pub fn install(&self, deb: &Path) -> String {
        self.copy_in(deb, "/root/retaind.deb");
        self.ok(&["dpkg", "--install", "/root/retaind.deb"])
    }
}

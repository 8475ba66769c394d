//! A minimal Debian to boot: made once by debootstrap, cached outside the checkout, copied for each machine.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

/// What the machine has beyond the smallest Debian: an init, its bus, and what the package depends on.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libnss-systemd,procps";

/// Part of the cached directory's name; raise it when what is made below changes.
const EDITION: u32 = 1;

/// Timers and consoles that a test's machine must not have: they reach for the network or the terminal.
const MASKED: [&str; 4] = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "console-getty.service"];

/// Where the roots and the lock of the machines are kept.
pub fn cache_dir() -> PathBuf {
    let base =
        std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()).map_or("/var/cache".into(), PathBuf::from);
    let dir = base.join("retaind-test");
    fs::create_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    dir
}

/// A lock between test binaries, given back when dropped.
pub fn lock(name: &str) -> File {
    let path = cache_dir().join(name);
    let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    flock(&file, FlockOperation::LockExclusive).expect("a lock on our own file");
    file
}

/// A copy of the root at `target`, which must not exist yet.
pub fn copy_to(target: &Path) {
    let base = base();
    succeed(Command::new("cp").args(["--archive", "--reflink=auto"]).arg(&base).arg(target));
}

/// The cached root, made if it is missing.
fn base() -> PathBuf {
    assert!(rustix::process::geteuid().is_root(), "booting a machine needs root; run the tests as root");
    let _lock = lock("root.lock");
    let base = cache_dir().join(format!("{}-{EDITION}", os_release("VERSION_CODENAME")));
    if !base.exists() {
        // Made under another name, so that a root cut short is never taken for a whole one.
        let unfinished = base.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        make(&unfinished);
        fs::rename(&unfinished, &base).expect("rename within the cache");
    }
    base
}

fn make(root: &Path) {
    let (mirror, suite) = mirror();
    eprintln!("making a minimal Debian {suite} in {}", root.display());
    succeed(
        Command::new("debootstrap")
            .args(["--variant=minbase", &format!("--include={PACKAGES}"), &suite])
            .arg(root)
            .arg(&mirror),
    );
    for ballast in ["var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"] {
        let _ = fs::remove_dir_all(root.join(ballast));
    }
    fs::create_dir_all(root.join("var/cache/apt/archives/partial")).expect("mkdir in our own root");
    for unit in MASKED {
        symlink("/dev/null", root.join("etc/systemd/system").join(unit)).expect("symlink in our own root");
    }
    // With an id the machine is not "booted for the first time", which would ask questions.
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("the kernel makes ids").replace('-', "");
    let machine_id = root.join("etc/machine-id");
    let _ = fs::remove_file(&machine_id);
    fs::write(machine_id, id).expect("write in our own root");
}

/// Mirror and suite that apt uses here for the system's own release.
fn mirror() -> (String, String) {
    let codename = os_release("VERSION_CODENAME");
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"])
        .output()
        .expect("apt-get runs");
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let found = listing.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let (uri, suite, component) = (words.next()?, words.next()?, words.next()?);
        (suite == codename && component == "main").then(|| (uri.to_owned(), suite.to_owned()))
    });
    found.unwrap_or_else(|| panic!("apt has no source for {codename} main; it knows:\n{listing}"))
}

fn os_release(key: &str) -> String {
    let text = fs::read_to_string("/etc/os-release").expect("/etc/os-release");
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("{key} in /etc/os-release")).trim_matches('"').to_owned()
}

/// Runs a command to its end; panics with its output where it fails. Its standard output, otherwise.
pub fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?}: {error}; the tests need systemd-container, debootstrap and dpkg-dev")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout
}

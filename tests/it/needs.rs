//! Things that a test needs and not every machine has. A test names them in its first line, `needs!(Need::Server)`, and
//! is left out by `make quick`; `make test` leaves out nothing.
//!
//! The harness holds tests to it: one that starts a server without having said so fails, wherever it runs.

use std::cell::RefCell;
use std::io::Write;

use crate::engines::EngineKind;

/// Something beyond the binary, SQLite and a plain user's rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// No more than every machine has: an engine without a server.
    Nothing,
    /// PostgreSQL, MariaDB or what stands before them.
    Server,
    /// The right to mount, to boot a machine or to change attributes.
    Root,
    /// A program that Debian does not install by itself.
    Program(&'static str),
}

impl From<EngineKind> for Need {
    fn from(kind: EngineKind) -> Self {
        if kind == EngineKind::Sqlite { Need::Nothing } else { Need::Server }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Need::Nothing => out.write_str("nothing"),
            Need::Server => out.write_str("a server"),
            Need::Root => out.write_str("root"),
            Need::Program(name) => out.write_str(name),
        }
    }
}

thread_local! {
    /// Needs that the test of this thread has named; each test has a thread of its own.
    static NAMED: RefCell<Vec<Need>> = const { RefCell::new(Vec::new()) };
}

/// Names what a test needs, and ends it where the quick tests are asked for and that is not to be had.
#[macro_export]
macro_rules! needs {
    ($need:expr) => {
        if $crate::needs::is_left_out($need.into()) {
            return;
        }
    };
}

/// True if the quick tests are asked for, by `RETAIND_TESTS=quick`.
pub fn is_quick() -> bool {
    match std::env::var("RETAIND_TESTS") {
        Err(_) => false,
        Ok(asked) if asked == "quick" => true,
        Ok(asked) => panic!("RETAIND_TESTS={asked}: there are only the quick ones"),
    }
}

/// Notes a need, and says whether the test is left out for it. The file that `RETAIND_LEFT_OUT` names gets a line.
pub fn is_left_out(need: Need) -> bool {
    NAMED.with_borrow_mut(|named| named.push(need));
    let is_missing = match need {
        Need::Nothing => false,
        Need::Server | Need::Root => true,
        Need::Program(name) => !is_installed(name),
    };
    let left_out = is_quick() && is_missing;
    if let (true, Some(file)) = (left_out, std::env::var_os("RETAIND_LEFT_OUT")) {
        let line = format!("{need}\t{}\n", std::thread::current().name().unwrap_or_default());
        let mut file = std::fs::File::options().append(true).open(file).expect("RETAIND_LEFT_OUT names a file");
        file.write_all(line.as_bytes()).expect("a line is written");
    }
    left_out
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .any(|directory| rustix::fs::access(directory.join(program), rustix::fs::Access::EXEC_OK).is_ok())
}

/// Fails a test that uses what it has not named. Of threads that a test has started nothing is known.
pub fn assert_named(need: Need) {
    let test = std::thread::current().name().is_some_and(|name| name.contains("::"));
    let named = !test || NAMED.with_borrow(|named| named.contains(&need));
    assert!(named, "this test needs {need}: its first line is to be `needs!(Need::{need:?});`");
}

//! Ends a statement of SQLite from another thread. Diesel gives no way to its connection, so a handler is attached to
//! each one while it opens, which SQLite asks every so often whether to go on.
//!
//! The only module with unsafe code: SQLite is told by C functions, and keeps the address of a flag. The flag lives as
//! long as the connection, because a function that the connection owns holds it.
#![allow(unsafe_code, reason = "SQLite's interface for this is C; see above and at each use")]

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError, ConnectionResult};
use libsqlite3_sys as ffi;

diesel::define_sql_function! {
    /// Owns the flag of its connection; nobody calls it.
    fn retaind_interrupt_flag() -> diesel::sql_types::Bool;
}

/// Steps of SQLite's machine between two looks at the flag: some microseconds.
const STEPS: c_int = 1000;

/// Ends the statement that a connection is in. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Interrupt {
    is_set: Arc<AtomicBool>,
}

thread_local! {
    /// The flag of the connection that this thread is opening.
    static OPENING: RefCell<Option<Interrupt>> = const { RefCell::new(None) };
}

impl Interrupt {
    /// Ends the statement in progress, and every one until [`Interrupt::reset`].
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
    }

    /// Lets statements run again.
    pub(super) fn reset(&self) {
        self.is_set.store(false, Ordering::Relaxed);
    }

    /// Opens a connection whose statements this ends. Blocks.
    pub(super) fn open(&self, uri: &str) -> ConnectionResult<SqliteConnection> {
        static REGISTERED: Once = Once::new();
        // SAFETY: `attach` has the type that SQLite calls it by, and is there as long as the process.
        REGISTERED.call_once(|| unsafe {
            ffi::sqlite3_auto_extension(Some(attach));
        });
        OPENING.set(Some(self.clone()));
        let opened = SqliteConnection::establish(uri);
        OPENING.set(None);
        let connection = opened?;
        let owner = Arc::clone(&self.is_set);
        // Until here `self` keeps the flag; from here on the connection does, until it is closed.
        let registered =
            retaind_interrupt_flag_utils::register_impl(&connection, move || owner.load(Ordering::Relaxed));
        registered.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}

/// Called by SQLite for every connection that this process opens; those that nobody means to interrupt are left alone.
unsafe extern "C" fn attach(
    connection: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _routines: *const ffi::sqlite3_api_routines,
) -> c_int {
    let opening = OPENING.try_with(|opening| opening.borrow().clone()).ok().flatten();
    if let Some(Interrupt { is_set }) = opening {
        let flag = Arc::as_ptr(&is_set).cast_mut().cast::<c_void>();
        // SAFETY: the connection is SQLite's own and open. The flag outlives it: the caller of `open` holds it while the
        // connection opens, a function of the connection from then on, and no statement runs after that one is gone. A
        // connection that fails in between is closed before the caller lets go.
        unsafe { ffi::sqlite3_progress_handler(connection, STEPS, Some(is_interrupted), flag) };
    }
    ffi::SQLITE_OK
}

/// Called by SQLite in the middle of a statement; anything but zero ends it.
unsafe extern "C" fn is_interrupted(flag: *mut c_void) -> c_int {
    // SAFETY: it is the flag that `attach` passed, which outlives the connection.
    let flag = unsafe { &*flag.cast::<AtomicBool>().cast_const() };
    c_int::from(flag.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use diesel::connection::SimpleConnection;

    use super::*;

    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

    #[test]
    fn f32_a_statement_is_interrupted_and_the_next_runs() {
        let interrupt = Interrupt::default();
        let mut connection = interrupt.open(":memory:").unwrap();
        let other = interrupt.clone();
        let setting = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(100));
            other.set();
        });
        let error = connection.batch_execute(ENDLESS).unwrap_err();
        assert!(error.to_string().contains("interrupted"), "{error}");
        setting.join().unwrap();
        interrupt.reset();
        connection.batch_execute("SELECT 1").unwrap();
        drop(interrupt);
        connection.batch_execute("SELECT count(*) FROM sqlite_master").unwrap();
    }
}

//! The program: parses the command line, starts the runtime, and ends with an exit code.

#![recursion_limit = "256"]

use std::process::ExitCode;

use retaind::cli;
use retaind::cli::Exit;
use retaind::telemetry;
use retaind::telemetry::Voice;

fn main() -> ExitCode {
    let args = match cli::parse(std::env::args_os()) {
        Ok(args) => args,
        Err(exit) => return exit.into(),
    };
    let voice = if args.is_daemon() { Voice::Daemon } else { Voice::Command };
    let _log = telemetry::init(voice, args.shared.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the asynchronous runtime cannot start\n  caused by: {error}");
            return Exit::Failed.into();
        }
    };
    let exit = runtime.block_on(cli::execute(args));
    // What a forced end left in the middle of a statement is not waited for, but the operator's commands are ended.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    exit.into()
}

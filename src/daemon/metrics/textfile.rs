//! The file of numbers for the textfile collector of node_exporter.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use futures_util::future::OptionFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::control::Controller;
use crate::text::chain;

/// Interval between two writings: Prometheus usually asks node_exporter as often.
const PERIOD: Duration = Duration::from_secs(15);

/// Writes the numbers again and again into the file that the configuration in force names, until the token says to stop. What
/// goes wrong is reported once, until something else does or it works again. Where no file is named, nothing wakes.
pub async fn keep_writing(controller: Controller, mut changes: watch::Receiver<()>, cancel: CancellationToken) {
    let mut reported = None;
    while !cancel.is_cancelled() {
        let path = controller.settings().serving.metrics_file.clone();
        let failed = match &path {
            None => None,
            Some(path) => match controller.numbers().await {
                Ok(numbers) => write(path, &numbers).err().map(|error| chain(&error)),
                Err(problem) => Some(problem.detail),
            },
        };
        if failed != reported {
            if let (Some(error), Some(path)) = (&failed, &path) {
                let path = path.display();
                tracing::warn!(%path, error, "The numbers for Prometheus cannot be written into {path}: {error}");
            }
            reported = failed;
        }
        let period = OptionFuture::from(path.map(|_| tokio::time::sleep(PERIOD)));
        tokio::select! {
            () = cancel.cancelled() => return,
            Some(()) = period => {}
            Ok(()) = changes.changed() => {}
            else => return,
        }
    }
}

/// Puts a whole new file in the place of the old one, readable for everybody: whoever reads sees one of the two.
fn write(path: &Path, numbers: &str) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let everybody = std::fs::Permissions::from_mode(0o644);
    let mut file = tempfile::Builder::new().prefix(".retaind-").permissions(everybody).tempfile_in(directory)?;
    file.write_all(numbers.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

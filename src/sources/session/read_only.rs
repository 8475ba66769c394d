//! Databases that take no changes: a standby, a server that was made read-only, a file that cannot be written.

use std::path::Path;

use rustix::fs::Access;

use super::{Session, TextRow};
use crate::decide::source::{TakesNoChanges, WhyNoChanges};
use crate::sources::SourceError;

impl Session {
    /// Reason that the database takes no changes; none where it takes them. A login that may write all the same on a MySQL
    /// server that is read-only does not: what is written on a replica parts it from its primary.
    pub async fn refuses_changes(&mut self) -> Result<Option<TakesNoChanges>, SourceError> {
        let source = self.source_name.clone();
        let refused = |because| Some(TakesNoChanges { source, because });
        if let Some(path) = self.endpoint.path() {
            return Ok(if is_writable(path) { None } else { refused(WhyNoChanges::NotWritable) });
        }
        let mut sql = self.sql();
        sql.push(self.traits().takes_changes);
        let rows = self.query("asking whether the database takes changes", &sql).await?;
        let Some(TextRow(values)) = rows.into_iter().next() else { return Ok(None) };
        let is_set = |place: usize| {
            let value = values.get(place).and_then(Option::as_deref).unwrap_or("0");
            !matches!(value, "0" | "OFF")
        };
        Ok(match (is_set(0), is_set(1)) {
            (false, false) => None,
            (true, _) => refused(WhyNoChanges::Standby),
            (false, true) => refused(WhyNoChanges::ReadOnly(self.traits().is_read_only)),
        })
    }
}

/// True if the file, its directory (where a journal is made), and the files beside it that are there can be written.
pub(in crate::sources) fn is_writable(file: &Path) -> bool {
    // Behind links, because the journal is made beside the file itself.
    let Ok(file) = std::fs::canonicalize(file) else { return false };
    let may_write = |path: &Path| rustix::fs::access(path, Access::WRITE_OK).is_ok();
    let beside = ["-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        name
    });
    may_write(&file)
        && file.parent().is_some_and(may_write)
        && beside.iter().map(Path::new).all(|path| !path.exists() || may_write(path))
}

//! Files that one `keep_last` counts together and that look like more than one series: the last backup of one would go
//! because of newer ones of another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::decide::file::FileKind;
use crate::policy::{FilesPolicy, Per, PolicyKind, Settings, Store};
use crate::report::Findings;
use crate::stores::{OpenStore, Visitor, Want};

/// Longest time for which a store is looked at.
const PATIENCE: Duration = Duration::from_millis(700);
/// Files that are looked at.
const FILES_AT_MOST: usize = 20_000;
/// A directory with more series than this has names of another kind: ids, hashes.
const FAMILIES_AT_MOST: usize = 10;

/// Names of one group by what is left of them without their numbers: how many, and one of them.
type Families = BTreeMap<String, (u64, String)>;

/// Names that were seen, by the directory (or the store) in which they are counted together.
#[derive(Default)]
struct Seen {
    groups: BTreeMap<Vec<u8>, Families>,
    files: usize,
}

struct Worker {
    files: FilesPolicy,
    seen: Arc<Mutex<Seen>>,
    enough: CancellationToken,
}

impl Visitor for Worker {
    fn file(&mut self, path: &[u8], kind: FileKind) -> Want {
        if kind == FileKind::File && self.files.matching.matches(path) && !self.enough.is_cancelled() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.add(path, self.files.keep_last_per());
            if seen.files >= FILES_AT_MOST {
                self.enough.cancel();
            }
        }
        Want::Nothing
    }
}

impl Seen {
    fn add(&mut self, path: &[u8], per: Per) {
        self.files += 1;
        let at = path.iter().rposition(|byte| *byte == b'/');
        let (directory, name) = at.map_or((&path[..0], path), |at| (&path[..at], &path[at + 1..]));
        let name = String::from_utf8_lossy(name).into_owned();
        let Some(family) = family(&name) else { return };
        let group = match per {
            Per::Directory => directory.to_vec(),
            Per::Store => Vec::new(),
        };
        let families = self.groups.entry(group).or_default();
        if families.len() <= FAMILIES_AT_MOST {
            families.entry(family).or_insert((0, name)).0 += 1;
        }
    }

    /// An example of each of two series that are counted together: the largest, and another.
    fn mixed(&self) -> Option<(&str, &str)> {
        self.groups.values().find_map(|families| {
            let (largest, (count, one)) = families.iter().max_by_key(|(_, (count, _))| *count)?;
            let (_, (_, other)) = families.iter().find(|(family, _)| *family != largest)?;
            (*count >= 2 && families.len() <= FAMILIES_AT_MOST).then_some((one.as_str(), other.as_str()))
        })
    }
}

/// The rest of a name without its numbers and what joins these; none for a name without a number.
fn family(name: &str) -> Option<String> {
    let mut stem = String::new();
    let mut pieces = name.split(|c: char| c.is_ascii_digit()).peekable();
    let mut any = false;
    while let Some(piece) = pieces.next() {
        let joins = any && pieces.peek().is_some() && piece.chars().all(|c| "-_.:T ".contains(c));
        if !joins {
            stem.push_str(piece);
        }
        if pieces.peek().is_some() {
            any = true;
            if !stem.ends_with('#') {
                stem.push('#');
            }
        }
    }
    any.then_some(stem)
}

/// Warns of policies that count files of several series together.
pub(super) async fn check(settings: &Settings, store: &Store, open: &OpenStore, findings: &mut Findings) {
    for policy in settings.policies_in(&store.name).filter(|policy| policy.enabled) {
        let PolicyKind::Files(files) = &policy.kind else { continue };
        let Some(most) = files.keep_last else { continue };
        let seen = look(files, open).await;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((one, other)) = seen.mixed() else { continue };
        findings.warn(
            format!("policy {}", policy.name),
            format!(
                "keep_last = {most} counts files of several series together, such as {one:?} and {other:?}: the last ones of a \
                 series that has ended go when another one has {most} newer files"
            ),
            format!("write a policy for each series, with its own match in [policies.{}]", policy.name),
        );
    }
}

async fn look(files: &FilesPolicy, open: &OpenStore) -> Arc<Mutex<Seen>> {
    let (seen, enough) = (Arc::new(Mutex::new(Seen::default())), CancellationToken::new());
    let timer = tokio::spawn({
        let enough = enough.clone();
        async move {
            tokio::time::sleep(PATIENCE).await;
            enough.cancel();
        }
    });
    let make = {
        let (files, seen, enough) = (files.clone(), seen.clone(), enough.clone());
        move || Worker { files: files.clone(), seen: seen.clone(), enough: enough.clone() }
    };
    // A walk that was stopped, or could not see everything, has seen what it has seen; its errors are told elsewhere.
    let _ = open.walk(make, &enough).await;
    timer.abort();
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mixed(names: &[&str], per: Per) -> bool {
        let mut seen = Seen::default();
        names.iter().for_each(|name| seen.add(name.as_bytes(), per));
        seen.mixed().is_some()
    }

    #[test]
    fn f11_series_differ_in_what_is_not_a_number() {
        for (name, stem) in [
            ("shop-2026-01-01.gz", Some("shop-#.gz")),
            ("shop-20260101T030000.sql.gz", Some("shop-#.sql.gz")),
            ("2026_01_01 crm.tar", Some("# crm.tar")),
            ("access.log.1.gz", Some("access.log.#.gz")),
            ("README", None),
        ] {
            assert_eq!(family(name).as_deref(), stem, "{name}");
        }
        let shop = ["shop-2026-01-01.gz", "shop-2026-01-02.gz"];
        assert!(mixed(&[shop[0], shop[1], "crm-2026-01-01.gz"], Per::Directory));
        assert!(!mixed(&[shop[0], shop[1], "README", "latest.gz"], Per::Directory));
        assert!(!mixed(&["shop/a-1.gz", "shop/a-2.gz", "crm/b-1.gz"], Per::Directory));
        assert!(mixed(&["shop/a-1.gz", "shop/a-2.gz", "crm/b-1.gz"], Per::Store));
        let hashes: Vec<_> = (0..40_u32).map(|n| format!("a{n}b{}c", "x".repeat(n as usize))).collect();
        assert!(!mixed(&hashes.iter().map(String::as_str).collect::<Vec<_>>(), Per::Directory));
    }
}

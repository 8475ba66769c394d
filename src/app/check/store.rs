//! One store: whether it is there, and whether files may be removed in it.

use std::io::ErrorKind;

use super::service::{Service, read_write_paths};
use super::{enforces, rows_policies};
use crate::policy::{Settings, Store};
use crate::report::Findings;
use crate::stores::{Access, OpenStore, StoreError};
use crate::telemetry::chain;

/// Opens the store and asks what this user, and the service, may do in it.
pub(super) fn check(settings: &Settings, store: &Store, service: &Service, findings: &mut Findings) {
    let subject = format!("store {}", store.name);
    let access = OpenStore::open(store).map(|open| open.access());
    let access = match access {
        Ok(Ok(access)) => access,
        Ok(Err(error)) => return findings.error(subject, format!("{}: {error}", store.root.display()), ""),
        Err(error) => {
            let fix = how_to_open(&error, service);
            return findings.error(subject, chain(&error), fix);
        }
    };
    let is_emptied = rows_policies(settings)
        .any(|(policy, rows)| enforces(settings, policy) && rows.files.iter().any(|file| file.store == store.name));
    let mut amiss = Vec::new();
    if let Some(missing) = lacking(store, &access, service) {
        amiss.push(missing);
    } else if let Some(drop_in) = service.wall(&store.root) {
        let message = format!("{} is outside the directories that the service may write to", store.root.display());
        amiss.push((message, drop_in));
    }
    if amiss.is_empty() {
        let place = format!("{} is readable and writable", store.root.display());
        return findings.ok(subject, place);
    }
    for (message, fix) in amiss {
        // A store in which nothing is ever removed may be read-only.
        if is_emptied { findings.error(&subject, message, fix) } else { findings.warn(&subject, message, fix) }
    }
}

/// What this process lacks in the store, and the remedy.
fn lacking(store: &Store, access: &Access, service: &Service) -> Option<(String, String)> {
    let root = store.root.display();
    let Access { readable, writable, mount_point, read_only_mount, owner, mode } = access;
    if *read_only_mount {
        let message = format!("{root} is read-only here: so is its mount {}", mount_point.display());
        let fix = format!(
            "{}\nor, outside the service: mount -o remount,rw {}",
            read_write_paths(&store.root),
            mount_point.display()
        );
        return Some((message, fix));
    }
    let what = match (readable, writable) {
        (true, true) => return None,
        (true, false) => "files in it cannot be removed",
        (false, _) => "it cannot be read",
    };
    let message = format!("{what} by this user: {root} belongs to {owner} and has mode {:04o}", mode & 0o7777);
    Some((message, grant(service.user(), &root)))
}

fn how_to_open(error: &StoreError, service: &Service) -> String {
    match error {
        StoreError::Open { cause, root, .. } if cause.kind() == ErrorKind::PermissionDenied => {
            grant(service.user(), &root.display())
        }
        StoreError::Open { cause, .. } if cause.kind() == ErrorKind::NotFound => {
            "mount it or make it, or set the store's path; below /home the service needs BindPaths= too".to_owned()
        }
        StoreError::Open { .. } => String::new(),
        StoreError::NotDirectory { .. } => "set the store's path to a directory".to_owned(),
    }
}

fn grant(user: &str, root: &impl std::fmt::Display) -> String {
    format!(
        "setfacl -R -m u:{user}:rwX,d:u:{user}:rwX {root}\n\
         or add the user to the group of {root}, with g+rwx on its directories; and x on each directory above it"
    )
}

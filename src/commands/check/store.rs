//! One store: whether it is there, and whether files may be removed in it.

use std::io::ErrorKind;

use super::policies::{enforces, rows_policies};
use super::service::{Service, read_write_paths, supplementary_group};
use super::trees;
use crate::ledger::Ledger;
use crate::policy::{OpenFiles, OwnedFile, PolicyKind, Settings, Store};
use crate::report::Findings;
use crate::stores::{Access, Closed, Group, OpenStore, Removal, StoreError};
use crate::text::{chain, shell_word};

/// Group of whoever has none.
const NOBODY: u32 = 65534;

/// Opens the store and asks what it is, and what this user, and the service, may do in it.
pub(super) async fn check(
    settings: &Settings,
    store: &Store,
    service: &Service,
    ledger: Option<&Ledger>,
    findings: &mut Findings,
) {
    let subject = format!("store {}", store.name);
    let opened = OpenStore::open(store).map(|open| (open.access(), open));
    let (access, open) = match opened {
        Ok((Ok(access), open)) => (access, open),
        Ok((Err(error), _)) => return findings.error(subject, format!("{}: {error}", store.root.display()), ""),
        Err(error) => {
            let fix = how_to_open(&error, service);
            return findings.error(subject, chain(&error), fix);
        }
    };
    rights(settings, store, service, (&access, &open), findings);
    let by_group = is_by_group(&access, service);
    if by_group && !access.readable {
        let (user, group) = (service.user(), &access.group.name);
        let message = format!("what is in it was not looked at: this user is not in group {group}, and the service is");
        return findings.warn(subject, message, format!("sudo -u {user} -g {group} retaind check"));
    }
    let removal = Removal { trashes: store.trash.is_some(), ..Removal::default() };
    if !access.read_only_mount
        && !by_group
        && let Some(why) = open.obstacle(removal).await
    {
        findings.error(&subject, format!("{why}; rows with files in it stay until it can be"), "");
    }
    let adoption = match ledger {
        None => None,
        Some(ledger) => match ledger.adopted(&store.name).await {
            Ok(adoption) => adoption,
            Err(error) => return findings.error(subject, chain(&error), ""),
        },
    };
    trees::check_store(settings, store, &open, adoption, findings).await;
    open_files(settings, store, service, findings);
}

/// Says where files stay because the service cannot know whether they are open.
fn open_files(settings: &Settings, store: &Store, service: &Service, findings: &mut Findings) {
    let Some(drop_in) = service.blindness() else { return };
    for policy in settings.policies_in(&store.name).filter(|policy| policy.enabled && enforces(settings, policy)) {
        let PolicyKind::Files(files) = &policy.kind else { continue };
        if files.open == OpenFiles::Skip {
            let message = "the service cannot know whether another user's file is open, so that such files stay";
            let fix = format!("{drop_in}\nor open = \"delete\" in [policies.{}]", policy.name);
            findings.warn(format!("policy {}", policy.name), message, fix);
        }
    }
}

fn rights(
    settings: &Settings,
    store: &Store,
    service: &Service,
    (access, open): (&Access, &OpenStore),
    findings: &mut Findings,
) {
    let subject = format!("store {}", store.name);
    let owned = owned_files(settings, store);
    let walked = settings.policies_in(&store.name).any(|policy| policy.enabled && enforces(settings, policy));
    let mut amiss = Vec::new();
    amiss.extend(lacking(store, access, service));
    if !access.read_only_mount
        && let Some(drop_in) = service.wall(&store.root)
    {
        let message = format!("{} is outside the directories that the service may write to", store.root.display());
        amiss.push((message, drop_in));
    }
    if amiss.is_empty() {
        if is_by_group(access, service) {
            let group = &access.group.name;
            let place =
                format!("{} is readable and writable by the service, which is in group {group}", store.root.display());
            return findings.ok(subject, place);
        }
        if (walked || owned.iter().any(|file| file.directory))
            && let Some(message) = closed(store, open)
        {
            return findings.warn(subject, message, way_in(store, access, service));
        }
        let place = format!("{} is readable and writable", store.root.display());
        return findings.ok(subject, place);
    }
    // A store in which nothing is ever removed may be read-only.
    let removes = walked || !owned.is_empty();
    for (message, fix) in amiss {
        if removes { findings.error(&subject, message, fix) } else { findings.warn(&subject, message, fix) }
    }
}

/// Files in the store that the rows of enforcing policies own, or their children.
fn owned_files<'a>(settings: &'a Settings, store: &Store) -> Vec<&'a OwnedFile> {
    let mut owned = Vec::new();
    let enforcing = rows_policies(settings).filter(|(policy, _)| enforces(settings, policy));
    for (_, rows) in enforcing {
        let mut children: Vec<_> = rows.children.iter().collect();
        owned.extend(&rows.files);
        while let Some(child) = children.pop() {
            owned.extend(&child.files);
            children.extend(&child.children);
        }
    }
    owned.retain(|file| file.store == store.name);
    owned
}

/// Directories in the store that cannot be emptied, in words, if there are any.
fn closed(store: &Store, open: &OpenStore) -> Option<String> {
    let closed = open.closed();
    let Closed { path, owner, mode } = closed.first()?;
    let root = store.root.display();
    let others = match closed.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Some(format!("{root}/{path}{others} cannot be emptied by this user: it belongs to {owner} and has mode {mode:04o}"))
}

/// Access to the store that this process lacks, and the remedy.
fn lacking(store: &Store, access: &Access, service: &Service) -> Option<(String, String)> {
    let root = store.root.display();
    let Access { readable, writable, mount_point, read_only_mount, owner, owner_id: _, group: _, mode } = access;
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
        (_, _) if is_by_group(access, service) => return None,
        (true, false) => "files in it cannot be removed",
        (false, _) => "it cannot be read",
    };
    let message = format!("{what} by this user: {root} belongs to {owner} and has mode {:04o}", mode & 0o7777);
    Some((message, way_in(store, access, service)))
}

/// True if this process may not empty the root, and the service may: by a group that its unit names.
fn is_by_group(access: &Access, service: &Service) -> bool {
    let opens = access.mode & 0o070 == 0o070;
    !(access.readable && access.writable) && opens && service.has_group(&access.group)
}

/// Command that lets the service empty the store: by its group, where it has one of its own, or by an entry for the
/// user.
fn way_in(store: &Store, access: &Access, service: &Service) -> String {
    let Group { id, name } = &access.group;
    let (user, root) = (service.user(), store.root.display());
    if *id == 0 || *id == NOBODY {
        return grant(user, &root);
    }
    // Of directories alone: files need nothing to be removed, and would seem to have been changed.
    let shown = root.to_string();
    let place = shell_word(&shown);
    let opening = format!("find {place} -name .retaind -prune -o -type d -exec chmod g+rwx {{}} +");
    // As the owner, who could lead root to a directory of somebody else by a link that comes just in time.
    let opened = match access.owner_id {
        0 | NOBODY => opening,
        owner => format!("setpriv --reuid={owner} --regid={id} --clear-groups {opening}"),
    };
    let joined =
        if service.has_group(&access.group) { String::new() } else { format!("\n{}", supplementary_group(name)) };
    format!("{opened}{joined}\nor {}", grant(user, &root))
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
        "setfacl -R -m u:{user}:rwX,d:u:{user}:rwX {}\n\
         or add the user to the group of {root}, with g+rwx on its directories; and x on each directory above it",
        shell_word(&root.to_string())
    )
}
